"""Points that are told of objects, made to agree: an object does not bend. Ours: the paper has no such part.

Where on its object a point lies is told for each pixel by itself, a little off here and a little otherwise
there and in the next frame. But how the points lie to each other their depth says exactly.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from makeyourvideo.models.camera import turned
from makeyourvideo.models.mixing import in_full
from makeyourvideo.models.parallax import FOCAL, floor_line, up_and_right
from makeyourvideo.models.segments import REACH, same

_FARTHEST = 0.01
"""The least inverse depth that has a place in space."""
_REFITS = 4
_OFF = 0.2
"""How far off a point may be, in units of its object, to count a quarter; twice as far it stays as it is."""
_AGREEING = (0.5, 0.7)
"""The shares of an object's points that must agree for it to count as one at all, and fully."""
_RIDGE = 1e-4
"""What share of their variance is added, for objects that are flat as they are seen."""
_SAME_WAY = 0.3
"""Which share of the variance of its points what two frames tell of an object may differ by: else one of them
takes a side for another."""


class _Fits(NamedTuple):
    """Moments of each object's points, `(b, k, …)`, by weight: in space, and on their object.

    Attributes:
        middle, mean: the means of both, `(b, k, 1, 3)`.
        spread, joint: covariances in space, and of space with what is told, `(b, k, 3, 3)`.
    """

    middle: Tensor
    mean: Tensor
    spread: Tensor
    joint: Tensor

    def at(self, frames: slice) -> "_Fits":
        return _Fits(*(part[frames] for part in self))

    def of(self, objects: Tensor) -> "_Fits":
        """Those of some objects of each frame, by number, `(b, k)`."""
        chosen = objects[..., None, None]
        return _Fits(*(part.gather(1, chosen.expand(-1, -1, *part.shape[2:])) for part in self))

    @property
    def slopes(self) -> Tensor:
        """The linear part of the map from space to the object, `(b, k, 3, 3)`."""
        ridge = _RIDGE * self.spread.diagonal(dim1=2, dim2=3).sum(dim=-1, keepdim=True) + 1e-9
        spread = self.spread + torch.diag_embed(ridge.expand(*ridge.shape[:2], 3))
        return torch.linalg.solve(spread, self.joint)

    @property
    def maps(self) -> Tensor:
        """The whole of it: what is multiplied by a place and 1, `(b, k, 4, 3)`."""
        slopes = self.slopes
        return torch.cat([slopes, self.mean - self.middle @ slopes], dim=2)


def agreed(
    points: Tensor, depth: Tensor, objects: Tensor, headings: Tensor, in_a_row: bool = False
) -> Tensor:
    """Make points of each object an affine map of where they are in space, where they nearly are one.

    Args:
        points: where on its object each pixel lies, in the object's own frame, `(b, 3, h, w)`.
        depth: inverse depth there, at most 1, `(b, 1, h, w)`. -1 is taken for infinity; where it is nearer,
            space is bent, and less agrees.
        objects: which pixels are of which, `(b, objects, h, w)`, from `segmented`.
        headings: of the camera as each pixel has it, in radians to the right, `(b, h, w)` or `(b, 1, 1)`.
        in_a_row: whether these are frames of one clip: then what is told of an object in frames up to `REACH`
            before and after counts as much as what is told in its own, if it is in both.

    Returns:
        points in single precision.
    """
    with in_full(depth.device):
        masks, told = objects.flatten(2), rearrange(points.float(), "b c h w -> b (h w) c")
        placed = _placed((depth.float() + 1) / 2, headings.float())
        fits, off = _fitted(masks, placed, told)
        least, most = _AGREEING
        share = masks @ (off < 2).float()[..., None] / masks.sum(dim=-1, keepdim=True).clamp(min=1)
        agrees = ((share - least) / (most - least)).clamp(0, 1)
        if in_a_row:
            fits = _shared(fits, masks, agrees[..., 0] > 0)
        change = (_mapped(placed, masks, fits) - told) * (2 - off).clamp(0, 1)[..., None]
    return rearrange(told + change * (masks.mT @ agrees), "b (h w) c -> b c h w", w=points.shape[3])


def _placed(near: Tensor, headings: Tensor) -> Tensor:
    """Where pixels are, to the right, up and ahead of an upright camera that heads 0, and 1: `b n 4`."""
    up, right = up_and_right(near.shape[2], near.shape[3], near.device)
    pitch = floor_line(near).seen_with(FOCAL)[0][..., None]
    far = 1 / near[:, 0].clamp(min=_FARTHEST)
    right, up = far * right / FOCAL, far * up[:, None] / FOCAL
    up, ahead = up * pitch.cos() - far * pitch.sin(), up * pitch.sin() + far * pitch.cos()
    across = turned(torch.stack([right, ahead], dim=-1), headings)
    placed = torch.stack([across[..., 0], up, across[..., 1], torch.ones_like(up)], dim=-1)
    return placed.flatten(1, 2)


def _fitted(masks: Tensor, placed: Tensor, told: Tensor) -> tuple[_Fits, Tensor]:
    """Fit what is told, `b n 3`, of each object, `b k n`, and say how far off each point is, `b n`."""
    products = (placed[..., None] * torch.cat([placed, told], dim=-1)[..., None, :]).flatten(2)
    weight = masks
    for _ in range(_REFITS):
        moments = (weight @ products).unflatten(2, (4, 7))
        moments = moments / moments[..., 3:, 3:4].clamp(min=1e-3)
        middle, mean = moments[..., 3:, :3], moments[..., 3:, 4:]
        fits = _Fits(
            middle, mean, moments[..., :3, :3] - middle.mT @ middle, moments[..., :3, 4:] - middle.mT @ mean
        )
        off = (_mapped(placed, masks, fits) - told).norm(dim=-1) / _OFF
        weight = masks / (1 + off.square()).square()[:, None]
    return fits, off


def _mapped(placed: Tensor, masks: Tensor, fits: _Fits) -> Tensor:
    """Where on their objects points are by the fits, `b n 3`; 0 where there is no object."""
    own = (masks.mT @ fits.maps.flatten(2)).unflatten(2, (4, 3))
    return (placed[..., None] * own).sum(dim=2)


def _shared(fits: _Fits, masks: Tensor, agrees: Tensor) -> _Fits:
    """Means of fits over the frames around each, by objects that are the same before and after it.

    What is told of an object in its own frame does not change as it moves on, and evenly as it turns or comes
    into sight; where in space it is does, and stays as it is.

    Args:
        fits: of frames in a row.
        masks: `(b, k, n)`.
        agrees: whose fit is one, `(b, k)`.
    """
    sums, count = [part.clone() for part in fits[1:]], torch.ones_like(fits.mean[..., :1])
    for apart in range(1, min(REACH, (len(masks) - 1) // 2) + 1):
        middle, sides = slice(apart, -apart), (slice(0, -2 * apart), slice(2 * apart, None))
        theirs, is_there = zip(*(_same(fits, masks, agrees, middle, side) for side in sides), strict=True)
        weight = (is_there[0] & is_there[1])[..., None, None].to(count)
        count[middle] += 2 * weight
        for whole, before, after in zip(sums, *(their[1:] for their in theirs), strict=True):
            whole[middle] += weight * (before + after)
    return _Fits(fits.middle, *(part / count for part in sums))


def _same(fits: _Fits, masks: Tensor, agrees: Tensor, own: slice, other: slice) -> tuple[_Fits, Tensor]:
    """The fits of the same objects in other frames, and whether there they are, `(b, k)`."""
    sizes = masks.sum(dim=-1)
    which, is_same, is_whole = same(masks[own] @ masks[other].mT, sizes[own], sizes[other])
    theirs = fits.at(other).of(which)
    slopes, spread = fits.at(own).slopes, fits.spread[own]
    varies, differs = (((spread @ part) * part).sum(dim=(2, 3)) for part in (slopes, theirs.slopes - slopes))
    is_one = (differs < _SAME_WAY * varies) & agrees[other].gather(1, which)
    return theirs, is_same & is_whole & is_one
