"""A video, a 3D scene or other depth to depth on disk, as events; and what people look at beforehand."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.media import Frames, write_image, write_video
from makeyourvideo.outputs import check_free
from makeyourvideo.pictures import drawn_depth, strip
from makeyourvideo.structure.convention import Kind, convention_path
from makeyourvideo.structure.depth import DepthVideo, Units
from makeyourvideo.structure.export import DEPTH_SUFFIXES, FramesAs, write_depth
from makeyourvideo.structure.exr import openexr_for
from makeyourvideo.structure.files import read_depth
from makeyourvideo.structure.filming import BLOCKOUT_SUFFIXES, is_scene
from makeyourvideo.structure.picking import PickedFrames, check_pictures
from makeyourvideo.structure.scenes import SCENE_SUFFIXES, Shot
from makeyourvideo.structure.streaming import save_streamed

Floats = NDArray[np.float32]
PREVIEW_FRAMES = 64


def check_depth_outputs(
    output: Path, preview: bool = False, frames_as: FramesAs | None = None, force: bool = False
) -> list[Path]:
    """The depth and, with a preview, its strip and video; call it before any long work.

    Raises:
        InputError: an unknown suffix, a format of frames for what is no folder, OpenEXR is not installed, or
            one of them, or what says how a file is to be read, exists and `force` is false.
    """
    if output.suffix.lower() not in DEPTH_SUFFIXES:
        known = ", ".join(suffix for suffix in DEPTH_SUFFIXES if suffix)
        raise InputError(output, f"{known} or no suffix (a folder)", output.suffix)
    if frames_as and output.suffix:
        raise InputError(output, "a folder beside --frames-as", output.suffix)
    if frames_as == "exr":
        openexr_for(output)
    shown = (output.with_name(f"{output.stem}.preview{suffix}") for suffix in (".png", ".mp4"))
    files = [output, *(shown if preview else ())]
    stated = [] if output.suffix.lower() in ("", ".npz") else [convention_path(output)]
    for file in (*files, *stated):
        check_free(file, force)
    return files


def source_kind(source: Path, kind: Kind | None) -> Literal["depth", "scene", "video"]:
    """What a source of depth is: depth, where its kind is said; a 3D scene by its suffix; else a video.

    Raises:
        InputError: nothing there, none of them, or depth whose kind is not said.
    """
    if kind is not None:
        return "depth"
    if is_scene(source):
        return "scene"
    check_pictures(source, also=(*SCENE_SUFFIXES, *BLOCKOUT_SUFFIXES))
    return "video"


class Preview:
    """The first frames of depth on its way to the disk, to be looked at: a strip and a short video.

    Args:
        files: where the strip and the video go to.
        force: whether existing files may be replaced.
    """

    def __init__(self, files: Sequence[Path], force: bool = False) -> None:
        self._strip, self._video = files
        self._force = force
        self._frames: list[Floats] = []
        self._low, self._high = np.inf, -np.inf
        self._fps = 8.0

    def watch(self, inverse: Iterable[Floats], fps: float | None) -> Iterator[Floats]:
        """Pass frames of inverse depth `(height, width)` on, and keep the first of them."""
        self._fps = fps or self._fps
        for frame in inverse:
            self._low, self._high = min(self._low, float(frame.min())), max(self._high, float(frame.max()))
            if len(self._frames) < PREVIEW_FRAMES:
                self._frames.append(frame)
            yield frame

    def write(self, shaded: Frames | None = None) -> None:
        """Draw what was watched as the network will see it, near = white, over the range of all frames.

        `shaded` pictures of a scene are drawn in the strip, too, and shown in the video in its place.
        """
        scale, offset = (self._high - self._low) / 2, (self._high + self._low) / 2
        values = np.stack([((frame - offset) / scale).astype(np.float32) for frame in self._frames])
        count = len(values)
        depth = DepthVideo(values, np.full(count, scale), np.full(count, offset))
        rows = (depth,) if shaded is None else (depth, shaded)
        write_image(self._strip, strip(*rows), force=self._force)
        shown = drawn_depth(depth) if shaded is None else shaded
        write_video(self._video, shown, self._fps, force=self._force)


@dataclass(frozen=True)
class Target:
    """Where depth is written to; .npz in constant memory, other formats (see `write_depth`) at once.

    Attributes:
        output: the file or folder.
        frames_as: format of a folder's frames.
        force: whether what exists may be replaced.
        preview: what keeps the first frames to show.
    """

    output: Path
    frames_as: FramesAs = "png"
    force: bool = False
    preview: Preview | None = None

    def save(self, inverse: Iterator[Floats], units: Units, source: Path, fps: float | None) -> Iterator[int]:
        """Write frames of inverse depth; yields how many are done."""
        if self.preview is not None:
            inverse = self.preview.watch(inverse, fps)
        if self.output.suffix.lower() == ".npz":
            yield from save_streamed(
                self.output, inverse, units=units, source=str(source), fps=fps, force=self.force
            )
            return
        frames = []
        for frame in inverse:
            frames.append(frame)
            yield len(frames)
        depth = DepthVideo.from_inverse_depth(np.stack(frames), units=units, source=str(source), fps=fps)
        write_depth(depth, self.output, frames_as=self.frames_as, force=self.force)


def convert_depth(source: Path, target: Target, kind: Kind, fps: float | None) -> Iterator[tuple[int, int]]:
    """Write depth that is depth already in another form; yields (frames done, in all).

    Raises:
        InputError: as `read_depth`, or the target exists.
    """
    depth = read_depth(source, kind=kind, fps=fps)
    saved = target.save(iter(depth.inverse_depth()), depth.units, source, depth.fps)
    yield from ((done, depth.num_frames) for done in saved)


def film_depth(shot: Shot, target: Target) -> Iterator[tuple[int, int]]:
    """Cast the depth of a 3D scene; yields (frames done, in all).

    Raises:
        InputError: the camera sees nothing, or the target exists.
    """
    inverse = (np.reciprocal(depth) for depth in shot.stream())
    saved = target.save(inverse, "metric", shot.model.path, shot.fps)
    yield from ((done, len(shot.seconds)) for done in saved)


def estimate_depth(
    picked: PickedFrames, target: Target, estimator: str | None = None
) -> Iterator[tuple[int, int | None]]:
    """Estimate the depth of a video, one steady scale throughout; yields (frames done, about so many in all).

    Raises:
        InputError: the video or the estimator cannot be read, or the target exists.
    """
    # here, because they take seconds to import, and bad videos are refused where frames are picked
    from makeyourvideo.structure.estimators import load_estimator
    from makeyourvideo.structure.video import estimate_frames

    loaded = load_estimator(estimator)
    saved = target.save(estimate_frames(picked, loaded), loaded.units, picked.path, picked.fps)
    yield from ((done, picked.stated and max(picked.stated, done)) for done in saved)
