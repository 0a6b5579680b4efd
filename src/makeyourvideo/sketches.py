"""What denoising begins with, where a model has a sketcher, and what that has to know of its frames."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from makeyourvideo.models.camera import Cameras, turned
from makeyourvideo.models.following import Followed
from makeyourvideo.models.segments import REACH


@dataclass(frozen=True)
class Views:
    """What a sketch has to know beside depth and text, of each frame of a batch.

    Attributes:
        cameras: how they stand.
        followed: how they head as objects have it, of the same frames.
        sun: which way the light comes from, `(batch, frames, 2)`: to the right, and from ahead.
    """

    cameras: Cameras
    followed: Followed
    sun: Tensor

    @classmethod
    def under(cls, sun: Tensor, cameras: Cameras, followed: Followed) -> "Views":
        """See the sun, `(batch, 2)` as the first camera has it, from each camera."""
        return cls(cameras, followed, turned(sun[:, None].expand_as(cameras.place), -cameras.heading))

    def at(self, frames: slice) -> "Views":
        """Return those of some frames."""
        return Views(self.cameras.at(frames), self.followed.at(frames), self.sun[:, frames])


_PIXELS = 2**18
"""Of frames that are sketched together."""
_FEWEST = 2
"""How many such frames there are at least. Those around them are looked at, too: the more, the less often."""


def sketched_together(pixels: int, most: int) -> int:
    """How many frames of so many pixels each are sketched together, at most."""
    return min(most, max(_FEWEST, _PIXELS // pixels))


class Sketches:
    """What the denoising of a batch begins with, painted when it is asked for.

    Frames are sketched in the same groups whatever others are asked for, so they are the same to the bit.
    What was asked for last is kept: a window is decoded once it is made, and the next one sees some of it.

    Args:
        paint: some frames, and those that are seen for them, to bytes `(batch, frames, 3, height, width)`.
            Seen are `REACH` frames before and after them, too, where there are any; all are in a row.
        num_frames: of the whole videos.
        together: how many are sketched together.
    """

    def __init__(self, paint: Callable[[range, range], Tensor], num_frames: int, together: int) -> None:
        self._paint, self._num_frames, self._together = paint, num_frames, together
        self._groups = [
            range(start, min(start + together, num_frames)) for start in range(0, num_frames, together)
        ]
        self._kept: dict[range, Tensor] = {}

    def spanned(self, frames: range) -> range:
        """All frames that are painted with some, or seen for them: whose depth it takes."""
        asked = self._asked(frames)
        return self._seen(range(asked[0].start, asked[-1].stop))

    def of(self, frames: range) -> Tensor:
        """Bytes of some frames, in a row: `(batch * frames, 3, height, width)`."""
        asked = self._asked(frames)
        if not self._kept.keys() >= set(asked):
            self._kept = {group: self._kept[group] for group in asked if group in self._kept}
            for group in asked:
                if group not in self._kept:
                    self._kept[group] = self._paint(group, self._seen(group))
        painted = torch.cat([self._kept[group] for group in asked], dim=1)
        first = asked[0].start
        return painted[:, frames.start - first : frames.stop - first].flatten(0, 1)

    def _asked(self, frames: range) -> list[range]:
        return self._groups[frames.start // self._together : (frames.stop - 1) // self._together + 1]

    def _seen(self, frames: range) -> range:
        return range(max(0, frames.start - REACH), min(self._num_frames, frames.stop + REACH))


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
