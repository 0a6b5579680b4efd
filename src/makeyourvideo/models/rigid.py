"""Points that are told of objects, made to agree: an object does not bend. Ours: the paper has no such part.

Where on its object a point lies is told for each pixel by itself, a little off here and a little otherwise
there and in the next frame. But how the points lie to each other their depth says exactly.
"""

import torch
from einops import rearrange
from torch import Tensor

from makeyourvideo.models.mixing import in_full
from makeyourvideo.models.parallax import FOCAL, up_and_right

_FARTHEST = 0.01
"""The least inverse depth that has a place in space."""
_REFITS = 4
_OFF = 0.2
"""How far off a point may be, in units of its object, to count a quarter; twice as far it stays as it is."""
_AGREEING = (0.5, 0.7)
"""The shares of an object's points that must agree for it to count as one at all, and fully."""
_RIDGE = 1e-4
"""What share of their variance is added, for objects that are flat as they are seen."""


def agreed(points: Tensor, depth: Tensor, objects: Tensor) -> Tensor:
    """Make points of each object an affine map of where they are in space, where they nearly are one.

    Args:
        points: where on its object each pixel lies, `(b, 3, h, w)`.
        depth: inverse depth there, at most 1, `(b, 1, h, w)`. -1 is taken for infinity; where it is nearer,
            space is bent, and less agrees.
        objects: which pixels are of which, `(b, objects, h, w)`, from `segmented`.

    Returns:
        points in single precision.
    """
    with in_full(depth.device):
        near = (depth[:, 0].float() + 1) / 2
        up, right = up_and_right(near.shape[1], near.shape[2], near.device)
        far = 1 / near.clamp(min=_FARTHEST)
        space = torch.stack([far * right / FOCAL, far * up[:, None] / FOCAL, far], dim=1)
        told = rearrange(points.float(), "b c h w -> b (h w) c")
        changes = _changes(objects.flatten(2), rearrange(space, "b c h w -> b (h w) c"), told)
    return rearrange(told + changes, "b (h w) c -> b c h w", w=points.shape[3])


def _changes(objects: Tensor, space: Tensor, told: Tensor) -> Tensor:
    """What takes points that are told, `b n 3`, to an affine map of `space`, `b n 3`, of their own object.

    Args:
        objects: `(b, k, n)`.
        space: where they are.
        told: where on their objects.

    Returns:
        `(b, n, 3)`; 0 for points that are too far off, and for objects most of whose points are.
    """
    placed = torch.cat([space, torch.ones_like(space[..., :1])], dim=-1)
    products = (placed[..., None] * torch.cat([placed, told], dim=-1)[..., None, :]).flatten(2)
    weight = objects
    for _ in range(_REFITS):
        moments = (weight @ products).unflatten(2, (4, 7))
        moments = moments / moments[..., 3:, 3:4].clamp(min=1e-3)
        middle, mean = moments[..., 3:, :3], moments[..., 3:, 4:]
        spread = moments[..., :3, :3] - middle.mT @ middle
        ridge = _RIDGE * spread.diagonal(dim1=2, dim2=3).sum(dim=-1, keepdim=True) + 1e-9
        spread = spread + torch.diag_embed(ridge.expand(*ridge.shape[:2], 3))
        by_space = torch.linalg.solve(spread, moments[..., :3, 4:] - middle.mT @ mean)
        map_of = torch.cat([by_space, mean - middle @ by_space], dim=2)
        own = (objects.mT @ map_of.flatten(2)).unflatten(2, (4, 3))
        change = (placed[..., None] * own).sum(dim=2) - told
        off = change.norm(dim=-1) / _OFF
        weight = objects / (1 + off.square()).square()[:, None]
    count = objects.sum(dim=-1, keepdim=True).clamp(min=1)
    share = objects @ (off < 2).float()[..., None] / count
    least, most = _AGREEING
    agrees = objects.mT @ ((share - least) / (most - least)).clamp(0, 1)
    return change * agrees * (2 - off).clamp(0, 1)[..., None]
