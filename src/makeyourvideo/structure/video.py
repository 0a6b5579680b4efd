"""A video -> its depth, frame by frame at one steady scale, in memory that does not grow with its length."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.structure.estimators import Estimator
from makeyourvideo.structure.steadying import steadied

Frames = NDArray[np.uint8]
Floats = NDArray[np.float32]
WINDOW = 8


def estimate_frames(frames: Iterable[Frames], estimator: Estimator) -> Iterator[Floats]:
    """Estimate the inverse depth `(h, w)` of each frame `(h, w, 3)`, steady throughout.

    The estimator is asked for `WINDOW` frames at a time; scale and motion are carried from window to window,
    and memory does not grow with the video.
    """
    floor = 0 if estimator.units == "metric" else -np.inf
    for inverse in steadied(_estimated(frames, estimator)):
        yield np.maximum(inverse, floor)


def _estimated(frames: Iterable[Frames], estimator: Estimator) -> Iterator[tuple[Frames, Floats]]:
    coming = iter(frames)
    while window := list(islice(coming, WINDOW)):
        yield from zip(window, estimator.estimate(np.stack(window)), strict=True)
