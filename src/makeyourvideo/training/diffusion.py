"""Stages 1 and 2: the image model with its text encoder, then the temporal modules on clips.

Both predict the noise or the velocity, as the scheduler says, from noised latents, depth and text. In terms
of the clean latents the loss weighs min(max(SNR, 1), gamma): min-SNR from above (Hang et al., arXiv
2303.09556, eq. 8), truncated SNR from below (Salimans & Ho, arXiv 2202.00512, section 4), because at high
noise, where min-SNR alone weighs next to nothing, the text is all there is to tell the colours from.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d, pixel_unshuffle
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from makeyourvideo.errors import InputError
from makeyourvideo.model_folder import CLASSES, write_index
from makeyourvideo.models.unet import VideoUNet
from makeyourvideo.training.config import DiffusionConfig, ImageConfig, VideoConfig
from makeyourvideo.training.data import depth_of, draw_clips, draw_prompts, open_data, step_generator
from makeyourvideo.training.latents import encode_dataset, latents_file, open_latents, visibility
from makeyourvideo.training.record import words_of, write_record
from makeyourvideo.training.start import take_over, take_over_tokens
from makeyourvideo.training.tokenizer import tokens_of, train_tokenizer

Drawn = Sequence[tuple[str, int, slice]]
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def prepare_latents(config: DiffusionConfig, data: Path, model: Path) -> Iterator[tuple[int, int]]:
    """Encode every data set once for each autoencoder; yields (scenes done, scenes in all)."""
    vae = AutoencoderKL.from_pretrained(model / "vae").to(memory_format=torch.channels_last)
    for name, dataset in open_data(config, data).items():
        yield from encode_dataset(vae, dataset, latents_file(model / "vae", data / name))


class DiffusionStage:
    """What stages 1 and 2 share: cached latents, tokens, noise and the weighted loss.

    Subclasses say which modules there are, which of them are trained, and how long the clips are.
    """

    unet: VideoUNet
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    num_frames = 1
    keeps: Sequence[str] = ("vae", "refiner", "camera")
    """Parts of the model of the stage before that still fit, where it has them."""

    def __init__(self, config: DiffusionConfig, data: Path, model: Path, start: Path | None = None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.model, self.start = config, model, start
        self.data = open_data(config, data)
        self.scheduler = (
            DDIMScheduler(**config.scheduler)
            if config.scheduler
            else DDIMScheduler.from_pretrained(model / "scheduler")
        )
        kind = self.scheduler.config.prediction_type
        if kind not in ("epsilon", "v_prediction"):
            raise InputError("scheduler", "prediction_type epsilon or v_prediction", kind)
        self.predicts_noise = kind == "epsilon"
        self.snr = self.scheduler.alphas_cumprod / (1 - self.scheduler.alphas_cumprod)
        self.latents = {name: open_latents(latents_file(model / "vae", data / name)) for name in config.data}
        self.view = self._view()

    def loss(self, step: int) -> torch.Tensor:
        """Return the mean loss over the clips of a step; one timestep a clip, independent noise a frame."""
        batch = self._batch(step_generator(self.config, step))
        noise = torch.randn_like(batch[0])
        timesteps = torch.randint(len(self.snr), (len(noise),))
        latents, depth, tokens, weights, noise, timesteps = (
            part.to(self.unet.device) for part in (*batch, noise, timesteps)
        )
        noised = self.scheduler.add_noise(latents, noise, timesteps)
        context = self.text_encoder(tokens).last_hidden_state
        predicted = self.unet(torch.cat([noised, depth], dim=1), timesteps, context).sample
        error = predicted - self._target(latents, noise, timesteps)
        if self.view is not None:
            error = torch.einsum("dc,bcfhw->bdfhw", self.view.to(error.device), error)
        error = (error.square() * weights).flatten(1).mean(dim=1)
        return (error * self._weight(timesteps)).mean()

    def finish(self, model: Path) -> None:
        """Write a whole model folder: what was trained, and the rest as it came from the stage before."""
        model.mkdir(parents=True, exist_ok=True)
        kept = [part for part in self.keeps if (self.model / part).is_dir()]
        for part in kept:
            shutil.copytree(self.model / part, model / part, dirs_exist_ok=True)
        self.unet.save_pretrained(model / "unet")
        self.text_encoder.save_pretrained(model / "text_encoder")
        self.tokenizer.save_pretrained(model / "tokenizer")
        self.scheduler.save_pretrained(model / "scheduler")
        parts = (*kept, "unet", "text_encoder", "tokenizer", "scheduler")
        write_index(model, {part: CLASSES[part] for part in parts}, **self.config.sampling)
        write_record(model, self.model, self.config, self.start, **self._learnt())

    def _learnt(self) -> dict[str, Any]:
        """What the stage adds to the record besides its config."""
        return {}

    @property
    def modules(self) -> nn.ModuleDict:
        """All networks of the stage."""
        return nn.ModuleDict({"unet": self.unet, "text_encoder": self.text_encoder})

    def _view(self) -> torch.Tensor | None:
        """The matrix that turns an error of the latents to what counts of it, if not all counts alike."""
        if not self.config.pixel_weight:
            return None
        name = next(iter(self.data))
        metric = visibility(self.data[name], self.latents[name])
        even = torch.eye(len(metric))
        values, vectors = torch.linalg.eigh(even.lerp(metric, self.config.pixel_weight))
        return values.clamp(min=0).sqrt()[:, None] * vectors.T

    def _target(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """What the network is to answer (paper, equation 1), or the velocity (arXiv 2202.00512)."""
        return noise if self.predicts_noise else self.scheduler.get_velocity(latents, noise, timesteps)

    def _clean(self, noised: torch.Tensor, answer: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """The latents without noise, by the network's answer."""
        kept = self.scheduler.alphas_cumprod.to(noised.device)[timesteps][:, None, None, None, None]
        if self.predicts_noise:
            return (noised - (1 - kept).sqrt() * answer) / kept.sqrt()
        return kept.sqrt() * noised - (1 - kept).sqrt() * answer

    def _weight(self, timesteps: torch.Tensor) -> torch.Tensor:
        snr = self.snr.to(timesteps.device)[timesteps]
        return snr.clamp(1, self.config.min_snr_gamma) / (snr if self.predicts_noise else snr + 1)

    def _batch(self, rng: np.random.Generator) -> Batch:
        """Gather latents `(b, c, f, h, w)`, folded depth `(b, p*p, f, h, w)`, tokens `(b, n)` and weights."""
        return self._gather(rng, draw_clips(rng, self.data, self.config.batch_size, self.num_frames))

    def _gather(self, rng: np.random.Generator, drawn: Drawn) -> Batch:
        latents = np.stack([self.latents[name][scene][frames] for name, scene, frames in drawn])
        patch = self.unet.config.depth_patch_size
        rows, columns = latents.shape[-2:]
        depth = adaptive_avg_pool2d(depth_of(self.data, drawn), (patch * rows, patch * columns))
        folded = pixel_unshuffle(depth[:, :, None], patch)
        tokens = self._tokens(rng, drawn)
        seen = torch.from_numpy(rng.random(len(drawn)) >= self.config.depth_dropout)
        folded = folded * seen[:, None, None, None, None]
        weights = self._object_weights(drawn, (rows, columns))
        return torch.from_numpy(latents).float().movedim(2, 1), folded.movedim(2, 1), tokens, weights

    def _tokens(self, rng: np.random.Generator, drawn: Drawn) -> torch.Tensor:
        """Choose a caption of each clip, or none, as tokens `(b, n)`."""
        prompts = draw_prompts(rng, self.data, drawn, self.config.prompt_dropout)
        return tokens_of(self.tokenizer, prompts)

    def _object_weights(self, drawn: Drawn, size: tuple[int, int]) -> torch.Tensor:
        """Weigh each latent by the share of it that objects cover: `(b, 1, f, h, w)`."""
        surfaces = np.stack([self.data[name].surfaces[scene][frames] for name, scene, frames in drawn])
        covered = adaptive_avg_pool2d(torch.from_numpy(surfaces > 0).float(), size)
        return 1 + self.config.object_weight * covered[:, None]


class ImageStage(DiffusionStage):
    """Stage 1: all spatial layers and the text encoder, on single frames."""

    def __init__(self, config: ImageConfig, data: Path, model: Path, start: Path | None = None) -> None:
        super().__init__(config, data, model, start)
        self.tokenizer = self._tokenizer(config)
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                **config.text_encoder,
                vocab_size=len(self.tokenizer),
                bos_token_id=self.tokenizer.bos_token_id,
                eos_token_id=self.tokenizer.eos_token_id,
                pad_token_id=self.tokenizer.pad_token_id,
            )
        )
        self.unet = VideoUNet(**config.unet)
        if start:
            take_over(self.unet, start, "unet")
            take_over(self.text_encoder, start, "text_encoder")
            take_over_tokens(self.text_encoder, self.tokenizer, start)
        self.unet.temporal_enabled = False
        self.modules.train()
        _freeze_all_but(self.modules, config.trains)
        for parameter in self.unet.temporal_parameters():
            parameter.requires_grad_(False)

    def _tokenizer(self, config: ImageConfig) -> CLIPTokenizer:
        return train_tokenizer(
            self._captions(), config.vocabulary_size, config.text_encoder["max_position_embeddings"]
        )

    def _captions(self) -> Iterator[str]:
        return (caption for data in self.data.values() for wordings in data.captions for caption in wordings)

    def _learnt(self) -> dict[str, Any]:
        first = next(iter(self.data.values()))
        return {"words": words_of(self._captions()), "world": first.config.world.model_dump(mode="json")}


class VideoStage(DiffusionStage):
    """Stage 2: the temporal modules alone, on clips; everything spatial stays frozen."""

    keeps = ("vae", "refiner", "camera", "sketcher")

    def __init__(self, config: VideoConfig, data: Path, model: Path, start: Path | None = None) -> None:
        super().__init__(config, data, model, start)
        self.num_frames = config.window
        self.tokenizer = CLIPTokenizer.from_pretrained(model / "tokenizer")
        self.unet = _with_fresh_temporal_layers(model / "unet", config.unet)
        if start:
            take_over(
                self.unet,
                start,
                "unet",
                frozenset(self.unet.state_dict()) - _spatial_tensors(self.unet).keys(),
            )
        self.text_encoder = CLIPTextModel.from_pretrained(model / "text_encoder")
        self.modules.train().requires_grad_(False)
        for parameter in self.unet.temporal_parameters():
            parameter.requires_grad_(True)


def _freeze_all_but(modules: nn.ModuleDict, parts: Sequence[str]) -> None:
    """Train what is named and what is below it.

    Raises:
        InputError: there is no such part.
    """
    known = dict(modules.named_modules())
    for part in parts:
        if part not in known:
            raise InputError("trains", "parts of the networks, as unet.up_blocks", part)
    for name, parameter in modules.named_parameters():
        parameter.requires_grad_(any(name.startswith(f"{part}.") for part in parts))


def _with_fresh_temporal_layers(folder: Path, overrides: Mapping[str, Any]) -> VideoUNet:
    """Build the network of `folder` with `overrides` and take its spatial layers over.

    Raises:
        InputError: the overrides change the spatial layers.
    """
    image_model = VideoUNet.from_pretrained(folder)
    unet: VideoUNet = VideoUNet.from_config({**VideoUNet.load_config(folder), **overrides})
    spatial, wanted = (_spatial_tensors(network) for network in (image_model, unet))
    if {name: tensor.shape for name, tensor in spatial.items()} != {
        name: tensor.shape for name, tensor in wanted.items()
    }:
        raise InputError("unet", "overrides of the temporal layers alone", ", ".join(overrides))
    unet.load_state_dict(spatial, strict=False)
    return unet


def _spatial_tensors(unet: VideoUNet) -> dict[str, torch.Tensor]:
    temporal = {id(parameter) for parameter in unet.temporal_parameters()}
    return {name: tensor for name, tensor in unet.named_parameters() if id(tensor) not in temporal}
