"""Depth in an .npz that `DepthVideo.save` wrote, read forwards as it is needed."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.structure.arrays import read_fields, read_header
from makeyourvideo.structure.depth import Normalization, Units, describe


class DepthFile:
    """A clip of depth on disk, of any length; see `DepthClip`.

    Frames are unpacked in the order in which they are stored, and only those of the last question are kept
    that any had to be unpacked for.
    Asking for frames before them is answered by beginning again.

    Args:
        path: the file.

    Raises:
        InputError: unreadable, or not as `DepthVideo.save` and `save_streamed` write it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        fields = read_fields(path)
        self.normalization: Normalization = fields.normalization
        self.units: Units = fields.units
        self.source, self.fps = fields.source, fields.fps
        self._scale, self._offset = fields.scale, fields.offset
        self.num_frames, self.height, self.width = fields.shape
        self._values: IO[bytes] | None = None
        self._next = 0
        self._kept: dict[int, NDArray[np.float32]] = {}

    @property
    def about(self) -> dict[str, str | float]:
        """What there is to say of the clip in a manifest."""
        return describe(self._scale, self._offset, self.normalization, self.units, self.source)

    def inverse_at(self, frames: Sequence[int]) -> NDArray[np.float32]:
        """The inverse depth `(len(frames), height, width)` of some frames.

        Raises:
            InputError: the file is damaged where they lie.
        """
        wanted = sorted(set(frames))
        missing = [frame for frame in wanted if frame not in self._kept]
        if missing:  # else a refiner looks at a part of what a window saw, and the next window at all of it
            self._kept = {frame: self._kept[frame] for frame in wanted if frame in self._kept}
        if missing and (self._values is None or missing[0] < self._next):
            self._rewind()
        for frame in missing:
            self._kept[frame] = self._read(frame)
        inverse = np.empty((len(frames), self.height, self.width), np.float32)
        for target, frame in zip(inverse, frames, strict=True):
            target[:] = self._kept[frame] * self._scale[frame] + self._offset[frame]
        return inverse

    def _rewind(self) -> None:
        if self._values is not None:
            self._values.close()
        with unreadable_unless(self.path, "an .npz archive"), zipfile.ZipFile(self.path) as archive:
            self._values = archive.open("values.npy")  # stays open when the archive is closed
        read_header(self._values)
        self._next = 0

    def _read(self, frame: int) -> NDArray[np.float32]:
        assert self._values is not None
        length = 4 * self.height * self.width
        with unreadable_unless(self.path, "an .npz archive"):
            for _ in range(self._next, frame):
                self._values.read(length)
            content = self._values.read(length)
        self._next = frame + 1
        values = np.frombuffer(content, np.float32)
        if len(content) != length or not (np.abs(values) <= 1).all():
            raise InputError(self.path, "values between -1 and 1", f"others in frame {frame}")
        return values.reshape(self.height, self.width)
