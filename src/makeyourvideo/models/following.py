"""How the camera heads as objects have it, followed through a clip: what spins turns away from it.

Patterns stay on an object if its points are turned by that. Ours: the paper has no such part.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from makeyourvideo.models.camera import Cameras, shrunk, turned
from makeyourvideo.models.mixing import in_full
from makeyourvideo.models.parallax import floor_line, parallax, up_and_right
from makeyourvideo.models.segments import same, segmented

_RIDGE = 1e-3
"""What is added to normal equations, so that objects move as the camera has it where depth does not tell."""
_TURN_RIDGE = 0.1
"""What is added for turns: those of what is round are told by nothing but noise."""
_FALL = 0.01
"""By how fast a fall, in heights of the camera a frame, twice as much is added: what is fast tells little."""
_NEAR = 0.15
"""How far an object may lie from where it was followed, in halves of the shorter side."""
_BESIDE = 2
"""How many pixels around an object are turned as it is: its outline and feet may be of no object."""


class Followed(NamedTuple):
    """Objects of each frame, by number, `(batch, frames, k, …)`.

    Attributes:
        place: the middle of each, up and to the right in halves of the shorter side, `(…, 2)`.
        size: how many pixels it has; 0 if there is none.
        turn: how much farther to the right the camera has turned as the object has it, in radians.
    """

    place: Tensor
    size: Tensor
    turn: Tensor

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
        objects = segmented(whole.flatten(0, 1)[:, None]).objects
        place, size = (part.unflatten(0, (batch, -1)) for part in _middles(objects))
        masks = objects.unflatten(0, (batch, -1)).flatten(3)
        new = slice(whole.shape[1] - small.shape[1], None)
        common = masks[:, :-1] @ masks[:, 1:].mT
        near = (whole + 1) / 2
        pixels = parallax(near, floor_line(near))
        known = torch.cat([pixels.by_moves, pixels.change[:, None]], dim=1)
        products = (pixels.weight[:, None] * pixels.by_moves)[:, :, None] * known[:, None]
        told = masks[:, :-1].flatten(0, 1) @ products.flatten(1, 2).mT
        told = told.unflatten(0, (batch, -1)).unflatten(3, (4, 5))
        self._parts.append((place[:, new], size[:, new], common, told))

    def followed(self, cameras: Cameras) -> Followed:
        """What was seen, told the cameras of all its frames."""
        place, size, common, told = (torch.cat(parts, dim=1) for parts in zip(*self._parts, strict=True))
        with in_full(size.device):
            turns = _turns_beside(cameras, told)
        before, is_same, is_whole = same(common, size[:, 1:], size[:, :-1])
        turns = turns.gather(2, before) * is_whole  # a part of it tells nothing
        turned_by = [torch.zeros_like(size[:, 0])]
        for kept, origin, turn in zip(is_same.unbind(1), before.unbind(1), turns.unbind(1), strict=True):
            turned_by.append((turned_by[-1].gather(1, origin) + turn) * kept)
        return Followed(place, size, torch.stack(turned_by, dim=1))


def _middles(objects: Tensor) -> tuple[Tensor, Tensor]:
    """The middles of objects `(b, k, h, w)`, up and to the right, `(b, k, 2)`, and their sizes, `(b, k)`."""
    up, right = up_and_right(objects.shape[2], objects.shape[3], objects.device)
    where = torch.stack(torch.broadcast_tensors(up[:, None], right), dim=-1).flatten(0, 1)
    masks = objects.flatten(2)
    size = masks.sum(dim=-1)
    return (masks @ where) / size.clamp(min=1)[..., None], size


def _turns_beside(cameras: Cameras, told: Tensor) -> Tensor:
    """How much more the camera turns to the next frame as objects have it than it does, `(b, f - 1, k)`.

    Args:
        cameras: of all frames.
        told: normal equations of each object, `(b, f - 1, k, 4, 5)`. They are solved in double precision, if
            the device has it: of a face that looks straight at the camera the ridge alone tells falls from
            steps.
    """
    wide = torch.float32 if told.device.type == "mps" else torch.float64
    turns = cameras.heading.diff(dim=1)[..., None]
    steps = turned(cameras.place.diff(dim=1), -cameras.heading[:, :-1]) / cameras.height[:, :-1, None]
    moves = torch.cat([turns, steps, torch.zeros_like(turns)], dim=-1)[:, :, None, :, None].to(wide)
    matrix, vector = told.to(wide).split([4, 1], dim=-1)
    vector = vector - matrix @ moves
    ridge = torch.diag(matrix.new_tensor([_TURN_RIDGE, _RIDGE, _RIDGE, _RIDGE]))
    fall = torch.linalg.solve(matrix + ridge, vector)[..., 3, 0]
    doubt = _TURN_RIDGE * (fall / _FALL).square()
    found = torch.linalg.solve(matrix + ridge + pad(doubt[..., None, None], (0, 3, 0, 3)), vector)
    return found[..., 0, 0].to(told.dtype)


def headings_of(objects: Tensor, followed: Followed, heading: Tensor) -> Tensor:
    """How the camera heads as each pixel has it, `(b, h, w)`: as its object, if it was followed.

    Args:
        objects: which pixels are of which, `(b, k, h, w)`, from `segmented`.
        followed: the objects of these frames, `(b, …)`.
        heading: of the camera, `(b,)`.
    """
    with in_full(objects.device):
        place, _ = _middles(objects)
        apart = torch.cdist(place, followed.place) + 1e3 * (followed.size == 0)[:, None]
        least, nearest = apart.min(dim=2)
        turn = torch.where(least < _NEAR, followed.turn.gather(1, nearest), 0)
        of_none = 1 - objects.sum(dim=1, keepdim=True)
        beside = max_pool2d(objects, 2 * _BESIDE + 1, 1, _BESIDE) * of_none
        near = objects + beside / beside.sum(dim=1, keepdim=True).clamp(min=1)
        return heading[:, None, None] + (near * turn[..., None, None]).sum(dim=1)
