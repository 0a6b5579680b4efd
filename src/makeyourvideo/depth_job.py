"""A video or a 3D scene to depth on disk, as events; and what people look at before they use it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from makeyourvideo.errors import InputError
from makeyourvideo.media import VIDEO_SUFFIXES, Frames, video_rate, write_image, write_video
from makeyourvideo.outputs import check_free
from makeyourvideo.pictures import drawn_depth, strip
from makeyourvideo.structure.estimators import load_estimator
from makeyourvideo.structure.files import read_depth
from makeyourvideo.structure.filming import Take
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


def film_depth(take: Take, output: Path, force: bool = False) -> Iterator[tuple[int, int]]:
    """Cast the depth of a 3D scene into `output`; yields (frames done, in all).

    Raises:
        InputError: the scene cannot be used, or `output` exists and `force` is false.
    """
    inverse = (np.reciprocal(depth) for depth in take.stream())
    saved = save_streamed(output, inverse, units="metric", source=str(take.source), fps=take.fps, force=force)
    yield from ((done, take.num_frames) for done in saved)


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
    saved = save_streamed(output, inverse, units=loaded.units, source=str(source), fps=rate, force=force)
    yield from ((done, max(total, done)) for done in saved)


def write_preview(
    depth_file: Path, files: Sequence[Path], *, shaded: Frames | None = None, force: bool = False
) -> None:
    """Write a strip of frames and a short video of what the network will see, near = white.

    Args:
        depth_file: the depth.
        files: the strip and the video.
        shaded: pictures of a scene that are drawn in the strip and shown in the video in place of the depth.
        force: whether existing files may be replaced.
    """
    depth = read_depth(depth_file)
    strip_file, video = files
    shown = range(min(depth.num_frames, _PREVIEW_FRAMES))
    frames = drawn_depth(depth.selected(shown)) if shaded is None else shaded
    rows = (depth,) if shaded is None else (depth, shaded)
    write_image(strip_file, strip(*rows), force=force)
    write_video(video, frames, depth.fps or 8.0, force=force)
