"""Depth of single frames -> depth that does not flicker: one scale, and an average along the motion.

Estimators see one frame at a time. They are right only up to a scale and a shift of each (MiDaS, arXiv
1907.01341), and what is left after both are matched still trembles.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from makeyourvideo.structure.motion import optical_flow

Frames = NDArray[np.uint8]
Floats = NDArray[np.float32]
_Item = TypeVar("_Item")
_SAME_COLOR = 12.0  # 8-bit levels, and pixels: beyond, two pixels are hardly the same thing
_SAME_PLACE = 1.0
_PASSES = 4  # each averages with both neighbours at weights 1/4, 1/2, 1/4: two frames of spread in all


def steadied(frames: Iterable[tuple[Frames, Floats]]) -> Iterator[Floats]:
    """Steady the inverse depth `(h, w)` that comes with each frame `(h, w, 3)`.

    Yields as many frames as come, a few of them later; memory does not grow.
    """
    keeper = ScaleKeeper()
    matched = ((frame, keeper(frame, inverse)) for frame, inverse in frames)
    averaged = reduce(lambda items, _: _averaged(items), range(_PASSES), _linked(matched))
    return (item.inverse for item in averaged)


class ScaleKeeper:
    """Gives each frame the scale and shift at which it agrees with the frame before.

    Both are fitted to the pixels whose colour hardly changed, reweighted so that what moved does not count.
    Errors would add up over a long video, so scale and shift are drawn back towards those
    that the frame came with.

    Args:
        pull: share of the way back that each frame goes.
    """

    def __init__(self, pull: float = 0.02) -> None:
        self.pull = pull
        self._before: tuple[Frames, Floats] | None = None

    def __call__(self, frame: Frames, inverse: Floats) -> Floats:
        """Map one frame `(h, w, 3)` and its inverse depth `(h, w)` to aligned inverse depth."""
        scale, shift = 1.0, 0.0
        if self._before is not None:
            picture, depth = self._before
            change = np.abs(frame.astype(np.float32) - picture).mean(axis=-1)
            scale, shift = _fit(inverse, depth, np.exp(-change / 8))
            scale += self.pull * (1 - scale)
            shift -= self.pull * shift
        aligned = (scale * inverse + shift).astype(np.float32)
        self._before = frame, aligned
        return aligned


def _fit(source: Floats, target: Floats, weights: Floats, rounds: int = 5) -> tuple[float, float]:
    """Scale and shift that take `source` to `target`, robust against outliers.

    The scale is the ratio of the spreads: both sides are noisy, and least squares would shrink every frame.
    """
    scale, shift = 1.0, 0.0
    certain = weights.astype(np.float64)
    for _ in range(rounds):
        total = certain.sum()
        mean, wanted = (certain * source).sum() / total, (certain * target).sum() / total
        centred = source - mean
        spread, aim = (certain * centred**2).sum(), (certain * (target - wanted) ** 2).sum()
        if min(spread, aim) <= 1e-12 * total:
            return 1.0, float(wanted - mean)
        scale = float(np.sqrt(aim / spread))
        shift = float(wanted - scale * mean)
        residual = np.abs(scale * source + shift - target)
        certain = weights / np.maximum(residual, 0.1 * residual.mean() + 1e-9)
    return scale, shift


@dataclass(frozen=True)
class _Link:
    """Where each pixel's content lies in a neighbouring frame `(h, w, 2)`, and how sure that is `(h, w)`."""

    places: Floats
    weight: Floats

    def fetch(self, inverse: Floats) -> Floats:
        return _sampled(inverse, self.places)


@dataclass(frozen=True)
class _Linked:
    inverse: Floats
    before: _Link | None
    after: _Link | None


def _linked(frames: Iterable[tuple[Frames, Floats]]) -> Iterator[_Linked]:
    """Find the motion between neighbours, once for all passes."""
    before: _Link | None = None
    for (frame, inverse), following in _with_next(frames):
        if following is None:
            yield _Linked(inverse, before, None)
            return
        grays = (
            cv2.cvtColor(np.ascontiguousarray(each), cv2.COLOR_RGB2GRAY) for each in (frame, following[0])
        )
        ahead, back = optical_flow(*grays)
        yield _Linked(inverse, before, _link(frame, following[0], ahead, back))
        before = _link(following[0], frame, back, ahead)


def _link(frame: Frames, other: Frames, there: Floats, back: Floats) -> _Link:
    """Trust a motion where there and back again ends where it began, at the same colour."""
    height, width = there.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    places = (grid + there).astype(np.float32)
    color = np.abs(_sampled(other.astype(np.float32), places) - frame).mean(axis=-1)
    astray = np.abs(there + _sampled(back, places)).sum(axis=-1)
    return _Link(places, np.exp(-((color / _SAME_COLOR) ** 2) - (astray / _SAME_PLACE) ** 2))


def _sampled(values: Floats, places: Floats) -> Floats:
    return cv2.remap(values, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _averaged(items: Iterator[_Linked]) -> Iterator[_Linked]:
    previous: Floats | None = None
    for item, following in _with_next(items):
        total, weights = item.inverse.copy(), np.ones_like(item.inverse)
        for link, inverse in (
            (item.before, previous),
            (item.after, following.inverse if following else None),
        ):
            if link is not None and inverse is not None:
                total += link.weight / 2 * link.fetch(inverse)
                weights += link.weight / 2
        previous = item.inverse
        yield replace(item, inverse=total / weights)


def _with_next(items: Iterable[_Item]) -> Iterator[tuple[_Item, _Item | None]]:
    """Each item with the one after it, the last with none."""
    coming = iter(items)
    for item in coming:
        for following in coming:
            yield item, following
            item = following
        yield item, None
