"""A model filmed: frame after frame of depth, or pictures to look at."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.media import MAX_BYTES, check_fps, check_unpacked
from makeyourvideo.structure.depth import DepthVideo, Normalization
from makeyourvideo.structure.scenes.cameras import Cameras
from makeyourvideo.structure.scenes.casting import SceneCaster
from makeyourvideo.structure.scenes.model import Model
from makeyourvideo.structure.scenes.preview import shade

Floats = NDArray[np.float64]
_BYTES_A_RAY = 60
_MAX_FRAMES = 1_000_000


@dataclass(frozen=True)
class Shot:
    """Everything a clip needs: what there is, from where it is seen, when, and how large.

    `box` `(2, 3)` are the corners around the model, `seconds` `(f,)` the times of the frames, `looks` each
    mesh's colour `(meshes, 3)` and whether it is checkered `(meshes,)`, `max_bytes` what the clip may take.
    """

    model: Model
    box: Floats
    cameras: Cameras
    seconds: Floats
    fps: float
    height: int
    width: int
    looks: tuple[NDArray[np.float32], NDArray[np.bool_]]
    max_bytes: int = MAX_BYTES

    def stream(self) -> Iterator[NDArray[np.float32]]:
        """Yield each frame's z along the optical axis `(h, w)`, infinite where nothing is met.

        Raises:
            InputError: at the end, if nothing was met in any frame; the extra `scene` is not installed.
        """
        caster, seen = self._caster(), False
        for frame, second in enumerate(self.seconds.tolist()):
            depth = caster.depth(self.cameras, frame, second)
            seen = seen or bool(np.isfinite(depth).any())
            yield depth
        if not seen:
            expected = "a camera that sees something of the scene"
            raise InputError(self.model.path, expected, f"nothing in any of {len(self.seconds)} frames")

    def depth(self, normalization: Normalization = "clip") -> DepthVideo:
        """The whole clip, normalised over it or over each frame.

        Raises:
            InputError: as `stream`, too large a clip, or depth that is the same everywhere.
        """
        count = len(self.seconds)
        check_unpacked(self.model.path, 12 * count * self.height * self.width, self.max_bytes)
        clip = np.empty((count, self.height, self.width), np.float32)
        for frame, depth in enumerate(self.stream()):
            clip[frame] = depth
        return DepthVideo.from_metric_depth(
            clip, normalization=normalization, source=str(self.model.path), fps=self.fps
        )

    def preview(self, num_frames: int | None = None) -> NDArray[np.uint8]:
        """The clip, or its first frames, plainly shaded, uint8 `(f, h, w, 3)`; see `preview.shade`."""
        seconds = self.seconds[:num_frames]
        check_unpacked(self.model.path, 3 * len(seconds) * self.height * self.width, MAX_BYTES)
        caster, square = self._caster(), _round_length(self.box)
        pictures = [
            shade(caster.view(self.cameras, frame, second), *self.looks, square)
            for frame, second in enumerate(seconds.tolist())
        ]
        return np.stack(pictures)

    def _caster(self) -> SceneCaster:
        return SceneCaster(self.model, self.box.mean(axis=0), self.height, self.width)


def frame_times(num_frames: int, fps: float, start: float = 0.0) -> Floats:
    """When each frame is taken, in seconds `(f,)`.

    Raises:
        InputError: the numbers make no sense.
    """
    if not 1 <= num_frames <= _MAX_FRAMES:
        raise InputError("num_frames", f"1 to {_MAX_FRAMES}", str(num_frames))
    check_fps(fps)
    if not np.isfinite(start):
        raise InputError("start", "a finite time in seconds", f"{start:g}")
    return start + np.arange(num_frames) / fps


def check_size(path: Path, height: int, width: int, max_bytes: int = MAX_BYTES) -> None:
    """Refuse pictures without pixels, and pictures of the scene at `path` that are too large.

    Raises:
        InputError: a side is less than 1, or the rays through a picture take more than `max_bytes`.
    """
    if min(height, width) < 1:
        raise InputError("height and width", "at least 1 pixel", f"{height}x{width}")
    check_unpacked(path, _BYTES_A_RAY * height * width, max_bytes)


def _round_length(box: Floats) -> float:
    """A length of 1, 0.1, 10, … that fits about ten times into the box."""
    return float(10.0 ** np.round(np.log10(max(float((box[1] - box[0]).max()), 1e-30) / 10)))
