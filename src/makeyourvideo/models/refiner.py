"""Decoded frames and their depth to sharper frames. Ours: the paper decodes by the autoencoder alone."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle, silu


class Refiner(ModelMixin, ConfigMixin):
    """Residual convolutions over decoded frames beside the depth they were made for.

    A small latent model leaves outlines soft and plain surfaces mottled, while the depth says to the pixel
    where things end. Untrained it changes nothing.

    Args:
        channels: of its layers.
        num_blocks: how many residual blocks there are, of two convolutions each.
        patch_size: so many pixels a side are folded into the channels of its input.
    """

    @register_to_config
    def __init__(self, channels: int = 64, num_blocks: int = 6, patch_size: int = 2) -> None:
        super().__init__()
        self.patch = patch_size
        self.first = _convolution(4 * patch_size**2, channels)
        self.blocks = nn.ModuleList(_Block(channels) for _ in range(num_blocks))
        self.last = nn.Conv2d(channels, 3 * patch_size**2, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, frames: Tensor, depth: Tensor) -> Tensor:
        """Refine each frame by itself.

        Args:
            frames: `(n, 3, height, width)` in [-1, 1].
            depth: `(n, 1, rows, columns)`, normalised as the denoising network is shown it.

        Returns:
            Like `frames`.
        """
        if depth.shape[-2:] != frames.shape[-2:]:
            depth = interpolate(depth, frames.shape[-2:], mode="bilinear")
        seen = torch.cat([frames, depth], dim=1).contiguous(memory_format=torch.channels_last)
        hidden = self.first(pixel_unshuffle(seen, self.patch))
        for block in self.blocks:
            hidden = block(hidden)
        return frames + pixel_shuffle(self.last(silu(hidden)), self.patch)


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _convolution(channels, channels), _convolution(channels, channels)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.conv2(silu(self.conv1(silu(hidden))))


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)
