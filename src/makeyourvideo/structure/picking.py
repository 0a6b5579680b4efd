"""A video -> the frames of it that are asked for, one at a time; what is depth already is told apart."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import (
    ANIMATION_SUFFIXES,
    VIDEO_SUFFIXES,
    check_fps,
    is_16_bit_gray,
    iterate_video,
    read_video,
    video_header,
)
from makeyourvideo.structure.convention import convention_path

Frames = NDArray[np.uint8]
MOVING_SUFFIXES = (*VIDEO_SUFFIXES, *ANIMATION_SUFFIXES)
_DEPTH_SUFFIXES = {".npz", ".npy", ".exr", ".tif", ".tiff"}
_DEPTH = "depth already (depth --depth-kind, generate --depth)"


@dataclass(frozen=True)
class PickedFrames:
    """Frames of a video, to be gone through once.

    Attributes:
        path: the video.
        frames: uint8 `(height, width, 3)`.
        fps: frames a second, where they have a rate.
        stated: how many there are as the file says, which need not be right; for progress.
    """

    path: Path
    frames: Iterator[Frames]
    fps: float | None
    stated: int | None

    def __iter__(self) -> Iterator[Frames]:
        return self.frames


def pick_from_video(path: Path, *, fps: float | None = None, frame_stride: int | None = None) -> PickedFrames:
    """Decode the frames of a video that are asked for, one at a time.

    Args:
        path: a video, an animated GIF or WebP, or a folder of PNG.
        fps: the frame shown at every 1/fps seconds, so that the result keeps the video's own speed.
        frame_stride: every so many frames instead; without either, all of them.

    Raises:
        InputError: as `check_pictures` and, some of it while frames come, as `media.iterate_video`; both are
            asked for, or a rate of a folder, which has none.
    """
    if frame_stride is not None and frame_stride < 1:
        raise InputError("frame_stride", "at least 1", str(frame_stride))
    if fps is not None:
        check_fps(fps)
    if fps is not None and frame_stride is not None:
        raise InputError(path, "fps or frame_stride", "both")
    check_pictures(path)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        timed, (rate, stated) = iterate_video(path), video_header(path)
    else:
        stored, rate = read_video(path)
        timed, stated = ((index / (rate or 1), frame) for index, frame in enumerate(stored)), len(stored)
    if fps is None:
        stride = frame_stride or 1
        frames = (frame for _, frame in islice(timed, None, None, stride))
        return PickedFrames(path, frames, rate and rate / stride, stated and -(-stated // stride))
    if rate is None:
        raise InputError(path, "a video with a frame rate, or a frame stride", "neither")
    return PickedFrames(path, _shown_at(timed, fps, 1 / rate), fps, stated and round(stated / rate * fps))


def check_pictures(path: Path, also: Sequence[str] = ()) -> None:
    """Refuse what shows no pictures to estimate the depth of: other files, and depth.

    Args:
        path: a file or a folder.
        also: further suffixes that the caller takes, for the message.

    Raises:
        InputError: nothing there, another suffix, or depth by its format, its 16 bits of grey or what is
            stated beside it.
    """
    expected = "a video or a folder of PNG to estimate the depth of"
    with unreadable_unless(path, expected):
        path.stat()
        files = sorted(path.iterdir()) if path.is_dir() else [path]
    stated, kinds = convention_path(path), {file.suffix.lower(): file for file in files}
    if stated.exists():
        raise InputError(path, expected, f"{stated.name}, which says that it is {_DEPTH}")
    if depth := _DEPTH_SUFFIXES & kinds.keys():
        raise InputError(path, expected, f"{min(depth)}, which may be {_DEPTH}")
    if ".png" in kinds and is_16_bit_gray(kinds[".png"]):
        raise InputError(path, expected, f"16 bits of grey, which may be {_DEPTH}")
    if path.is_file() and path.suffix.lower() not in MOVING_SUFFIXES:
        known = ", ".join((*MOVING_SUFFIXES, *also))
        raise InputError(path, f"{known}, a folder of PNG, or {_DEPTH}", path.suffix or "no suffix")


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
