"""The camera, told from depth: how it stands and moves above the floor. Ours: the paper has no such part.

A plain floor looks the same in depth however far the camera has gone. How far that is, the objects that stand
on it show. So what is drawn on the floor can stay where it is while the camera moves.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool1d, gelu, interpolate

from makeyourvideo.models.dense import Linear
from makeyourvideo.models.mixing import Mixing, in_full, slopes
from makeyourvideo.models.parallax import FloorLine, floor_line, parallax, solve, surely, up_and_right

_SIDE = 64
"""What the shorter side of the depth is resized to, in pixels."""
_CELLS = 4
"""Of a frame its rows and columns of cells are told apart, so many each way."""
_STEEPNESS = (20.0, 100.0)
"""What changes of depth from a frame to the next are multiplied by."""
_STEEPEST_CHANGE = 200.0
"""What changes that the camera alone does not explain are multiplied by."""
_MIDDLES = (0.4, 0.33, 0.5, 0.0, 0.0, 0.0)
_SPREADS = (0.08, 0.12, 0.3, 0.01, 0.02, 0.02)
"""Of the answers in the world: log focal length, pitch, log height, and what is added to the guessed moves: a
turn, and steps to the right and ahead in heights of the camera."""
_GUESS_SCALES = (30.0, 20.0, 20.0, 20.0, 0.2, 0.2, 0.2, 0.2)
"""What a guess, and how surely each part of it is told, are multiplied by."""
_REACH = 7
"""To how many frames before and after the camera is guessed to move as it does between two."""
_RISE = 0.7
"""The most that the camera's height may be off its usual one, in its logarithm."""
_LEVEL = 0.1
"""The least fall of a camera's own ray, by which the floor is told to begin."""
_NEAREST = 0.1
"""How far away, in metres, what is seen is at least said to be."""
_STEEPEST = 0.02
"""The least fall of a ray to the floor, a unit ahead; what is nearer the horizon is as far."""


class _Answers(NamedTuple):
    """Focal lengths, pitches and heights, `(batch, frames)`, and moves to the next, `(batch, frames, 3)`."""

    focal: Tensor
    pitch: Tensor
    height: Tensor
    moves: Tensor


@dataclass(frozen=True)
class Cameras:
    """Where cameras stand, and where they look: upright, above a floor that is plain.

    Attributes:
        focal: focal length in halves of the shorter side, `(batch, frames)`.
        pitch: how far it looks down, in radians, `(batch, frames)`.
        height: above the floor, in metres, `(batch, frames)`.
        heading: turn to the right, in radians, `(batch, frames)`; 0 in the first frame.
        place: on the floor, in metres, `(batch, frames, 2)`: to the right and ahead of where the first camera
            looks, as it looks.
    """

    focal: Tensor
    pitch: Tensor
    height: Tensor
    heading: Tensor
    place: Tensor

    @classmethod
    def moved(cls, focal: Tensor, pitch: Tensor, height: Tensor, moves: Tensor) -> "Cameras":
        """Put moves, `(batch, frames, 3)`, in a row: turns to the next frame, and steps right and ahead."""
        turns, right, ahead = moves[:, :-1].unbind(dim=-1)
        begun = torch.zeros_like(moves[:, :1, 0])
        heading = torch.cat([begun, turns.cumsum(dim=1)], dim=1)
        steps = turned(torch.stack([right, ahead], dim=-1), heading[:, :-1])
        seen = torch.stack([begun, -looked_at(height[:, :1], pitch[:, :1])], dim=-1)
        return cls(focal, pitch, height, heading, torch.cat([seen, steps], dim=1).cumsum(dim=1))

    @classmethod
    def joined(cls, batches: Sequence["Cameras"]) -> "Cameras":
        """Put batches together."""
        return cls(
            *(torch.cat(parts) for parts in zip(*(vars(one).values() for one in batches), strict=True))
        )

    def mapped(self, change: Callable[[Tensor], Tensor]) -> "Cameras":
        """Return the same with every tensor changed."""
        return Cameras(*map(change, vars(self).values()))

    def at(self, frames: slice) -> "Cameras":
        """Return the cameras of some frames."""
        return self.mapped(lambda value: value[:, frames])

    def floor(self, rows: int, columns: int) -> Tensor:
        """Which point of the floor each pixel sees, in metres: `(batch, frames, 2, rows, columns)`."""
        up, right = up_and_right(rows, columns, self.focal.device)
        focal, pitch, height = (value[..., None] for value in (self.focal, self.pitch, self.height))
        up, sine, cosine = up / focal, pitch.sin(), pitch.cos()
        far = height / (sine - up * cosine).clamp(min=_STEEPEST)
        ahead = far * (cosine + up * sine)
        across = far[..., None] * (right / focal)[..., None, :]
        points = torch.stack([across, ahead[..., None].expand_as(across)], dim=-1)
        points = turned(points, self.heading[..., None, None]) + self.place[..., None, None, :]
        return points.movedim(-1, 2)

    def flow(self, rows: int, columns: int) -> Tensor:
        """How points of the floor move on the picture, from each frame to the next, to the right and up.

        In halves of the shorter side: `(batch, frames - 1, 2, rows, columns)`.
        """
        points = self.floor(rows, columns)[:, :-1].movedim(2, -1)
        (before, after), seen = (self.at(slice(0, -1)), self.at(slice(1, None))), []
        for camera in (before, after):
            place, heading = camera.place[..., None, None, :], camera.heading[..., None, None]
            right, ahead = turned(points - place, -heading).unbind(dim=-1)
            angles = (camera.focal, camera.pitch, camera.height)
            focal, pitch, height = (part[..., None, None] for part in angles)
            away = (ahead * pitch.cos() + height * pitch.sin()).clamp(min=_NEAREST)
            up = ahead * pitch.sin() - height * pitch.cos()
            seen.append(focal[..., None] * torch.stack([right, up], dim=-1) / away[..., None])
        return (seen[1] - seen[0]).movedim(-1, 2)


def looked_at(height: Tensor, pitch: Tensor) -> Tensor:
    """How far ahead on the floor a camera looks, in metres; one that looks up or far is said to look near."""
    return height / pitch.tan().clamp(min=_LEVEL)


def turned(points: Tensor, headings: Tensor) -> Tensor:
    """Points `(…, 2)`, to the right and ahead, as seen by one who heads straight ahead."""
    right, ahead = points.unbind(dim=-1)
    sine, cosine = headings.sin(), headings.cos()
    return torch.stack([cosine * right + sine * ahead, cosine * ahead - sine * right], dim=-1)


class Following(nn.Module):
    """A residual: a convolution of each channel along the frames, then two layers of each frame alone."""

    def __init__(self, channels: int, reach: int = 4) -> None:
        super().__init__()
        size = 2 * reach + 1
        self.along = nn.Conv1d(
            channels, channels, size, padding=reach, groups=channels, padding_mode="replicate"
        )
        self.norm = nn.LayerNorm(channels)
        self.widen = Linear(channels, 2 * channels)
        self.narrow = Linear(2 * channels, channels)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map `b f c` to the same."""
        around = self.along(hidden.transpose(1, 2)).transpose(1, 2)
        followed: Tensor = hidden + self.narrow(gelu(self.widen(self.norm(around))))
        return followed


class CameraEstimator(ModelMixin, ConfigMixin):
    """Solve for how the camera moves as if what is looked at stood still; then say what does.

    Where everything stands still, geometry tells a move exactly; but objects move, too. So several moves are
    solved for, each by what another part of the picture shows, which is learnt; and each once for two frames
    alone and once for all those around, for cameras that go on as they do. Then the clip is followed, to say
    which of them is the camera's: one, none or some of each. It is seen forwards and backwards, its mirror
    image, too: the mean of all answers is less off than any of them.

    Args:
        channels: width of what is seen of a place; divisible by 4.
        frame_channels: width of what is known of a frame.
        guesses: by how many parts of the picture.
    """

    @register_to_config
    def __init__(self, channels: int = 64, frame_channels: int = 96, guesses: int = 4) -> None:
        super().__init__()
        half = channels // 2
        self.look = nn.Sequential(
            *(nn.Conv2d(8, half, 5, 2, 2), nn.GroupNorm(1, half), nn.GELU()),
            *(nn.Conv2d(half, half, 3, 2, 1), nn.GroupNorm(1, half), nn.GELU()),
            nn.Conv2d(half, channels, 3, 2, 1),
            *(Mixing(channels) for _ in range(2)),
        )
        self.confidence = nn.Conv2d(channels, guesses, 1)
        self.gather = Linear(channels * _CELLS**2, frame_channels)
        self.hint = Linear(2 * len(_GUESS_SCALES) * guesses + 3, frame_channels)
        self.follow = nn.Sequential(*(Following(frame_channels) for _ in range(2)))
        self.answer = Linear(frame_channels, len(_MIDDLES) + 2 * guesses + 1)

    def forward(self, depth: Tensor) -> Cameras:
        """Tell the cameras of clips: inverse depth `(batch, frames, height, width)`, -1 at infinity.

        Of relative depth, whose infinity nobody knows, the farthest point is taken for it. The nearest of a
        clip is 1. Depth is in single precision, whatever the rest is in: little changes from frame to frame.
        """
        return self.cameras([depth])

    def cameras(self, depths: Iterable[Tensor]) -> Cameras:
        """The same of clips that come in parts, of which no two are held at once."""
        forward: list[tuple[Tensor, ...]] = []
        backward: list[tuple[Tensor, ...]] = []
        last = None
        for part in depths:
            small = shrunk(part.float())
            small = torch.cat([small, small.flip(3)])  # and its mirror image
            if last is None:
                backward.append(self._still(small[:, :1]))
            else:
                small = torch.cat([last, small], dim=1)
            if small.shape[1] > 1:
                ways = [part.chunk(2) for part in self.seen(torch.cat([small, small.flip(1)]))]
                for seen, way in zip((forward, backward), zip(*ways, strict=True), strict=True):
                    seen.append(way)
            last = small[:, -1:]
        assert last is not None
        forward.append(self._still(last))
        there, back = (
            self.answered(*(torch.cat(parts, dim=1) for parts in zip(*seen, strict=True)))
            for seen in (forward, backward[::-1])
        )
        both = _mean(there, _turned_back(back))
        as_it_is, mirrored = (
            _Answers(*parts) for parts in zip(*(part.chunk(2) for part in both), strict=True)
        )
        return Cameras.moved(*_mean(as_it_is, _mirrored(mirrored)))

    def _still(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is `seen` of a last frame, `b 1 y x`: nothing follows that would say how the camera moves."""
        known, told, equations = self.seen(frame.expand(-1, 2, -1, -1))
        return known, told, 0 * equations

    def seen(self, depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Look at frames, `b f y x` of the size that is looked at, but the last, and at those that follow.

        Returns:
            what is known of each frame, `b f-1 c`; what geometry tells, in single precision, `b f-1 h`: where
            the horizon is, how steep the floor, if there is one, then guesses, and how surely they are told;
            and the normal equations `b f-1 guesses 4 5` of what is trusted for each guess.
        """
        rows, columns = depth.shape[2:]
        with in_full(depth.device):
            line = floor_line((depth + 1) / 2)
            pixels = parallax((depth + 1) / 2, line)
            common = pixels.reweighted(solve(*pixels.normal_equations(pixels.weight)))
            unlike = torch.tanh(_STEEPEST_CHANGE * pixels.error(common)) * pixels.weight
        flat, after = (rearrange(part, "b f y x -> (b f) 1 y x") for part in (depth[:, :-1], depth[:, 1:]))
        up, right = up_and_right(rows, columns, depth.device)
        grid = torch.stack(torch.meshgrid(-up, right, indexing="ij")).expand(len(flat), -1, -1, -1)
        sloped = [torch.tanh(_STEEPNESS[0] * slope) for slope in slopes(flat)]
        changes = [torch.tanh(steepness * (after - flat)) for steepness in _STEEPNESS]
        shown = torch.cat([flat, *sloped, *changes, unlike.view_as(flat), grid], dim=1)
        hidden = self.look(shown.to(self.gather.weight.dtype, memory_format=torch.channels_last))
        cells = gelu(adaptive_avg_pool2d(hidden, _CELLS)).flatten(1)
        with in_full(depth.device):
            confidence = self.confidence(hidden.to(self.gather.weight.dtype)).float().sigmoid()
            each = interpolate(confidence, size=(rows, columns)).flatten(2).unbind(dim=1)
            guesses, equations = zip(*(pixels.guess(one) for one in each), strict=True)
        frames = depth.shape[1] - 1
        floor = torch.stack([line.horizon, line.steepness.log(), line.found], dim=-1)[:, :frames]
        known, guessed, equations = (
            part.unflatten(0, (-1, frames))
            for part in (self.gather(cells), torch.cat(guesses, dim=1), torch.stack(equations, dim=1))
        )
        return known, torch.cat([floor, guessed], dim=-1), equations

    def answered(self, known: Tensor, told: Tensor, equations: Tensor) -> _Answers:
        """What is `seen` of each frame to what `Cameras.moved` takes; the lens is the same all along."""
        floor, guessed = told[..., :3], told[..., 3:].unflatten(-1, (-1, len(_GUESS_SCALES)))
        around = _summed(equations)
        going_on = torch.cat([solve(around[..., :4], around[..., 4]), surely(around[..., :4])], dim=-1)
        guessed = torch.cat([guessed, going_on], dim=2)
        hints = torch.cat([floor, (guessed * guessed.new_tensor(_GUESS_SCALES)).flatten(2)], dim=-1)
        answers = self.answer(gelu(self.follow(known + self.hint(hints.to(known.dtype))))).float()
        own, shares = answers[..., : len(_MIDDLES)], answers[..., len(_MIDDLES) :]
        middles, spreads = (answers.new_tensor(values) for values in (_MIDDLES, _SPREADS))
        focal, pitch, height, moves = (own * spreads + middles).split([1, 1, 1, 3], dim=-1)
        moves = moves + (shares.softmax(dim=-1)[..., :-1, None] * guessed[..., :3]).sum(dim=-2)
        focal, height = (part[..., 0].mean(dim=1, keepdim=True).exp() for part in (focal, height))
        line = FloorLine(floor[..., 0], floor[..., 1].exp(), floor[..., 2] > 0).held()
        told_pitch, scale = line.seen_with(focal)
        pitch = torch.where(line.found, told_pitch, pitch[..., 0])
        rise = scale.log().mean(dim=1, keepdim=True) - scale.log()
        height = height * torch.where(line.found, rise, 0).clamp(-_RISE, _RISE).exp()
        moves = torch.cat([moves[..., :1], moves[..., 1:] * height[..., None]], dim=-1)
        return _Answers(focal.expand_as(height), pitch, height, moves)


def _mean(one: _Answers, other: _Answers) -> _Answers:
    return _Answers(*((first + second) / 2 for first, second in zip(one, other, strict=True)))


def _mirrored(answers: _Answers) -> _Answers:
    """Answers about the mirror image of a clip, for the clip as it is."""
    return answers._replace(moves=answers.moves * answers.moves.new_tensor([-1, -1, 1]))


def _turned_back(answers: _Answers) -> _Answers:
    """Answers about a clip that was seen backwards, for the clip as it is: its last move leads nowhere."""
    told = _Answers(*(part.flip(1) for part in answers))
    turns, steps = told.moves[:, 1:, :1], told.moves[:, 1:, 1:]
    there = torch.cat([-turns, -turned(steps, -turns[..., 0])], dim=-1)
    return told._replace(moves=torch.cat([there, told.moves[:, :1]], dim=1))


def _summed(equations: Tensor) -> Tensor:
    """Add up equations, `b f g 4 5`, of the frames around each."""
    along = rearrange(equations, "b f g r c -> b (g r c) f")
    size = 2 * _REACH + 1
    around = avg_pool1d(along, size, stride=1, padding=_REACH) * size
    return rearrange(around, "b (g r c) f -> b f g r c", r=equations.shape[3], c=equations.shape[4])


def shrunk(depth: Tensor) -> Tensor:
    """Resize so that the shorter side is as long as what is looked at; a plain floor stays straight."""
    factor = _SIDE / min(depth.shape[2:])
    if factor == 1:
        return depth
    size = [max(_SIDE, round(side * factor)) for side in depth.shape[2:]]
    return interpolate(depth, size=size, mode="bilinear", antialias=True)
