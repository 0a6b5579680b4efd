"""A video to depth on disk, as events; and what people look at before they use it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from makeyourvideo.errors import InputError
from makeyourvideo.media import VIDEO_SUFFIXES, video_rate, write_image, write_video
from makeyourvideo.outputs import check_free
from makeyourvideo.pictures import drawn_depth, strip
from makeyourvideo.structure.estimators import load_estimator
from makeyourvideo.structure.files import read_depth
from makeyourvideo.structure.streaming import save_streamed
from makeyourvideo.structure.video import count_frames, estimate_frames, pick_from_video

_PREVIEW_FRAMES = 64


def check_depth_outputs(output: Path, preview: bool, force: bool) -> list[Path]:
    """The depth and, with a preview, its strip and video; call it before any long work.

    Raises:
        InputError: no .npz, or one of them exists and `force` is false.
    """
    if output.suffix.lower() != ".npz":
        raise InputError(output, "an .npz to write", output.suffix or "no suffix")
    files = [output, *((output.with_suffix(".png"), output.with_suffix(".mp4")) if preview else ())]
    for file in files:
        check_free(file, force)
    return files


def estimate_depth(
    source: Path,
    output: Path,
    estimator: str | None = None,
    fps: float | None = None,
    frame_stride: int | None = None,
    force: bool = False,
) -> Iterator[tuple[int, int]]:
    """Estimate the depth of a video into `output`, one steady scale throughout; yields (frames done, in all).

    Raises:
        InputError: the video or the estimator cannot be read, or `output` exists and `force` is false.
    """
    rate = video_rate(source) if source.suffix.lower() in VIDEO_SUFFIXES else None
    length = count_frames(source)
    if frame_stride is not None:
        total, rate = -(-length // max(frame_stride, 1)), rate and rate / max(frame_stride, 1)
    elif fps is not None and rate is not None:
        total, rate = int(np.ceil(length / rate * fps - 1e-6)), fps
    else:
        total = length
    yield 0, total
    loaded = load_estimator(estimator)
    frames = pick_from_video(source, fps=fps, frame_stride=frame_stride)
    inverse = estimate_frames(frames, loaded)
    for done in save_streamed(output, inverse, units=loaded.units, source=str(source), fps=rate, force=force):
        yield done, max(total, done)


def write_preview(depth_file: Path, files: Sequence[Path], force: bool = False) -> None:
    """Write a strip of frames and a short video of what the network will see, near = white."""
    depth = read_depth(depth_file)
    strip_file, video = files
    write_image(strip_file, strip(depth), force=force)
    shown = range(min(depth.num_frames, _PREVIEW_FRAMES))
    write_video(video, drawn_depth(depth.selected(shown)), depth.fps or 8.0, force=force)
