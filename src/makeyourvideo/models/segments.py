"""Which pixels belong together, by depth alone: objects, floor, sky. Ours: the paper has no such part."""

import math
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from makeyourvideo.models.mixing import in_full
from makeyourvideo.models.parallax import floor_line, up_and_right

_OBJECTS = 8
"""How many objects of a picture are looked at, the largest first."""
_SMALLEST = 0.006
"""The least share of a picture that an object covers."""
_ABOVE = (0.005, 0.01)
"""How much nearer than the floor an object is: in depth, and as a share of it."""
_NOISE = 3
"""By how many standard deviations of what is random in depth it is nearer still."""
_STEP = 0.08
"""By which share of their depth neighbouring pixels of one object may differ."""
_SPREADS = 16
"""How often pixels take over the number of their neighbours, and of the pixel so numbered."""
_NORMAL_MEDIAN = 0.6745
"""Of what is normally distributed, without its sign, in standard deviations."""
_LITTLE = 1e-4
"""What each pixel counts at least."""


class Segments(NamedTuple):
    """Which pixels are of what, 0 or 1; where there is no floor none are of anything.

    Attributes:
        objects: what is connected above the floor, the largest first, `(b, objects, h, w)`.
        floor: `(b, 1, h, w)`.
        sky: what is neither, above the horizon; a far wall, too, if it is the farthest; `(b, 1, h, w)`.
    """

    objects: Tensor
    floor: Tensor
    sky: Tensor

    def evened(self, values: Tensor, floorlike: Tensor) -> Tensor:
        """Give every pixel of a segment the same of `values`, `(b, c, h, w)`: their mean, by weight.

        Args:
            values: what each pixel would have by itself.
            floorlike: how likely it is of the floor, `(b, 1, h, w)`: what is not counts little for the floor,
                and for all else what is.
        """
        with in_full(values.device):
            whole, each = torch.cat(self, dim=1), rearrange(values.float(), "b c h w -> b (h w) c")
            thing, floor = 1 - floorlike.float(), floorlike.float()
            likely = torch.cat([thing.expand_as(self.objects), floor, thing], dim=1)
            weights = (whole * (likely.clamp(0, 1).square() + _LITTLE)).flatten(2)
            weights = weights / weights.sum(dim=2, keepdim=True).clamp(min=_LITTLE)
            # what is nearly too small to be looked at is given nearly what it has
            whole = whole * (whole.mean(dim=(2, 3), keepdim=True) / _SMALLEST - 1).clamp(0, 1)
            whole = rearrange(whole, "b k h w -> b (h w) k")
            evened = torch.baddbmm((1 - whole.sum(dim=2, keepdim=True)) * each, whole, weights @ each)
            return rearrange(evened, "b (h w) c -> b c h w", h=values.shape[2]).to(values.dtype)


def segmented(depth: Tensor) -> Segments:
    """Segment inverse depth `(b, 1, h, w)` of -1, at infinity, to 1."""
    with in_full(depth.device):
        near = (depth[:, 0].float() + 1) / 2
        rows, columns = near.shape[1:]
        up, _ = up_and_right(rows, columns, near.device)
        line = floor_line(near[:, None])
        ground = (line.steepness * (line.horizon - up)).clamp(min=0)[..., None]
        least = _ABOVE[0] + _ABOVE[1] * near + _NOISE * _noise(near)[:, None, None]
        above = (near - ground > least) & line.found[..., None]
        objects = _connected(near, above)
        rest = ~above & line.found[..., None]
        floor, sky = (rest & part for part in (ground > 0, ground <= 0))
    return Segments(objects, floor[:, None].float(), sky[:, None].float())


def _noise(near: Tensor) -> Tensor:
    """The standard deviation of what is random in depth, `(b, h, w)`: `(b,)`; 0 of depth that is exact.

    From the median of second differences: nearly all of them lie within surfaces, where they are small.
    """
    bends = near[..., 2:] - 2 * near[..., 1:-1] + near[..., :-2]
    return bends.abs().flatten(1).median(dim=1).values / (_NORMAL_MEDIAN * math.sqrt(6))


def _connected(near: Tensor, above: Tensor) -> Tensor:
    """What is connected `above` the floor, `(b, h, w)`: 0 or 1, `(b, _OBJECTS, h, w)`."""
    batch, rows, columns = near.shape
    number = torch.arange(rows * columns, device=near.device).view(1, rows, columns).repeat(batch, 1, 1)
    links = [_linked(near, above, axis) for axis in (1, 2)]
    for _ in range(_SPREADS):
        before = number.flatten(1).clone()
        for axis, linked in zip((1, 2), links, strict=True):
            size = linked.shape[axis]
            pair = [number.narrow(axis, start, size) for start in (0, 1)]
            higher = torch.where(linked, torch.maximum(*pair), -1)
            for part in pair:
                part.copy_(torch.maximum(part, higher))
        roots = number.flatten(1).scatter_reduce(1, before, number.flatten(1), "amax")
        number = roots.gather(1, roots).view_as(number)
    number = torch.where(above, number, -1).flatten(1)
    counts = torch.zeros(batch, rows * columns, device=near.device)
    counts.scatter_add_(1, number.clamp(min=0), (number >= 0).float())
    largest, chosen = counts.topk(min(_OBJECTS, rows * columns))
    chosen = torch.where(largest >= _SMALLEST * rows * columns, chosen, -2)
    return (number[:, None] == chosen[..., None]).float().unflatten(2, (rows, columns))


def _linked(near: Tensor, above: Tensor, axis: int) -> Tensor:
    """Whether pixels and those after them, down (axis 1) or to the right (2), are of one object."""
    size = near.shape[axis] - 1
    (one, other), both = ([part.narrow(axis, start, size) for start in (0, 1)] for part in (near, above))
    return both[0] & both[1] & ((one - other).abs() < _STEP * torch.maximum(one, other))
