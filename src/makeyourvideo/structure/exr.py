"""OpenEXR pictures -> depth samples: a Z pass on its own or a layer among others."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import check_unpacked


def read_exr(path: Path, max_bytes: int) -> NDArray[np.float32]:
    """Read the depth channel `(height, width)` of one picture, half or float, in any of its parts.

    That is `Z` or `V` in a layer named Depth (as Blender writes it), else `Z` or `V` anywhere but in a
    vector, else the only channel, else `Y`.

    Raises:
        InputError: OpenEXR is not installed, the picture is damaged or too large, or which channel is
            meant is not clear.
    """
    try:
        import OpenEXR
    except ImportError:
        raise InputError(path, "OpenEXR (pip install 'makeyourvideo[exr]')", "no such package") from None
    with unreadable_unless(path, "an OpenEXR picture"), _silenced():
        with OpenEXR.File(str(path), header_only=True) as file:
            headers = [dict(part.header) for part in file.parts]  # closing empties the original
        part, name = _depth_channel(path, headers)
        check_unpacked(path, sum(_num_bytes(header) for header in headers), max_bytes)
        window, display = (np.asarray(headers[part][key]).tolist() for key in ("dataWindow", "displayWindow"))
        if window != display:
            raise InputError(path, f"pixels for all of the picture {display}", f"only for {window}")
        with OpenEXR.File(str(path), separate_channels=True) as file:
            if len(file.parts) < len(headers):
                raise InputError(path, "a whole OpenEXR picture", "pixels damaged or cut short")
            return file.parts[part].channels[name].pixels.astype(np.float32)


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
