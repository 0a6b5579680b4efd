"""How the camera heads as objects have it, followed through a clip: what spins turns away from it.

Patterns stay on an object if its points are turned by that. Ours: the paper has no such part.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from makeyourvideo.models.camera import Cameras, shrunk, turned
from makeyourvideo.models.mixing import in_full
from makeyourvideo.models.parallax import floor_line, parallax, up_and_right
from makeyourvideo.models.segments import segmented

_SAME_PLACE, _SAME_SIZE = 0.5, 0.6
"""Which share of the smaller of two the larger must cover, and how small that may be, for them to be the same
object."""
_RIDGE = 1e-3
"""What is added to normal equations, so that objects move as the camera has it where depth does not tell."""
_TURN_RIDGE = 0.1
"""What is added for turns: those of what is round are told by nothing but noise."""
_FALL = 0.01
"""By how fast a fall, in heights of the camera a frame, twice as much is added: what is fast tells little."""
_NEAR = 0.15
"""How far an object may lie from where it was followed, in halves of the shorter side."""


class Followed(NamedTuple):
    """Objects of each frame, by number, `(batch, frames, k, …)`.

    Attributes:
        place: the middle of each, up and to the right in halves of the shorter side, `(…, 2)`.
        size: how many pixels it has; 0 if there is none.
        heading: of the camera as the object has it, in radians to the right.
    """

    place: Tensor
    size: Tensor
    heading: Tensor

    def at(self, frames: slice) -> "Followed":
        """Return those of some frames."""
        return Followed(*(part[:, frames] for part in self))


class Follower:
    """Sees a clip in parts, as the camera estimator does, and then says how its objects turned."""

    def __init__(self) -> None:
        self._last: Tensor | None = None
        self._parts: list[tuple[Tensor, ...]] = []

    def watch(self, depths: Iterable[Tensor]) -> Iterator[Tensor]:
        """Pass parts of a clip on, inverse depth `(batch, frames, h, w)` of -1, at infinity, to 1."""
        for depth in depths:
            small = shrunk(depth.float())
            with in_full(depth.device):
                self._see(small)
            yield depth

    def _see(self, small: Tensor) -> None:
        batch = len(small)
        whole = small if self._last is None else torch.cat([self._last, small], dim=1)
        self._last = whole[:, -1:]
        masks = segmented(whole.flatten(0, 1)[:, None]).objects.unflatten(0, (batch, -1)).flatten(3)
        up, right = up_and_right(whole.shape[2], whole.shape[3], whole.device)
        where = torch.stack(torch.broadcast_tensors(up[:, None], right), dim=-1).flatten(0, 1)
        size = masks.sum(dim=-1)
        place = (masks @ where) / size.clamp(min=1)[..., None]
        new = slice(whole.shape[1] - small.shape[1], None)
        common = masks[:, :-1] @ masks[:, 1:].mT
        near = (whole + 1) / 2
        pixels = parallax(near, floor_line(near))
        weight = pixels.weight[:, None] * masks[:, :-1].flatten(0, 1)
        by_moves = pixels.by_moves[:, None]
        known = torch.cat([by_moves, pixels.change[:, None, None]], dim=2)
        told = ((weight[:, :, None] * by_moves) @ known.mT).unflatten(0, (batch, -1))
        self._parts.append((place[:, new], size[:, new], common, told))

    def followed(self, cameras: Cameras) -> Followed:
        """What was seen, told the cameras of all its frames."""
        place, size, common, told = (torch.cat(parts, dim=1) for parts in zip(*self._parts, strict=True))
        turns = cameras.heading.diff(dim=1)
        steps = turned(cameras.place.diff(dim=1), -cameras.heading[:, :-1]) / cameras.height[:, :-1, None]
        moves = torch.cat([turns[..., None], steps, torch.zeros_like(turns)[..., None]], dim=-1)
        own_turns = turns[..., None] + _turns_beside(moves[:, :, None], told)
        covered, before = common.max(dim=2)
        sizes = torch.stack([size[:, 1:], size[:, :-1].gather(2, before)])
        smaller, larger = sizes.amin(dim=0), sizes.amax(dim=0)
        is_same = (covered > _SAME_PLACE * smaller) & (smaller > _SAME_SIZE * larger)
        headings = [cameras.heading[:, :1].expand_as(size[:, 0])]
        for frame in range(size.shape[1] - 1):
            followed = (headings[-1] + own_turns[:, frame]).gather(1, before[:, frame])
            new = cameras.heading[:, frame + 1, None]
            headings.append(torch.where(is_same[:, frame], followed, new))
        return Followed(place, size, torch.stack(headings, dim=1))


def _turns_beside(moves: Tensor, told: Tensor) -> Tensor:
    """How much more objects turn than the camera, that moves so, has it: `(b, f, k)`.

    Args:
        moves: `(b, f, 1, 4)`, see `Parallax`.
        told: normal equations of each object, `(b, f, k, 4, 5)`.
    """
    matrix, vector = told[..., :4], told[..., 4]
    vector = vector - (matrix @ moves[..., None])[..., 0]
    ridge = torch.diag(told.new_tensor([_TURN_RIDGE, _RIDGE, _RIDGE, _RIDGE]))
    fall = torch.linalg.solve(matrix + ridge, vector)[..., 3]
    doubt = _TURN_RIDGE * (fall / _FALL).square()
    return torch.linalg.solve(matrix + ridge + pad(doubt[..., None, None], (0, 3, 0, 3)), vector)[..., 0]


def headings_of(objects: Tensor, followed: Followed, heading: Tensor) -> Tensor:
    """How the camera heads as each pixel has it, `(b, h, w)`: as its object, if it was followed.

    Args:
        objects: which pixels are of which, `(b, k, h, w)`, from `segmented`.
        followed: the objects of these frames, `(b, …)`.
        heading: of the camera, `(b,)`.
    """
    rows, columns = objects.shape[2:]
    up, right = up_and_right(rows, columns, objects.device)
    where = torch.stack(torch.broadcast_tensors(up[:, None], right), dim=-1).flatten(0, 1)
    masks = objects.flatten(2)
    place = (masks @ where) / masks.sum(dim=-1, keepdim=True).clamp(min=1)
    apart = torch.cdist(place, followed.place) + 1e3 * (followed.size == 0)[:, None]
    least, nearest = apart.min(dim=2)
    own = torch.where(least < _NEAR, followed.heading.gather(1, nearest), heading[:, None])
    change = (masks.mT @ (own - heading[:, None])[..., None])[..., 0]
    return heading[:, None, None] + change.unflatten(1, (rows, columns))
