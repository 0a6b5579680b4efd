"""Which pixels belong together, by depth alone: objects, floor, sky. Ours: the paper has no such part."""

import math
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import avg_pool2d

from makeyourvideo.models.mixing import in_full
from makeyourvideo.models.parallax import floor_line, up_and_right

REACH = 2
"""How many frames before one, and after it, count for it."""
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
_SAME_PLACE, _SAME_SIZE = 0.5, 0.6
"""Which share of the smaller of two the larger must cover for them to be the same, and how small that may be
for all of it to be there."""
_WITHIN = 0.99
"""Which share of a place a segment covers that it lies within."""
_LITTLE = 1e-4


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

    @property
    def are_there(self) -> Tensor:
        """In which pictures any pixel is of something, `(b, 1, 1, 1)`."""
        return torch.cat(self, dim=1).amax(dim=(1, 2, 3), keepdim=True) > 0

    @property
    def counted(self) -> Tensor:
        """How much pixels count as of each segment, 0 to 1, `(b, segments, h, w)`.

        Of what is nearly too small to be looked at nearly nothing.
        """
        whole = torch.cat(self, dim=1)
        return whole * (whole.mean(dim=(2, 3), keepdim=True) / _SMALLEST - 1).clamp(0, 1)

    def means(self, values: Tensor) -> Tensor:
        """Mean of what places have, `(b, c, h/n, w/n)`, over those within each segment: `(b, c, segments)`.

        Of a segment that no place lies within, over what it covers most of; 0 of one that is none.
        """
        whole = torch.cat(self, dim=1)
        shares = avg_pool2d(whole, whole.shape[2] // values.shape[2]).flatten(2)
        most = shares.amax(dim=2, keepdim=True)
        within = shares * (shares >= most.clamp(max=_WITHIN))
        within = within / within.sum(dim=2, keepdim=True).clamp(min=_LITTLE)
        with in_full(values.device):
            return (values.flatten(2).float() @ within.mT).to(values.dtype)

    def over(self, values: Tensor, told: Tensor) -> Tensor:
        """Give every pixel what its segment is told, `(b, c, segments, 1)`, and others their own.

        Args:
            values: what each pixel would have by itself, `(b, c, h, w)`, or each place of several pixels.
            told: of each segment.
        """
        with in_full(values.device):
            whole = self.counted
            whole = avg_pool2d(whole, whole.shape[2] // values.shape[2])
            whole, each = (rearrange(part.float(), "b c h w -> b (h w) c") for part in (whole, values))
            rest = (1 - whole.sum(dim=2, keepdim=True)) * each
            given = torch.baddbmm(rest, whole, told[..., 0].float().mT)
            return rearrange(given, "b (h w) c -> b c h w", h=values.shape[2]).to(values.dtype)

    def over_places(self, values: Tensor, told: Tensor) -> Tensor:
        """The same for all pixels, where those of no segment, which are few, have what their place has.

        Args:
            values: of each place, `(b, c, h/n, w/n)`.
            told: of each segment, `(b, c, segments, 1)`.

        Returns:
            `(b, c, h, w)`.
        """
        with in_full(values.device):
            whole = self.counted
            rows, columns = whole.shape[2:]
            side = rows // values.shape[2]
            whole = rearrange(whole, "b k h w -> b (h w) k")
            given, rest = whole @ told[..., 0].float().mT, 1 - whole.sum(dim=2)
            picture, pixel = (rest > 0).nonzero(as_tuple=True)
            place = pixel // columns // side * values.shape[3] + pixel % columns // side
            own = values.flatten(2)[picture, :, place].float()
            given[picture, pixel] += rest[picture, pixel, None] * own
            return rearrange(given, "b (h w) c -> b c h w", h=rows).to(values.dtype)


def same(common: Tensor, sizes: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find what is of one frame in another.

    Args:
        common: how many pixels each has in common with each of the other's, `(…, k, k)`.
        sizes, others: how many they have, `(…, k)`.

    Returns:
        the number of the most likely, whether it is the same, and whether about as much of it is there: all
        `(…, k)`.
    """
    covered, which = common.max(dim=-1)
    both = torch.stack([sizes, others.gather(-1, which)])
    smaller, larger = both.amin(dim=0), both.amax(dim=0)
    return which, covered > _SAME_PLACE * smaller, smaller > _SAME_SIZE * larger


def shared(told: Tensor, segments: Segments) -> Tensor:
    """Means of what segments of frames in a row are told, `(b, c, segments)`, by `Segments.means`.

    Over those of `REACH` frames before and after each that are the same, and about as much of it.
    """
    with in_full(told.device):
        masks = segments.objects[:, :, ::2, ::2].flatten(2)
        sizes, objects = masks.sum(dim=-1), masks.shape[1]
        is_there = torch.cat([segments.floor, segments.sky], dim=1).amax(dim=(2, 3)) > 0
        whole = told.float()
        sums, count = whole.clone(), torch.ones_like(whole[:, :1])
        for apart in range(1, min(REACH, len(told) - 1) + 1):
            before, after = slice(None, -apart), slice(apart, None)
            for own, other in ((before, after), (after, before)):
                which, is_same, is_whole = same(masks[own] @ masks[other].mT, sizes[own], sizes[other])
                theirs = whole[other, :, :objects].gather(2, which[:, None].expand(-1, told.shape[1], -1))
                theirs = torch.cat([theirs, whole[other, :, objects:]], dim=2)
                counts = torch.cat([is_same & is_whole, is_there[own] & is_there[other]], dim=1)[:, None]
                sums[own] += theirs * counts
                count[own] += counts
        return (sums / count).to(told.dtype)


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
