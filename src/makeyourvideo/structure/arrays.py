"""NumPy files -> depth samples; never unpickled, never allocated before the size is known."""

import math
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, get_args

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import MAX_BYTES, check_unpacked
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
    shape, _, dtype = read_header(file)
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


@dataclass(frozen=True)
class Fields:
    """What `DepthVideo.save` writes beside the values; `shape` is theirs."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    normalization: Normalization
    units: Units
    source: str
    fps: float | None
    shape: tuple[int, int, int]


def is_saved_depth(path: Path) -> bool:
    """Whether a file is an .npz as `DepthVideo.save` writes it, by the names of its arrays."""
    if path.suffix.lower() != ".npz" or not zipfile.is_zipfile(path):
        return False
    with unreadable_unless(path, "an .npz archive"), zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy") for name in archive.namelist()} == _FIELDS


def read_fields(path: Path) -> Fields:
    """Read all but the values of an .npz that `DepthVideo.save` wrote, however long it is.

    Raises:
        InputError: unreadable, or fields that contradict each other.
    """
    with unreadable_unless(path, "an .npz archive"), zipfile.ZipFile(path) as archive:
        if {name.removesuffix(".npy") for name in archive.namelist()} != _FIELDS:
            raise InputError(path, "a depth video as this program saves it", "other arrays")
        saved = {}
        for name in _FIELDS - {"values"}:
            with archive.open(f"{name}.npy") as file:
                size = archive.getinfo(f"{name}.npy").file_size
                saved[name] = _read_array(path, file, size, MAX_BYTES)
        with archive.open("values.npy") as file:
            shape, is_fortran, dtype = read_header(file)
            size = archive.getinfo("values.npy").file_size - file.tell()
        if is_fortran or size != math.prod(shape) * dtype.itemsize or 0 in shape:
            raise InputError(path, f"{shape} values in rows", f"{size} bytes")
        return _checked_fields(path, saved, shape, dtype)


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read an .npy's shape, whether it is in columns, and its dtype."""
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    return headers[np.lib.format.read_magic(file)](file)


def _restored(path: Path, saved: dict[str, NDArray[Any]]) -> DepthVideo:
    values = saved["values"]
    fields = _checked_fields(path, saved, values.shape, values.dtype)
    if not (np.abs(values) <= 1).all():
        raise _contradicting(path)
    return DepthVideo(
        values, fields.scale, fields.offset, fields.normalization, fields.units, fields.source, fields.fps
    )


def _checked_fields(
    path: Path, saved: dict[str, NDArray[Any]], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Fields:
    scale, offset = saved["scale"], saved["offset"]
    normalization, units, source = (str(saved[name]) for name in ("normalization", "units", "source"))
    fps = float(saved["fps"])
    is_sound = (
        len(shape) == 3
        and dtype == np.float32
        and scale.dtype == offset.dtype == np.float64
        and scale.shape == offset.shape == shape[:1]
        and bool((scale > 0).all() and np.isfinite(scale + offset).all())
        and normalization in get_args(Normalization)
        and units in get_args(Units)
        and (np.isnan(fps) or 0 < fps < np.inf)
    )
    if not is_sound:
        raise _contradicting(path)
    return Fields(
        scale,
        offset,
        normalization="clip" if normalization == "clip" else "frame",
        units="metric" if units == "metric" else "relative",
        source=source,
        fps=None if np.isnan(fps) else fps,
        shape=(shape[0], shape[1], shape[2]),
    )


def _contradicting(path: Path) -> InputError:
    return InputError(path, "a depth video as this program saves it", "fields that contradict each other")
