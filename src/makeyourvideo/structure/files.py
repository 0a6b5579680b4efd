"""Grey video, PNG, NumPy and OpenEXR -> DepthVideo, whatever they mean by depth."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import MAX_BYTES, VIDEO_SUFFIXES, read_folder, read_gray_image, read_luma
from makeyourvideo.structure.arrays import read_npy, read_npz
from makeyourvideo.structure.depth import DepthVideo, Normalization
from makeyourvideo.structure.exr import read_exr
from makeyourvideo.structure.meaning import Kind, Samples, as_floats, from_inverse, from_metric, warn


def read_depth(
    path: Path,
    *,
    kind: Kind = "inverse",
    inverted: bool = False,
    normalization: Normalization | None = None,
    fps: float | None = None,
    max_bytes: int = MAX_BYTES,
) -> DepthVideo:
    """Read depth from a grey video, PNG (8 or 16 bit), OpenEXR, .npy or .npz; of pictures, a folder or one.

    Integer samples count as fractions of full scale. Warns, with what was seen, where the samples
    contradict `kind` or `inverted`.

    Args:
        path: the file, or a folder of PNG or of OpenEXR frames in natural order of their names.
        kind: "inverse" where near is large (1/z, disparity, near = white); "metric" where far is large.
            Metric samples of 0 or less, infinity and 1e9 and more mean that nothing is there.
        inverted: inverse depth stored upside down, near = black.
        normalization: over the clip or over each frame; None: as the file was saved, else the clip.
        fps: frames a second; None: as the file says.
        max_bytes: what the file may unpack to.

    Returns:
        The depth; in metric units where a float file holds metric depth, else in relative units.

    Raises:
        InputError: missing, unreadable, cut short or too large files, mixed formats or sizes, no frames, NaN,
            constant depth, contradicting flags.
    """
    if kind == "metric" and inverted:
        raise InputError(path, "metric depth or inverted inverse depth", "both flags")
    with unreadable_unless(path, "a depth file or a folder of frames"):
        path.stat()  # so that what is missing is said to be missing, whatever its suffix
        samples, rate = _read_samples(path, max_bytes)
    if isinstance(samples, DepthVideo):
        if inverted or (kind, samples.units) == ("metric", "relative"):
            warn(path, "it states its own convention, so the flags are not followed")
        depth = samples.normalized(normalization or samples.normalization)
    else:
        interpret = from_metric if kind == "metric" else partial(from_inverse, inverted=inverted)
        depth = interpret(path, samples, normalization or "clip")
    return replace(depth, fps=fps or rate or depth.fps)


def read_fractions(path: Path, max_bytes: int = MAX_BYTES) -> NDArray[np.float32]:
    """Read grey samples `(frames, height, width)`, black 0 and white 1; floats as they are.

    Raises:
        InputError: as `read_depth`.
    """
    with unreadable_unless(path, "a grey video, a picture or a folder of pictures"):
        path.stat()
        samples, _ = _read_samples(path, max_bytes)
    return samples.inverse_depth() if isinstance(samples, DepthVideo) else as_floats(path, samples)


def _read_samples(path: Path, max_bytes: int) -> tuple[Samples | DepthVideo, float | None]:
    """Read samples `(frames, height, width)` as stored, and the frames a second where the file says."""
    suffix = path.suffix.lower()
    readers: dict[str, Callable[[Path], NDArray[Any]]] = {
        ".png": partial(read_gray_image, max_bytes=max_bytes),
        ".exr": partial(read_exr, max_bytes=max_bytes),
    }
    if path.is_dir():
        suffix = ".exr" if any(file.suffix.lower() == ".exr" for file in path.iterdir()) else ".png"
        return read_folder(path, suffix, readers[suffix], max_bytes), None
    if suffix in readers:
        return readers[suffix](path)[None], None
    if suffix == ".npz":
        return read_npz(path, max_bytes), None
    if suffix == ".npy":
        return read_npy(path, max_bytes), None
    if suffix in VIDEO_SUFFIXES:
        luma = read_luma(path, max_bytes=max_bytes)
        return luma, luma.fps
    known = ", ".join((*readers, ".npz", ".npy", *VIDEO_SUFFIXES))
    raise InputError(path, f"a folder of frames or one of {known}", suffix or "no suffix")
