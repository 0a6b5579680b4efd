"""What denoising begins with, where a model has a sketcher, and what that has to know of its frames."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from makeyourvideo.models.camera import Cameras, turned


@dataclass(frozen=True)
class Views:
    """What a sketch has to know beside depth and text, of each frame of a batch.

    Attributes:
        cameras: how they stand.
        sun: which way the light comes from, `(batch, frames, 2)`: to the right, and from ahead.
    """

    cameras: Cameras
    sun: Tensor

    @classmethod
    def under(cls, sun: Tensor, cameras: Cameras) -> "Views":
        """See the sun, `(batch, 2)` as the first camera has it, from each camera."""
        return cls(cameras, turned(sun[:, None].expand_as(cameras.place), -cameras.heading))

    def at(self, frames: slice) -> "Views":
        """Return those of some frames."""
        return Views(self.cameras.at(frames), self.sun[:, frames])


class Sketches:
    """What the denoising of a batch begins with, painted when it is asked for.

    Each frame is painted by itself, so it is the same to the bit whatever others are asked for. What was
    asked for last is kept: a window is decoded once it is made, and the next one sees some of its frames.

    Args:
        paint: a frame, to bytes `(batch, 3, height, width)`.
    """

    def __init__(self, paint: Callable[[int], Tensor]) -> None:
        self._paint = paint
        self._kept: dict[int, Tensor] = {}

    def of(self, frames: range) -> Tensor:
        """Bytes of some frames, in a row: `(batch * frames, 3, height, width)`."""
        if not self._kept.keys() >= set(frames):
            self._kept = {frame: self._kept[frame] for frame in frames if frame in self._kept}
            for frame in frames:
                if frame not in self._kept:
                    self._kept[frame] = self._paint(frame)
        return torch.stack([self._kept[frame] for frame in frames], dim=1).flatten(0, 1)


def as_pictures(painted: Tensor) -> Tensor:
    """Bytes to numbers in [-1, 1], in single precision."""
    return painted.float() / 127.5 - 1


def with_detail(pictures: Tensor, sketch: Tensor, spread: float) -> Tensor:
    """Take from `pictures`, `(n, 3, height, width)`, what is coarse, and what is fine from their `sketch`.

    What is finer than a Gaussian of so many pixels `spread` has gone through no latents, then.
    """
    difference = sketch - pictures
    return pictures + difference - _blurred(difference, spread)


def _blurred(pictures: Tensor, spread: float) -> Tensor:
    reach = min(round(3 * spread), *(side - 1 for side in pictures.shape[-2:]))
    steps = torch.arange(-reach, reach + 1, device=pictures.device) / spread
    weights = torch.exp(-steps.square() / 2)
    weights = (weights / weights.sum()).to(pictures.dtype).expand(pictures.shape[1], 1, 1, -1)
    for kernel in (weights, weights.transpose(2, 3)):
        _, _, rows, columns = kernel.shape
        around = (columns // 2, columns // 2, rows // 2, rows // 2)
        pictures = conv2d(pad(pictures, around, mode="reflect"), kernel, groups=pictures.shape[1])
    return pictures
