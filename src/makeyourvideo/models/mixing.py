"""What the small networks that look at depth have in common."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

_SAME_SURFACE = 0.25
"""By which share steps to both sides of a pixel may differ if it lies within a surface."""


def slopes(depth: Tensor) -> tuple[Tensor, Tensor]:
    """How depth, `b 1 y x`, changes a pixel, to the right and down."""
    framed = pad(depth, (1, 1, 1, 1), mode="replicate")
    across = (framed[:, :, 1:-1, 2:] - framed[:, :, 1:-1, :-2]) / 2
    down = (framed[:, :, 2:, 1:-1] - framed[:, :, :-2, 1:-1]) / 2
    return across, down


def slope_within(values: Tensor, axis: int, reach: int = 1) -> Tensor:
    """How values, `b c y x`, change a pixel along an axis, as steps of `reach` pixels tell.

    At an edge, to the side that belongs to the same surface.
    """
    size = values.shape[axis] - reach
    steps = (values.narrow(axis, reach, size) - values.narrow(axis, 0, size)) / reach
    first, last = ([steps.narrow(axis, place, 1)] * reach for place in (0, size - 1))
    before, after = torch.cat([*first, steps], dim=axis), torch.cat([steps, *last], dim=axis)
    alike = (before - after).abs() < _SAME_SURFACE * (before.abs() + after.abs())
    smaller = torch.where(before.abs() < after.abs(), before, after)
    return torch.where(alike, (before + after) / 2, smaller)


def in_full(device: torch.device) -> AbstractContextManager[object]:
    """Compute in the precision of what is given, within autocast, too."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


class Mixing(nn.Module):
    """A residual: a wide convolution of each channel alone, then two layers of each place alone.

    Args:
        channels: width.
        reach: how far the convolution sees to each side, in rows and columns.
    """

    def __init__(self, channels: int, reach: tuple[int, int] = (3, 3)) -> None:
        super().__init__()
        rows, columns = reach
        size = (2 * rows + 1, 2 * columns + 1)
        self.around = nn.Conv2d(channels, channels, size, padding=reach, groups=channels)
        self.norm = nn.GroupNorm(1, channels)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map `b c h w` to the same."""
        return hidden + self.narrow(gelu(self.widen(self.norm(self.around(hidden)))))
