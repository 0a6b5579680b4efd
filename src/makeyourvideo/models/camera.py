"""The camera, told from depth: how it stands and moves above the floor. Ours: the paper has no such part.

A plain floor looks the same in depth however far the camera has gone. How far that is, the objects that stand
on it show. So what is drawn on the floor, and on what is round, can stay where it is while the camera moves.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, gelu, interpolate

from makeyourvideo.models.dense import Linear
from makeyourvideo.models.mixing import Mixing, slopes

_SIDE = 64
"""What the shorter side of the depth is resized to, in pixels."""
_CELLS = 4
"""Of a frame its rows and columns of cells are told apart, so many each way."""
_STEEPNESS = (20.0, 100.0)
"""What changes of depth from a frame to the next are multiplied by."""
_MIDDLES = (0.4, 0.33, 0.9, 0.0, 0.0, 0.0)
_SPREADS = (0.08, 0.12, 0.3, 0.03, 0.06, 0.06)
"""Of the answers in the world: log focal length, pitch, log height, turn, step to the right, step ahead."""
_LEVEL = 0.1
"""The least fall of a camera's own ray, by which the floor is told to begin."""
_STEEPEST = 0.02
"""The least fall of a ray to the floor, a unit ahead; what is nearer the horizon is as far."""


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
        side = min(rows, columns)
        up = (rows - 1 - 2 * torch.arange(rows, device=self.focal.device)) / side
        right = (2 * torch.arange(columns, device=self.focal.device) - columns + 1) / side
        focal, pitch, height = (value[..., None] for value in (self.focal, self.pitch, self.height))
        up, sine, cosine = up / focal, pitch.sin(), pitch.cos()
        far = height / (sine - up * cosine).clamp(min=_STEEPEST)
        ahead = far * (cosine + up * sine)
        across = far[..., None] * (right / focal)[..., None, :]
        points = torch.stack([across, ahead[..., None].expand_as(across)], dim=-1)
        points = turned(points, self.heading[..., None, None]) + self.place[..., None, None, :]
        return points.movedim(-1, 2)


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

    def __init__(self, channels: int, reach: int = 2) -> None:
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
    """Look at each frame and at what changes to the next, then follow that along the clip.

    Args:
        channels: width of what is seen of a place; divisible by 4.
        frame_channels: width of what is known of a frame.
    """

    @register_to_config
    def __init__(self, channels: int = 64, frame_channels: int = 96) -> None:
        super().__init__()
        half = channels // 2
        self.look = nn.Sequential(
            *(nn.Conv2d(7, half, 5, 2, 2), nn.GroupNorm(1, half), nn.GELU()),
            *(nn.Conv2d(half, half, 3, 2, 1), nn.GroupNorm(1, half), nn.GELU()),
            nn.Conv2d(half, channels, 3, 2, 1),
            *(Mixing(channels) for _ in range(2)),
        )
        self.gather = Linear(channels * _CELLS**2, frame_channels)
        self.follow = nn.Sequential(*(Following(frame_channels) for _ in range(2)))
        self.answer = Linear(frame_channels, len(_MIDDLES))

    def forward(self, depth: Tensor) -> Cameras:
        """Tell the cameras of clips: depth `(batch, frames, height, width)`, normalised over each clip.

        Depth is in single precision, whatever the rest is in: little changes from frame to frame.
        """
        return self.cameras([depth])

    def cameras(self, depths: Iterable[Tensor]) -> Cameras:
        """The same of clips that come in parts, of which no two are held at once."""
        known, last = [], None
        for part in depths:
            small = _shrunk(part)
            small = small if last is None else torch.cat([last, small], dim=1)
            known.append(self.seen(small[:, :-1], small[:, 1:]))
            last = small[:, -1:]
        assert last is not None
        known.append(self.seen(last, last))
        return self.answered(torch.cat(known, dim=1))

    def seen(self, depth: Tensor, following: Tensor) -> Tensor:
        """Look at frames, `b f y x` of the size that is looked at, and at those that follow: `b f c`."""
        frames = depth.shape[1]
        flat, after = (rearrange(part, "b f y x -> (b f) 1 y x") for part in (depth, following))
        if not len(flat):
            return self.gather.weight.new_zeros(len(depth), 0, self.config.frame_channels)
        rows, columns = flat.shape[2:]
        places = [
            (2 * torch.arange(count, device=flat.device) - count + 1) / min(rows, columns)
            for count in (rows, columns)
        ]
        grid = torch.stack(torch.meshgrid(*places, indexing="ij")).expand(len(flat), -1, -1, -1)
        changes = [torch.tanh(steepness * (after - flat)) for steepness in _STEEPNESS]
        sloped = [torch.tanh(_STEEPNESS[0] * slope) for slope in slopes(flat)]
        hidden = torch.cat([flat, *sloped, *changes, grid], dim=1).to(self.gather.weight.dtype)
        hidden = self.look(hidden.contiguous(memory_format=torch.channels_last))
        cells = gelu(adaptive_avg_pool2d(hidden, _CELLS)).flatten(1)
        return rearrange(self.gather(cells), "(b f) c -> b f c", f=frames)

    def answered(self, known: Tensor) -> Cameras:
        """What is known of each frame, `b f c`, to cameras; lens and height are the same all along."""
        answers = self.answer(gelu(self.follow(known))).float()  # moves are added up
        middles, spreads = (answers.new_tensor(values) for values in (_MIDDLES, _SPREADS))
        focal, pitch, height, moves = (answers * spreads + middles).split([1, 1, 1, 3], dim=-1)
        focal, height = (part.mean(dim=1, keepdim=True).exp().expand_as(part) for part in (focal, height))
        return Cameras.moved(focal[..., 0], pitch[..., 0], height[..., 0], moves)


def _shrunk(depth: Tensor) -> Tensor:
    """Resize so that the shorter side is as long as what is looked at."""
    factor = _SIDE / min(depth.shape[2:])
    if factor == 1:
        return depth
    size = [max(_SIDE, round(side * factor)) for side in depth.shape[2:]]
    return interpolate(depth, size=size, mode="area" if factor < 1 else "bilinear")
