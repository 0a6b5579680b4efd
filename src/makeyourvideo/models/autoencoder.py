"""Frames to latents and back with an `AutoencoderKL`, frame by frame.

An autoencoder whose `in_channels` is 3·p² takes frames in which p x p pixels are folded into the channels.
"""

import math

import torch
from diffusers import AutoencoderKL
from einops import rearrange
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from makeyourvideo.models.dense import by_frames


def encode(vae: AutoencoderKL, frames: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Encode frames, drawing from the posterior by `generator` or, without one, taking its mean.

    Args:
        vae: the autoencoder.
        frames: `b 3 f H W` in [-1, 1].
        generator: the source of the posterior's noise.

    Returns:
        Latents `b c f h w`, shifted and scaled as the network takes them.
    """
    pictures = _channels_last(rearrange(frames, "b c f h w -> (b f) c h w"))
    posterior = vae.encode(pixel_unshuffle(pictures, patch_size(vae))).latent_dist
    latents = posterior.mode() if generator is None else posterior.sample(generator)
    latents = (latents - (vae.config.shift_factor or 0.0)) * vae.config.scaling_factor
    return rearrange(latents, "(b f) c h w -> b c f h w", f=frames.shape[2])


def decode(vae: AutoencoderKL, latents: Tensor, slice_size: int = 4) -> Tensor:
    """Decode latents `b c f h w` to frames `b 3 f H W` in [-1, 1], `slice_size` frames at a time."""
    latents = latents / vae.config.scaling_factor + (vae.config.shift_factor or 0.0)
    pictures = _channels_last(rearrange(latents, "b c f h w -> (b f) c h w"))

    def decode_slice(part: Tensor) -> Tensor:
        return pixel_shuffle(vae.decode(part).sample, patch_size(vae)).clamp(-1, 1)

    decoded = by_frames(decode_slice, min(slice_size, len(pictures)), pictures)
    return rearrange(decoded, "(b f) c h w -> b c f h w", f=latents.shape[2])


def spatial_factor(vae: AutoencoderKL) -> int:
    """How many pixels a side of one latent pixel covers."""
    return patch_size(vae) * 2 ** (len(vae.config.block_out_channels) - 1)


def patch_size(vae: AutoencoderKL) -> int:
    """How many pixels a side are folded into the channels of the autoencoder's input."""
    return math.isqrt(vae.config.in_channels // 3)


def _channels_last(pictures: Tensor) -> Tensor:
    return pictures.contiguous(memory_format=torch.channels_last)
