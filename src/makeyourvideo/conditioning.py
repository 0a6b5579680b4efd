"""Text and depth, as the networks of the pipeline are shown them."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from diffusers import AutoencoderKL, DiffusionPipeline
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.framing import Framing
from makeyourvideo.memory import LAVISH, Thrift
from makeyourvideo.models.autoencoder import spatial_factor
from makeyourvideo.models.unet import VideoUNet
from makeyourvideo.planning import Plan
from makeyourvideo.structure.depth import DepthClip, normalize

_SEEN_TOGETHER = 8
"""Frames whose depth is there at once when cameras are told from a whole video."""


class ConditioningPipeline(DiffusionPipeline):
    """The part of `MakeYourVideoPipeline` that knows sizes, reads prompts and places depth."""

    unet: VideoUNet
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    thrift: Thrift = LAVISH

    @torch.no_grad()
    def encode_prompt(self, prompts: Sequence[str]) -> Tensor:
        """Text features `(batch, tokens, cross_attention_dim)`, padded to the model's length."""
        limit = self.tokenizer.model_max_length
        tokens = self.tokenizer(
            list(prompts), padding="max_length", truncation=True, max_length=limit, return_tensors="pt"
        )
        return self.text_encoder(tokens.input_ids.to(self.text_encoder.device)).last_hidden_state

    @property
    def size_multiple(self) -> int:
        """The network's height and width in pixels are multiples of this."""
        return spatial_factor(self.vae) * self.unet.size_multiple

    def is_tiled(self, framing: Framing) -> bool:
        """Whether frames are decoded in tiles: where that is allowed, those larger than a tile."""
        return self.thrift.tiled and max(self._latent_size(framing)) > self.vae.tile_latent_min_size

    def _latent_size(self, framing: Framing) -> tuple[int, int]:
        factor = spatial_factor(self.vae)
        return framing.padded_height // factor, framing.padded_width // factor

    def depth_grid(self, framing: Framing) -> tuple[int, int]:
        """Rows and columns of the depth that the network is shown."""
        rows, columns = self._latent_size(framing)
        patch = self.unet.config.depth_patch_size
        return rows * patch, columns * patch

    def condition(self, plan: Plan, depth: DepthClip, frames: range) -> Tensor:
        """Depth as channels of the latents: `(depth_patch_size², len(frames), height, width)`.

        Some of the frames get exactly what they would get among all of them.
        """
        patch = self.unet.config.depth_patch_size
        values = plan.normalized(self._placed(plan, depth, frames))
        folded = pixel_unshuffle(torch.from_numpy(values)[:, None], patch)
        strength = torch.tensor(plan.depth_strength)
        if plan.depth_mask is not None:
            part = plan.depth_mask[frames.start : frames.stop]
            grid = self.depth_grid(plan.framing)
            mask = torch.from_numpy(plan.framing.place_mask(np.ascontiguousarray(part), grid))
            strength = strength * pixel_unshuffle(mask[:, None], patch)
        return (folded * strength).transpose(0, 1)

    def _conditions(self, plans: Sequence[Plan], depths: Sequence[DepthClip], frames: range) -> Tensor:
        """Depth of some frames of a batch, as the network is shown it, in single precision: `b p*p f h w`."""
        folded = [self.condition(*one, frames) for one in zip(plans, depths, strict=True)]
        return torch.stack(folded).to(self.unet.device)

    def unfolded(self, depth: Tensor) -> Tensor:
        """Depth as the network is shown it, `b p*p f h w`, to a picture a frame: `(b f) 1 rows columns`."""
        return pixel_shuffle(rearrange(depth, "b c f h w -> (b f) c h w"), self.unet.config.depth_patch_size)

    def _placed(self, plan: Plan, depth: DepthClip, frames: range) -> NDArray[np.float32]:
        """Inverse depth of some frames as it is, on the grid that the network is shown: `(frames, y, x)`."""
        inverse = depth.inverse_at([plan.frame_indices[frame] for frame in frames])
        return plan.framing.place(inverse, self.depth_grid(plan.framing), depth.units)

    def _seen(self, plan: Plan, depth: DepthClip) -> Iterator[Tensor]:
        """Depth of a whole video in parts `1 f y x`, as cameras are told from it.

        From infinity, as far as anybody knows where that is, at -1 to the nearest point of all at 1.
        """
        frames = range(plan.num_frames)
        parts = [frames[start : start + _SEEN_TOGETHER] for start in frames[::_SEEN_TOGETHER]]
        ranges = [plan.depth_range] if plan.depth_range else []
        for part in () if ranges else parts:
            placed = self._placed(plan, depth, part)
            ranges.append((float(placed.min()), float(placed.max())))
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        ends = 0.0 if depth.units == "metric" else low, high
        for part in parts:
            values = normalize(self._placed(plan, depth, part), *(np.full(len(part), end) for end in ends))
            yield torch.from_numpy(values.clip(-1, 1))[None].to(self.unet.device)
