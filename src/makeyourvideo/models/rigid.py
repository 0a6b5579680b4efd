"""Points that are told of objects, made to agree: an object does not bend. Ours: the paper has no such part.

Where on its object a point lies is told for each pixel by itself, a little off here and a little otherwise
there and in the next frame. But how the points lie to each other their depth says exactly.
"""

import torch
from einops import rearrange
from torch import Tensor

from makeyourvideo.models.mixing import in_full
from makeyourvideo.models.parallax import FOCAL, floor_line, up_and_right

_OBJECTS = 8
"""How many objects of a picture are looked at, the largest first."""
_SMALLEST = 0.006
"""The least share of a picture that an object covers."""
_ABOVE = (0.01, 0.02)
"""How much nearer than the floor an object is: in depth, and as a share of it."""
_STEP = 0.08
"""By which share of their depth neighbouring pixels of one object may differ."""
_SPREADS = 24
"""How often a pixel takes over the number of its neighbours', and that of the pixel so numbered."""
_REFITS = 4
_OFF = 0.15
"""How far off a point may be, in units of its object, to count a quarter; twice as far it disagrees."""
_AGREEING = 0.6
"""The least share of an object's points that must agree for it to be one object."""
_RIDGE = 1e-4
"""What share of their variance is added, for objects that are flat as they are seen."""


def agreed(points: Tensor, depth: Tensor) -> Tensor:
    """Make points of each object an affine map of where they are in space, where they nearly are one.

    Objects are what is connected in depth above the floor; where there is no floor nothing changes.

    Args:
        points: where on its object each pixel lies, `(b, 3, h, w)`.
        depth: inverse depth there, -1 at infinity and at most 1, `(b, 1, h, w)`.
    """
    with in_full(depth.device):
        near = (depth[:, 0].float() + 1) / 2
        up, right = up_and_right(near.shape[1], near.shape[2], near.device)
        line = floor_line(near[:, None])
        floor = (line.steepness * (line.horizon - up)).clamp(min=0)[..., None]
        above = (near - floor > _ABOVE[0] + _ABOVE[1] * near) & line.found[..., None]
        far = 1 / near.clamp(min=_ABOVE[0])
        space = torch.stack([far * right / FOCAL, far * up[:, None] / FOCAL, far], dim=1)
        objects = _objects(near, above).flatten(2)
        told = points.float().flatten(2).mT
        fitted, agrees = _fitted(objects, space.flatten(2).mT, told)
        kept = objects * agrees[..., None]
        whole = (kept[..., None] * fitted).sum(dim=1) + (1 - kept.sum(dim=1))[..., None] * told
    return rearrange(whole, "b (h w) c -> b c h w", w=points.shape[3]).to(points.dtype)


def _objects(near: Tensor, above: Tensor) -> Tensor:
    """Which pixels are of which object: 0 or 1, `(b, _OBJECTS, h, w)`, all 0 for what is too small."""
    batch, rows, columns = near.shape
    number = torch.arange(rows * columns, device=near.device).view(1, rows, columns).repeat(batch, 1, 1)
    links = [_linked(near, above, axis) for axis in (1, 2)]
    for _ in range(_SPREADS):
        for axis, linked in zip((1, 2), links, strict=True):
            size = linked.shape[axis]
            before, after = number.narrow(axis, 0, size), number.narrow(axis, 1, size)
            higher = torch.where(linked, torch.maximum(before, after), -1)
            for start in (0, 1):
                part = number.narrow(axis, start, size)
                part.copy_(torch.maximum(part, higher))
        number = number.flatten(1).gather(1, number.flatten(1)).view_as(number)
    number = torch.where(above, number, -1).flatten(1)
    counts = torch.zeros(batch, rows * columns, device=near.device)
    counts.scatter_add_(1, number.clamp(min=0), (number >= 0).float())
    largest, chosen = counts.topk(_OBJECTS)
    chosen = torch.where(largest >= _SMALLEST * rows * columns, chosen, -2)
    return (number[:, None] == chosen[..., None]).float().view(batch, -1, rows, columns)


def _linked(near: Tensor, above: Tensor, axis: int) -> Tensor:
    """Whether pixels and those after them, down (axis 1) or to the right (2), are of one object."""
    size = near.shape[axis] - 1
    (one, other), both = ([part.narrow(axis, start, size) for start in (0, 1)] for part in (near, above))
    return both[0] & both[1] & ((one - other).abs() < _STEP * torch.maximum(one, other))


def _fitted(objects: Tensor, space: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
    """Fit what is told, `b n 3`, by where it is in space, `b n 3`, for each object, `b k n`.

    Returns:
        what fits, `b k n 3`, and 1 for objects with which nearly all points agree, `b k`, else 0.
    """
    count = objects.sum(dim=-1)
    weight = objects
    for _ in range(_REFITS):
        whole = weight.sum(dim=-1, keepdim=True).clamp(min=1e-3)
        middle, mean = ((weight @ part / whole)[:, :, None] for part in (space, told))
        away = space[:, None] - middle
        weighted = (weight / whole)[..., None] * away
        spread = weighted.mT @ away
        ridge = _RIDGE * spread.diagonal(dim1=2, dim2=3).sum(dim=-1) + 1e-9
        spread = spread + torch.diag_embed(ridge[..., None].expand(*ridge.shape, 3))
        by_space = torch.linalg.solve(spread, weighted.mT @ (told[:, None] - mean))
        fitted = mean + away @ by_space
        off = (told[:, None] - fitted).norm(dim=-1)
        weight = objects / (1 + (off / _OFF).square()).square()
    agreeing = (objects * (off < 2 * _OFF)).sum(dim=-1)
    return fitted, (agreeing > _AGREEING * count).float()
