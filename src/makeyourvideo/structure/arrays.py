"""NumPy files -> depth samples; never unpickled, never allocated before the size is known."""

import math
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, get_args

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import check_unpacked
from makeyourvideo.structure.depth import DepthVideo, Normalization, Units

_FIELDS = {field.name for field in fields(DepthVideo)}  # what DepthVideo.save writes


def read_npy(path: Path, max_bytes: int) -> NDArray[Any]:
    """Read depth samples `(frames, height, width)`, or one frame `(height, width)`, from an .npy.

    Raises:
        InputError: unreadable, cut short, not numbers, of another shape, or too large.
    """
    with unreadable_unless(path, "a NumPy array"), path.open("rb") as file:
        return _as_frames(path, _read_array(path, file, path.stat().st_size, max_bytes))


def read_npz(path: Path, max_bytes: int) -> NDArray[Any] | DepthVideo:
    """Read an .npz: one that `DepthVideo.save` wrote, or else its array `depth`, or its only array.

    Raises:
        InputError: as `read_npy`, or it is not clear which array is meant.
    """
    with unreadable_unless(path, "an .npz archive"), zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if not members:
            raise InputError(path, "an array", "an empty archive")

        def read(name: str) -> NDArray[Any]:
            with archive.open(members[name]) as file:
                array = _read_array(path, file, members[name].file_size, max_bytes)
                file.read(1)  # only at its end does the archive compare its checksum
                return array

        if members.keys() == _FIELDS:
            return _restored(path, {name: read(name) for name in members})
        if len(members) > 1 and "depth" not in members:
            raise InputError(path, "one array, or one named depth", ", ".join(sorted(members))[:200])
        return _as_frames(path, read("depth" if "depth" in members else next(iter(members))))


def _read_array(path: Path, file: IO[bytes], num_bytes: int, max_bytes: int) -> NDArray[Any]:
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = headers[np.lib.format.read_magic(file)](file)
    if dtype.kind not in "fiuU":
        raise InputError(path, "an array of numbers", f"one of dtype {dtype}")
    if any(n < 1 for n in shape):
        raise InputError(path, "at least one frame", f"an array of shape {shape}")
    needed = math.prod(shape) * dtype.itemsize
    check_unpacked(path, max(needed, math.prod(shape) * 4), max_bytes)  # it becomes float32
    if num_bytes - file.tell() != needed:
        raise InputError(path, f"{needed} bytes of {shape} {dtype}", f"{num_bytes - file.tell()} bytes")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _as_frames(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "U":
        raise InputError(path, "an array of numbers", "text")
    if array.ndim == 2:
        return array[None]
    if array.ndim == 4 and array.shape[3] == 1:
        return array[..., 0]
    if array.ndim != 3:
        raise InputError(path, "an array of shape (frames, height, width)", f"shape {array.shape}")
    return array


def _restored(path: Path, saved: dict[str, NDArray[Any]]) -> DepthVideo:
    values, scale, offset = (saved[name] for name in ("values", "scale", "offset"))
    normalization, units, source = (str(saved[name]) for name in ("normalization", "units", "source"))
    fps = float(saved["fps"])
    is_sound = (
        values.ndim == 3
        and values.dtype == np.float32
        and scale.dtype == offset.dtype == np.float64
        and scale.shape == offset.shape == values.shape[:1]
        and bool((np.abs(values) <= 1).all() and (scale > 0).all() and np.isfinite(scale + offset).all())
        and normalization in get_args(Normalization)
        and units in get_args(Units)
        and (np.isnan(fps) or 0 < fps < np.inf)
    )
    if not is_sound:
        raise InputError(path, "a depth video as this program saves it", "fields that contradict each other")
    return DepthVideo(
        values, scale, offset,
        normalization="clip" if normalization == "clip" else "frame",
        units="metric" if units == "metric" else "relative",
        source=source,
        fps=None if np.isnan(fps) else fps,
    )  # fmt: skip
