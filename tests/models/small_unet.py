"""A small network whose every layer has an effect."""

from typing import Any

import torch

from makeyourvideo.models import VideoUNet


def small_unet(**options: Any) -> VideoUNet:
    """Two levels; layers that start as zero are random instead."""
    unet = fresh_unet(**options)
    fill_zeros(unet.parameters())
    return unet


def fresh_unet(**options: Any) -> VideoUNet:
    """The same as the constructor leaves it."""
    torch.manual_seed(0)
    sizes = {
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "attention_levels": (True, False),
        "attention_head_dim": 16,
        "cross_attention_dim": 24,
    }
    return VideoUNet(**(sizes | options)).eval()


def fill_zeros(parameters: Any) -> None:
    """Make zero-initialised parameters random."""
    with torch.no_grad():
        for parameter in parameters:
            if not parameter.any():
                parameter.normal_(std=0.1)


def clip(
    num_frames: int, batch: int = 1, channels: int = 5
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A sample, timesteps and text embeddings."""
    generator = torch.Generator().manual_seed(num_frames)
    sample = torch.randn(batch, channels, num_frames, 8, 6, generator=generator)
    return sample, torch.arange(batch) * 100 + 7, torch.randn(batch, 5, 24, generator=generator)
