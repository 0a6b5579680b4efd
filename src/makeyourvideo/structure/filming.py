"""A take of a 3D scene or of a block-out: depth frame by frame, or shaded pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.structure.scenes import (
    SCENE_SUFFIXES,
    preview_blockout,
    preview_scene,
    stream_blockout_depth,
    stream_scene_depth,
)

BLOCKOUT_SUFFIXES = (".yaml", ".yml")


def is_scene(path: Path) -> bool:
    """Whether a file is a 3D scene or a block-out, by its suffix."""
    return path.suffix.lower() in (*SCENE_SUFFIXES, *BLOCKOUT_SUFFIXES)


@dataclass(frozen=True)
class Take:
    """What is filmed, from where and for how long.

    Attributes:
        source: a 3D file, or a block-out in YAML, which has its own camera and start.
        camera: see `scenes.scene_depth`.
        num_frames, fps, height, width: of the depth.
        start: second of the scene's time at which it begins.
        animation: which of a glTF file's animations is played; all of them by default.
    """

    source: Path
    num_frames: int
    fps: float
    height: int
    width: int
    camera: str | None = None
    start: float = 0.0
    animation: str | None = None

    def stream(self) -> Iterator[NDArray[np.float32]]:
        """Metric depth z `(height, width)` of one frame after the other, infinite where nothing is.

        Raises:
            InputError: the scene or the camera cannot be used.
        """
        if self._is_blockout:
            return stream_blockout_depth(self.source, **self._size)
        return stream_scene_depth(self.source, self.camera, **self._size, **self._time)

    def depth(self) -> DepthVideo:
        """The whole take in memory.

        Raises:
            InputError: as `stream`, or the depth is the same everywhere.
        """
        frames = np.stack(list(self.stream()))
        return DepthVideo.from_metric_depth(frames, source=str(self.source), fps=self.fps)

    def preview(self) -> NDArray[np.uint8]:
        """The take as shaded pictures `(frames, height, width, 3)`."""
        if self._is_blockout:
            return preview_blockout(self.source, **self._size)
        return preview_scene(self.source, self.camera, **self._size, **self._time)

    @property
    def _is_blockout(self) -> bool:
        if self.source.suffix.lower() not in BLOCKOUT_SUFFIXES:
            return False
        if self.camera or self.start or self.animation:
            raise InputError(self.source, "a block-out with its own camera and times", "others asked for")
        return True

    @property
    def _size(self) -> dict[str, Any]:
        return {"num_frames": self.num_frames, "fps": self.fps, "height": self.height, "width": self.width}

    @property
    def _time(self) -> dict[str, Any]:
        return {"start": self.start, "animation": self.animation}
