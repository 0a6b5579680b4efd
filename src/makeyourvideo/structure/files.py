"""Grey video, PNG, TIFF, NumPy and OpenEXR -> DepthVideo, whatever they mean by depth."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import (
    MAX_BYTES,
    VIDEO_SUFFIXES,
    Luma,
    check_fps,
    read_folder,
    read_gray_image,
    read_luma,
    read_tiff,
)
from makeyourvideo.structure.arrays import read_npy, read_npz
from makeyourvideo.structure.convention import (
    IN_FOLDER,
    Convention,
    Kind,
    inverse_ends,
    read_convention,
)
from makeyourvideo.structure.depth import DepthVideo, Normalization
from makeyourvideo.structure.exr import read_exr
from makeyourvideo.structure.meaning import Samples, as_floats, from_inverse, from_metric, warn


def read_depth(
    path: Path,
    *,
    kind: Kind = "inverse",
    inverted: bool = False,
    near: float | None = None,
    far: float | None = None,
    normalization: Normalization | None = None,
    fps: float | None = None,
    max_bytes: int = MAX_BYTES,
) -> DepthVideo:
    """Read depth from a grey video, PNG, TIFF, OpenEXR, .npy or .npz; of pictures, a folder or one.

    Integer samples count as fractions of full scale. Warns, with what was seen, where the samples
    contradict `kind` or `inverted`. What `write_depth` stated beside the samples is followed.

    Args:
        path: the file, or a folder of PNG, TIFF or OpenEXR frames in natural order of their names.
        kind: "inverse" where near is large (1/z, disparity, near = white); "metric" where far is large.
            Metric samples of 0 or less, infinity and 1e9 and more mean that nothing is there.
        inverted: inverse depth stored upside down, near = black.
        near: of integer samples and grey levels, the metres that one end of the scale stands for; then the
            result is in metric units. Inverse samples run evenly from 1/far to 1/near, metric ones
            from near to far.
        far: the other end; without it, inverse samples run to infinity.
        normalization: over the clip or over each frame; None: as the file was saved, else the clip.
        fps: frames a second; None: as the file says.
        max_bytes: what the file may unpack to.

    Returns:
        The depth; in metric units where a float file holds metric depth or the ends are known, else relative.

    Raises:
        InputError: missing, unreadable, cut short or too large files, mixed formats or sizes, no frames, NaN,
            constant depth, contradicting flags, an impossible rate.
    """
    flags = Convention(kind=kind, inverted=inverted, near=near, far=far)
    check_flags(path, flags)
    if fps is not None:
        check_fps(fps)
    samples, stated, rate = read_samples(path, flags, max_bytes)
    if isinstance(samples, DepthVideo):
        if inverted or near or far or (kind, samples.units) == ("metric", "relative"):
            warn(path, "it states its own convention, so the flags are not followed")
        depth = samples.normalized(normalization or samples.normalization)
    else:
        if stated and flags != Convention(kind="inverse") and (flags.kind != stated.kind or inverted or near):
            warn(path, "it states its own convention, so the flags are not followed")
        depth = interpret(path, samples, stated or flags, normalization)
    return replace(depth, fps=fps or (stated and stated.fps) or rate or depth.fps)


def check_flags(path: Path, flags: Convention) -> None:
    """Refuse flags that contradict each other, before anything is read.

    Raises:
        InputError: metric and inverted, or not 0 < near < far, or metric without `far` beside `near`.
    """
    if flags.kind == "metric" and flags.inverted:
        raise InputError(path, "metric depth or inverted inverse depth", "both flags")
    inverse_ends(path, flags.near, flags.far)
    if flags.kind == "metric" and flags.near is not None and flags.far is None:
        raise InputError(path, "near and far for metric samples", "near alone")


def interpret(
    path: Path, samples: Samples, convention: Convention, normalization: Normalization | None = None
) -> DepthVideo:
    """Turn samples into depth as a convention says, warning of doubts.

    Raises:
        InputError: as `read_depth`.
    """
    is_fraction = isinstance(samples, Luma) or samples.dtype.kind != "f"
    chosen = normalization or convention.normalization or "clip"
    ends = inverse_ends(path, convention.near, convention.far, convention.span)
    if convention.kind == "metric":
        if ends is not None and ends[0] > 0:
            ends = 1 / ends[1], 1 / ends[0]
        return from_metric(path, samples, chosen, ends=ends if is_fraction else None)
    is_metric = convention.units == "metric" or (is_fraction and convention.near is not None)
    depth = from_inverse(
        path,
        samples,
        chosen,
        inverted=convention.inverted,
        ends=ends,
        units="metric" if is_metric else "relative",
    )
    return replace(depth, source=convention.source or depth.source)


def read_samples(
    path: Path, flags: Convention, max_bytes: int = MAX_BYTES
) -> tuple[Samples | DepthVideo, Convention | None, float | None]:
    """Read samples `(frames, height, width)` as stored, what is stated beside them, and the frames a second.

    Raises:
        InputError: as `read_depth`, except for what the samples mean.
    """
    with unreadable_unless(path, "a depth file or a folder of frames"):
        path.stat()  # so that what is missing is said to be missing, whatever its suffix
        stated = read_convention(path)
        kind = (stated or flags).kind
        samples, rate = _read(path, kind, max_bytes)
    is_unstated = stated is None and flags.near is not None
    if is_unstated and isinstance(samples, np.ndarray) and samples.dtype.kind == "f":
        raise InputError(path, "integer samples or grey levels for near and far", f"{samples.dtype}")
    return samples, stated, rate


def read_fractions(path: Path, max_bytes: int = MAX_BYTES) -> NDArray[np.float32]:
    """Read grey samples `(frames, height, width)`, black 0 and white 1; floats as they are.

    Raises:
        InputError: as `read_depth`.
    """
    samples, _, _ = read_samples(path, Convention(kind="inverse"), max_bytes)
    return samples.inverse_depth() if isinstance(samples, DepthVideo) else as_floats(path, samples)


def _read(path: Path, kind: Kind, max_bytes: int) -> tuple[Samples | DepthVideo, float | None]:
    suffix = path.suffix.lower()
    nothing = np.inf if kind == "metric" else 0.0  # what a renderer cropped away met nothing
    readers: dict[str, Callable[[Path], NDArray[Any]]] = {
        ".png": partial(read_gray_image, max_bytes=max_bytes),
        ".tif": partial(_read_page, max_bytes=max_bytes),
        ".tiff": partial(_read_page, max_bytes=max_bytes),
        ".exr": partial(read_exr, max_bytes=max_bytes, outside=nothing),
    }
    if path.is_dir():
        suffix = _most_frames(path, readers)
        return read_folder(path, suffix, readers[suffix], max_bytes, besides=(IN_FOLDER,)), None
    if suffix in (".tif", ".tiff"):
        return read_tiff(path, max_bytes=max_bytes), None
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


def _most_frames(folder: Path, known: Mapping[str, object]) -> str:
    """The suffix of most of a folder's pictures; what stands among them is refused where they are read."""
    names = {file.name for file in folder.iterdir() if not file.name.startswith(".")} - {IN_FOLDER}
    counts = Counter(Path(name).suffix.lower() for name in names)
    if not counts.keys() & known:
        found = " and ".join(sorted(suffix or "no suffix" for suffix in counts)) or "nothing in it"
        raise InputError(folder, f"a folder of {', '.join(known)} frames", found)
    return max(known, key=lambda suffix: counts[suffix])


def _read_page(path: Path, max_bytes: int) -> NDArray[Any]:
    pages = read_tiff(path, max_bytes=max_bytes)
    if len(pages) > 1:
        raise InputError(path, "one page in each TIFF of a folder", f"{len(pages)} pages")
    return pages[0]
