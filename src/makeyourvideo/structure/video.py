"""A video -> its depth, frame by frame at one steady scale, in memory that does not grow with its length."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.media import VIDEO_SUFFIXES, check_fps, iterate_video, read_video, video_rate
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


def pick_from_video(
    path: Path, *, fps: float | None = None, frame_stride: int | None = None
) -> Iterator[Frames]:
    """Decode the frames of a video that are asked for, one at a time.

    Args:
        path: a video, an animated GIF or WebP, or a folder of PNG.
        fps: the frame shown at every 1/fps seconds, so that the result keeps the video's own speed.
        frame_stride: every so many frames instead; without either, all of them.

    Raises:
        InputError: as `media.iterate_video`, or a rate is asked of a folder, which has none.
    """
    if frame_stride is not None and frame_stride < 1:
        raise InputError("frame_stride", "at least 1", str(frame_stride))
    if fps is not None:
        check_fps(fps)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        timed, rate = iterate_video(path), video_rate(path)
    else:
        stored, rate = read_video(path)
        timed = ((index / (rate or 1), frame) for index, frame in enumerate(stored))
    if frame_stride is not None or fps is None:
        return (frame for _, frame in islice(timed, None, None, frame_stride))
    if rate is None:
        raise InputError(path, "a video with a frame rate, or a frame stride", "neither")
    return _shown_at(timed, fps, 1 / rate)


def count_frames(path: Path) -> int:
    """How many frames a video has; headers are not always right, so they are counted.

    Raises:
        InputError: as `pick_from_video`.
    """
    return sum(1 for _ in pick_from_video(path))


def _shown_at(timed: Iterator[tuple[float, Frames]], fps: float, last_step: float) -> Iterator[Frames]:
    """The frame on the screen at 0, 1/fps, 2/fps, … seconds; the last one stays for `last_step` seconds."""
    shown: deque[tuple[float, Frames]] = deque(maxlen=1)
    wanted, slack = 0, 1e-6
    for time, frame in timed:
        while shown and wanted / fps < time - slack:
            yield shown[0][1]
            wanted += 1
        shown.append((time, frame))
    while shown and wanted / fps < shown[0][0] + last_step - slack:
        yield shown[0][1]
        wanted += 1
