"""OpenEXR pictures <-> depth samples: a Z pass on its own or a layer among others."""

import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import check_unpacked


def openexr_for(path: Path) -> Any:
    """The package that reads and writes `path`.

    Raises:
        InputError: OpenEXR is not installed.
    """
    try:
        import OpenEXR
    except ImportError:
        raise InputError(path, "OpenEXR (pip install 'makeyourvideo[exr]')", "no such package") from None
    return OpenEXR


def read_exr(path: Path, max_bytes: int, outside: float = np.inf) -> NDArray[np.float32]:
    """Read the depth channel `(height, width)` of one picture, half or float, in any of its parts.

    The result has the size of the display window: where a file holds no pixels for all of it, as renderers
    crop to what they met, there is `outside`; what it holds beyond is cut off.

    That is `Z` or `V` in a layer named Depth (as Blender writes it), else `Z` or `V` anywhere but in a
    vector, else the only channel, else `Y`.

    Raises:
        InputError: OpenEXR is not installed, the picture is damaged or too large, or which channel is
            meant is not clear.
    """
    library = openexr_for(path)
    with unreadable_unless(path, "an OpenEXR picture"), _silenced():
        with library.File(str(path), header_only=True) as file:
            headers = [dict(part.header) for part in file.parts]  # closing empties the original
        part, name = _depth_channel(path, headers)
        check_unpacked(path, sum(_num_bytes(header) for header in headers), max_bytes)
        display = _window(headers[part], "displayWindow")
        check_unpacked(path, 4 * math.prod(max(b - a, 0) for a, b in display), max_bytes)
        with library.File(str(path), separate_channels=True) as file:
            if len(file.parts) < len(headers):
                raise InputError(path, "a whole OpenEXR picture", "pixels damaged or cut short")
            pixels = file.parts[part].channels[name].pixels.astype(np.float32)
        return _framed(path, pixels, _window(headers[part], "dataWindow"), display, outside)


def write_exr(path: Path, name: str, frame: NDArray[np.float32]) -> None:
    """Write one channel `(height, width)` of 32-bit floats; for the inside of `written_whole`.

    Raises:
        InputError: OpenEXR is not installed.
    """
    library = openexr_for(path)
    header = {"type": library.scanlineimage, "compression": library.ZIP_COMPRESSION}
    library.File(header, {name: np.ascontiguousarray(frame)}).write(str(path))


def _window(header: dict[str, Any], key: str) -> list[tuple[int, int]]:
    """First and behind the last row, first and behind the last column, of a window of OpenEXR."""
    (left, top), (right, bottom) = np.asarray(header[key], np.int64).tolist()
    return [(top, bottom + 1), (left, right + 1)]


def _framed(
    path: Path,
    pixels: NDArray[np.float32],
    window: list[tuple[int, int]],
    display: list[tuple[int, int]],
    outside: float,
) -> NDArray[np.float32]:
    """Place the pixels of the data window in the display window."""
    if window == display:
        return pixels
    shared = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(window, display, strict=True)]
    if any(start >= stop for start, stop in shared):
        raise InputError(path, f"pixels inside the picture {display}", f"pixels for {window} alone")
    whole = np.full([stop - start for start, stop in display], outside, np.float32)
    to, where = (
        tuple(slice(a - start, b - start) for (a, b), (start, _) in zip(shared, frame, strict=True))
        for frame in (display, window)
    )
    whole[to] = pixels[where]
    return whole


def _num_bytes(header: dict[str, Any]) -> int:
    (left, top), (right, bottom) = np.asarray(header["dataWindow"], np.int64).tolist()
    return (right - left + 1) * (bottom - top + 1) * 4 * len(header["channels"])


def _depth_channel(path: Path, headers: list[dict[str, Any]]) -> tuple[int, str]:
    channels = [(part, channel.name) for part, header in enumerate(headers) for channel in header["channels"]]

    def layer(part: int, name: str) -> str:
        return name.rpartition(".")[0] or headers[part].get("name", "")

    vectors = {(part, layer(part, name)) for part, name in channels if name.rpartition(".")[2] == "X"}
    passes = [
        (part, name) for part, name in channels
        if name.rpartition(".")[2] in ("Z", "V") and (part, layer(part, name)) not in vectors
    ]  # fmt: skip
    named = [found for found in passes if layer(*found).rpartition(".")[2].lower() == "depth"]
    luminance = [found for found in channels if found[1] == "Y"]
    for found in (named, passes, channels if len(channels) == 1 else [], luminance):
        if len(found) == 1:
            return found[0]
        if found:
            break
    names = ", ".join(name for _, name in channels)
    raise InputError(path, "one depth channel (Z, V or Y)", names[:200] or "no channels")


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep the library's own complaints about damaged files off the terminal."""
    standard_error, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(nothing)
