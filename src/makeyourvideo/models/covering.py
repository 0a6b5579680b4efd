"""What surfaces are covered with, told points on them. Ours: the paper has no such part."""

from collections.abc import Iterable, Sequence

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import linear, max_pool2d, normalize

from makeyourvideo.models.mixing import in_full, slope_within

_FACTORS = 3
"""How many waves are multiplied in a pattern."""
_WAVE_NUMBERS = (0.9, 4.0)
"""Logarithms of the least and largest wave number to begin with, in radians a unit or metre."""
_PACE = 30.0
"""What waves are multiplied by, so that their numbers can be learnt as fast as everything else."""
_POINTS = 8192
"""How many points are covered at once: what is computed on the way, then, stays in the cache."""
_EDGE = 3.0
"""How steeply patterns go from one side of an edge to the other."""

_UNEVEN = 0.1
"""By how much of [-1, 1] what covers neighbouring pixels differs where they are looked at more closely."""
_SAMPLES = ((-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125))
"""Where within a pixel, to the right and down from its middle: no two in one row or column."""


class Covering(nn.Module):
    """What a surface is covered with at a point of it: patterns of all kinds, and how much there is of each.

    Products of waves (Fathony et al. 2021, Multiplicative Filter Networks, equation 6) are bent twice:
    stripes, tiles and joints have edges, and waves have none.

    Args:
        channels: width of what is known of a surface.
        dimensions: of a point.
        patterns: how many there are.
        width: how many waves a product takes one of its factors from; half of them run along axes and
            diagonals to begin with.
        asking: how many times as many hidden units as patterns decide how much there is of each.
    """

    def __init__(
        self, channels: int, dimensions: int = 3, patterns: int = 64, width: int = 96, asking: int = 2
    ) -> None:
        super().__init__()
        self.asking = nn.Sequential(
            nn.Conv2d(channels, asking * patterns, 1),
            nn.GELU(),
            nn.Conv2d(asking * patterns, patterns, 1),
        )
        self.waves = nn.ModuleList(nn.Conv2d(dimensions, width, 1) for _ in range(_FACTORS))
        self.mix = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(_FACTORS - 1))
        self.edges = nn.Conv2d(width, patterns, 1)
        self.patterns = nn.Conv2d(patterns, patterns, 1)
        self.albedo = nn.Conv2d(patterns, 3, 1)
        grid = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0])] * dimensions)
        lines = grid[len(grid) // 2 + 1 :]  # axes and diagonals, each once
        along = lines[torch.arange(width // 2) % len(lines)]
        with torch.no_grad():
            for waves in self.waves:
                assert isinstance(waves, nn.Conv2d)
                directions = normalize(torch.cat([torch.randn(width - len(along), dimensions), along]), dim=1)
                numbers = torch.exp(torch.empty(width, 1).uniform_(*_WAVE_NUMBERS)) / _PACE
                waves.weight.copy_((directions * numbers)[:, :, None, None])

    def forward(self, asked: Tensor, points: Tensor) -> Tensor:
        """Cover: how much there is of each pattern, `b p h w`, and points, `b d h w`, to albedo, `b 3 h w`.

        There may be as much of each everywhere, `b p 1 1`. The albedo is in [-1, 1] or a little beyond.
        """
        height, width = points.shape[2:]
        parts = (_rows(part.expand(-1, -1, height, width)).split(_POINTS) for part in (asked, points))
        covered = torch.cat([self._covered(*part) for part in zip(*parts, strict=True)])
        return rearrange(covered, "(b h w) c -> b c h w", h=height, w=width)

    def in_part(self, asked: Tensor, points: Tensor, share: Tensor, antialias: bool = False) -> Tensor:
        """The same times the `share` of it, `b 1 h w`; where that is 0 nothing is computed.

        Where patterns are finer than pixels, or have an edge there, `antialias` has it be the mean of four
        points in a pixel (rotated grid supersampling).
        """
        rows, middles = _rows(asked), _rows(points)
        chosen = _chosen(share != 0)
        found = self._mean(rows[chosen], [middles[chosen]])
        whole = found.new_zeros(len(rows), 3).index_copy(0, chosen, found)
        if antialias:
            height, width = share.shape[2:]
            alone = rearrange(whole, "(b h w) c -> b c h w", h=height, w=width)
            chosen = _chosen(_uneven(alone, share > 0.5))
            across, down = (_rows(slope_within(points, axis))[chosen] for axis in (3, 2))
            places = [middles[chosen] + right * across + below * down for right, below in _SAMPLES]
            whole = whole.index_copy(0, chosen, self._mean(rows[chosen], places))
        return rearrange(whole, "(b h w) c -> b c h w", h=share.shape[2], w=share.shape[3]) * share

    def _mean(self, asked: Tensor, places: Sequence[Tensor]) -> Tensor:
        """Cover `n p` by the mean over several points of each, `n d`: `n 3`."""
        means = [
            torch.stack([self._covered(some, points) for points in each]).mean(dim=0)
            for some, *each in zip(*(part.split(_POINTS) for part in (asked, *places)), strict=True)
        ]
        return torch.cat(means)

    def _covered(self, asked: Tensor, points: Tensor) -> Tensor:
        """The same for `n p` and `n d`, to `n 3`."""
        times, bent = (Tensor.mul, Tensor.tanh) if torch.is_grad_enabled() else (Tensor.mul_, Tensor.tanh_)
        patterns, *others = _waved(self.waves, points).to(asked.dtype).chunk(_FACTORS, dim=1)
        for mix, factor in zip(self.mix, others, strict=True):
            patterns = times(_each(mix, patterns), factor)
        for bend in (self.edges, self.patterns):
            patterns = bent(_each(bend, patterns, _EDGE))
        return _each(self.albedo, times(patterns, asked))


def _rows(pictures: Tensor) -> Tensor:
    return rearrange(pictures, "b c h w -> (b h w) c")


def _chosen(some: Tensor) -> Tensor:
    """Which rows of pixels; on a device that holds no numbers half of them, as floor and things go."""
    if some.is_meta:
        return torch.arange(some.numel() // 2, device=some.device)
    return some.flatten().nonzero()[:, 0]


def _uneven(covered: Tensor, own: Tensor) -> Tensor:
    """Where colours, `b 3 h w`, differ from those next to them, of `own` pixels and as those: `b 1 h w`."""
    most, least = (max_pool2d(torch.where(own, part, -2), 3, 1, 1) for part in (covered, -covered))
    return own & ((most + least).amax(dim=1, keepdim=True) > _UNEVEN)


def _each(layer: nn.Module, rows: Tensor, times: float = 1) -> Tensor:
    """A convolution of one pixel, for rows of pixels: of how many differs, and oneDNN keeps code for each."""
    weight, bias = layer.parameters()
    return linear(rows, times * weight.flatten(1), times * bias)


def _waved(waves: Iterable[nn.Module], points: Tensor) -> Tensor:
    """Sines over points, in their precision: far points are many waves off, which half precision loses."""
    parts = zip(*(factor.parameters() for factor in waves), strict=True)
    weight, bias = (torch.cat(part).to(points.dtype) * _PACE for part in parts)
    sine = torch.sin if torch.is_grad_enabled() else torch.sin_
    with in_full(points.device):
        return sine(linear(points, weight.flatten(1), bias))
