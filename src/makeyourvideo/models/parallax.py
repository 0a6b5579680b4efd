"""What geometry alone says of a camera above a plain floor: where the horizon is, and how it may have moved.

All of depth here is inverse depth `b f y x`, 0 at infinity and at most 1. Pixels are told by how far they are
up and to the right of the picture's middle, in halves of its shorter side. The camera stands upright, so the
depth of a floor is a straight line from row to row, and meets 0 at the horizon.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import max_pool2d

from makeyourvideo.models.mixing import slopes

FOCAL = 1.5
"""The focal length that motion is seen with, in halves of the shorter side: that of a usual lens."""
_PAIR = 16
"""Lines are drawn through rows that are the picture's height, divided by this, apart."""
_NEAR_LINE = 0.005
"""How far off a line, in depth, a row may be to count as of the floor; later a third of it."""
_FAINT = 0.01
"""The least depth of a row of floor, and the least steepness of a floor."""
_REFITS = 12
"""How often a line is fitted again, to the rows that lie near it."""
_FITTING = 0.3
"""The least share of the rows below the horizon that must be of the floor."""
_USUAL_HORIZON = 0.5
"""How far up the horizon is where no floor tells it: a usual lens looks down by 0.32."""
_EDGE = 0.05
"""A jump of depth around a pixel by which it counts half: what is behind comes into sight there."""
_ABOVE = 0.01
"""How much nearer than the floor a pixel counts half: the floor itself tells no move, and never falls."""
_DISAGREEING = 0.005
"""An error of depth by which a pixel counts a quarter."""
_RIDGE = 3e-5
"""What is added to normal equations, so that what nothing tells is told as 0."""
_RIDGE_SHARE = 1e-6
"""What share of their trace is added, so that they can be solved in single precision."""
_REWEIGHTINGS = 3
"""How often pixels are weighted anew."""


class FloorLine(NamedTuple):
    """The floor's depth in each frame of a batch: `steepness * (horizon - up)`, all `(batch, frames)`.

    Attributes:
        horizon: how far up it is.
        steepness: of the depth.
        found: whether there is a floor; where there is none, a usual one is told.
    """

    horizon: Tensor
    steepness: Tensor
    found: Tensor

    def held(self) -> "FloorLine":
        """The same, and where it was lost that of the last frame which has one, or of the first that does."""
        frames = torch.arange(self.found.shape[1], device=self.found.device)
        latest = torch.where(self.found, frames, -1).cummax(dim=1).values
        first = self.found.int().argmax(dim=1, keepdim=True)
        chosen = torch.where(latest < 0, first, latest)
        return FloorLine(*(part.gather(1, chosen) for part in self))

    def seen_with(self, focal: Tensor | float) -> tuple[Tensor, Tensor]:
        """How far cameras of a lens look down, in radians, and the depth of what is their height away."""
        pitch = torch.atan(self.horizon / focal)
        return pitch, self.steepness * focal / pitch.cos()


def floor_line(depth: Tensor) -> FloorLine:
    """Find the line that the least depth of each row, of `b f y x`, follows: what stands there is nearer."""
    rows = depth.shape[2]
    up, _ = up_and_right(rows, depth.shape[3], depth.device)
    least = depth.amin(dim=3)
    apart = max(1, rows // _PAIR)
    above, below = least[..., :-apart], least[..., apart:]
    slope = (above - below) / (up[:-apart] - up[apart:])
    start = above - slope * up[:-apart]
    line = start[..., None] + slope[..., None] * up
    off = least[..., None, :] - line.clamp(min=0)
    # nothing lies beneath a floor: a row that does speaks against it twice as much as one on it speaks for it
    votes = ((off.abs() < _NEAR_LINE) & (line > 0)).sum(dim=-1) - 2 * (off < -_NEAR_LINE).sum(dim=-1)
    votes = torch.where((above > _FAINT / 2) & (slope < 0), votes, -3 * rows)  # fewer than any line has
    best = votes.argmax(dim=-1, keepdim=True)
    start, slope = start.gather(-1, best), slope.gather(-1, best)
    for refit in range(_REFITS):
        line = start + slope * up
        near = _NEAR_LINE if refit < _REFITS // 2 else _NEAR_LINE / 3
        weight = ((line > 0) & (least > _FAINT)) / (1 + ((least - line) / near).square()).square()
        whole = weight.sum(dim=-1, keepdim=True).clamp(min=1e-6)
        middle, mean = ((weight * part).sum(dim=-1, keepdim=True) / whole for part in (up, least))
        spread = (weight * (up - middle).square()).sum(dim=-1, keepdim=True)
        slope = (weight * (up - middle) * (least - mean)).sum(dim=-1, keepdim=True) / spread.clamp(min=1e-6)
        start = mean - slope * middle
    share = weight.sum(dim=-1) / (start + slope * up > 0).sum(dim=-1).clamp(min=1)
    start, slope = start[..., 0], slope[..., 0]
    found = (share > _FITTING) & (slope < -_FAINT)
    usual = least[..., -1].clamp(min=_FAINT) / (1 + _USUAL_HORIZON)
    horizon = torch.where(found, -start / torch.where(found, slope, 1), _USUAL_HORIZON)
    return FloorLine(horizon, torch.where(found, -slope, usual), found)


class Parallax(NamedTuple):
    """What each pixel says of a camera's move to the next frame: `move @ by_moves = change`.

    Of what stands still all pixels say the same, and so do those of what rises or falls.

    Attributes:
        by_moves: how depth changes, `(n, 4, pixels)`, by a turn of the camera to the right in radians, by its
            steps to the right and ahead, and by a fall of what is seen, those in heights of the camera.
        change: of depth, beside what the floor's line explains, `(n, pixels)`.
        weight: `(n, pixels)`; next to nothing at edges and on the floor.
    """

    by_moves: Tensor
    change: Tensor
    weight: Tensor

    def normal_equations(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Normal equations `(n, 4, 4)` and `(n, 4)` with each pixel's `weight`, `(n, pixels)`."""
        weighted = self.by_moves * weight[:, None]
        return weighted @ self.by_moves.mT, (weighted @ self.change[..., None])[..., 0]

    def error(self, move: Tensor) -> Tensor:
        """What a move, `(n, 4)`, leaves of the change, `(n, pixels)`."""
        return self.change - (move[:, None] @ self.by_moves)[:, 0]

    def reweighted(self, move: Tensor) -> Tensor:
        """Improve a move, `(n, 4)`, with the pixels that agree with it (Geman & McClure 1985)."""
        for _ in range(_REWEIGHTINGS):
            move = solve(*self.normal_equations(self._weight_by(move)))
        return move

    def guess(self, trust: Tensor) -> tuple[Tensor, Tensor]:
        """Solve for a move by pixels that are trusted so much, `(n, pixels)`, then by all that agree.

        Returns:
            the move with the gradient of the first solution, and how `surely` it is told, `(n, 8)`; and the
            first normal equations, `(n, 4, 5)`.
        """
        matrix, vector = self.normal_equations(self.weight * trust)
        first = solve(matrix, vector)
        with torch.no_grad():
            better = self.reweighted(first)
            evidence, _ = self.normal_equations(self._weight_by(better))
        guess = torch.cat([first + (better - first).detach(), surely(evidence)], dim=1)
        return guess, torch.cat([matrix, vector[..., None]], dim=2)

    def _weight_by(self, move: Tensor) -> Tensor:
        return self.weight / (1 + (self.error(move) / _DISAGREEING).square()).square()


def surely(matrix: Tensor) -> Tensor:
    """How much each part of a move, if it were the only one, would change what is seen, `(…, 4)`.

    By normal equations `(…, 4, 4)`; a logarithm, 0 where nothing.
    """
    return torch.log1p(matrix.diagonal(dim1=-2, dim2=-1) / _RIDGE)


def solve(matrix: Tensor, vector: Tensor) -> Tensor:
    """The move `(…, 4)` of normal equations `(…, 4, 4)` and `(…, 4)`; none where they tell none (ridge)."""
    ridge = _RIDGE + _RIDGE_SHARE * matrix.diagonal(dim1=-2, dim2=-1).sum(dim=-1, keepdim=True)
    move: Tensor = torch.linalg.solve(matrix + torch.diag_embed(ridge.expand_as(vector)), vector[..., None])
    return move[..., 0]


def parallax(depth: Tensor, line: FloorLine) -> Parallax:
    """Compare each frame, `b f y x`, with the one that follows it, as range flow does; n = b (f - 1).

    What is seen at a pixel moves on the picture, and nears. So depth there changes by its slopes times the
    former, and by the latter (Spies, Jaehne & Barron 2002, Range Flow Estimation; here of inverse depth).
    """
    pitch, scale = line.seen_with(FOCAL)
    tilt, rise = pitch.diff(dim=1), scale[:, :-1] / scale[:, 1:] - 1
    followed = line.found[:, :-1] & line.found[:, 1:]
    tilt, rise = (torch.where(followed, part, 0) for part in (tilt, rise))
    pitch, scale = ((one[:, :-1] + one[:, 1:]) / 2 for one in (pitch, scale))
    tilt, rise, pitch, scale = (part.reshape(-1, 1, 1) for part in (tilt, rise, pitch, scale))
    depth, after = (rearrange(one, "b f y x -> (b f) 1 y x") for one in (depth[:, :-1], depth[:, 1:]))
    middle = (depth + after) / 2
    each = min(depth.shape[2:]) / 2  # pixels a unit
    to_right, down = (each * slope[:, 0] for slope in slopes(middle))
    middle = middle[:, 0]
    up, right = up_and_right(middle.shape[1], middle.shape[2], middle.device)
    up, right = up[:, None] / FOCAL, right / FOCAL
    sine, cosine = pitch.sin(), pitch.cos()
    ahead, fall, closeness = cosine + up * sine, sine - up * cosine, middle / scale

    def changed(across: Tensor | float, along: Tensor | float, below: Tensor | float) -> Tensor:
        """How depth changes where all that is seen moves so, by its distance: to the right, ahead, down."""
        nearing, rising = -along * cosine - below * sine, along * sine - below * cosine
        aside, upward = across + right * nearing, rising + up * nearing
        return FOCAL * (down * upward - to_right * aside) + middle * nearing

    turn, fallen = changed(-ahead, right, 0.0), changed(0.0, 0.0, closeness)
    aside, onward = changed(-closeness, 0.0, 0.0), changed(0.0, -closeness, 0.0)
    explained = changed(0.0, tilt * fall, rise * closeness - tilt * ahead)
    floor = line.steepness[:, :-1, None] * (line.horizon[:, :-1, None] - FOCAL * up[:, 0])
    above = depth[:, 0] - floor.clamp(min=0).view(-1, floor.shape[2], 1)
    jump = torch.maximum(*(max_pool2d(one, 3, 1, 1) + max_pool2d(-one, 3, 1, 1) for one in (depth, after)))
    weight = 1 / (1 + (jump[:, 0] / _EDGE) ** 4) * (1 - 1 / (1 + (above / _ABOVE).square()))
    change = (after - depth)[:, 0] - explained
    by_moves = torch.stack([turn, aside, onward, fallen], dim=1)
    return Parallax(by_moves.flatten(2), change.flatten(1), weight.flatten(1))


def up_and_right(rows: int, columns: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """How far up rows of a picture are, and to the right its columns, in halves of the shorter side."""
    side = min(rows, columns)
    up = (rows - 1 - 2 * torch.arange(rows, device=device)) / side
    return up, (2 * torch.arange(columns, device=device) - columns + 1) / side
