"""What stored samples mean: metric or inverse, inverted, which range; and a warning where they belie it."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.media import Luma
from makeyourvideo.structure.depth import DepthVideo, Normalization, Units

Samples = NDArray[Any] | Luma

_BEYOND = 1e9  # metres; renderers write 1e10 where a ray meets nothing
_FAR_FOR_INVERSE = 1e4  # nothing filmed is nearer than a tenth of a millimetre
_COLORFUL = 0.1  # compression leaves grey below 0.02, dull colours are above 0.15
_OUTSIDE = 0.02  # codec overshoot leaves limited range in less than one pixel of a hundred
_UPSIDE_DOWN = 0.3  # sound depth has about -0.6


def warn(path: Path, seen: str) -> None:
    """Warn in one sentence about what was seen in a file."""
    warnings.warn(f"{path}: {seen}", stacklevel=2)


def from_inverse(
    path: Path,
    samples: Samples,
    normalization: Normalization,
    *,
    inverted: bool = False,
    ends: tuple[float, float] | None = None,
    units: Units = "relative",
) -> DepthVideo:
    """Take samples as inverse depth, near = large, or, inverted, near = small.

    Args:
        path: for messages, and the result's source.
        samples: as stored.
        normalization: over the clip or over each frame.
        inverted: near = small.
        ends: of integers and grey levels, the inverse depth of black and white (inverted: white and black).
        units: whether the inverse depth is in 1/metres.

    Raises:
        InputError: infinite samples, or as `DepthVideo.from_inverse_depth`.
    """
    inverse = as_floats(path, samples)
    if np.isinf(inverse).any():
        raise InputError(path, "finite inverse depth", "infinity, as in metric depth (kind metric)")
    low, high = inverse.min(), inverse.max()
    if high > _FAR_FOR_INVERSE:
        warn(path, f"values up to {high:.3g} look like metric depth (kind metric), not inverse depth")
    if high < 0:
        warn(path, f"all values are negative, {low:.3g} to {high:.3g}, which inverse depth never is")
    if inverted:
        inverse = (high if ends is None else 1) - inverse
    if ends is not None and _are_fractions(samples):
        inverse = np.clip(inverse, 0, 1) * np.float32(ends[1] - ends[0]) + np.float32(ends[0])
    depth = DepthVideo.from_inverse_depth(inverse, normalization=normalization, units=units, source=str(path))
    doubt = "is it not inverted?" if inverted else "is it inverted, or metric depth?"
    _warn_if_upside_down(path, depth, doubt)
    return depth


def from_metric(
    path: Path,
    samples: Samples,
    normalization: Normalization,
    *,
    ends: tuple[float, float] | None = None,
) -> DepthVideo:
    """Take samples as distances; 0 and less, infinity and 1e9 and more mean that nothing is there.

    Floats are metres. Integers and grey levels have an unknown unit, so their depth is relative, unless
    `ends` states the metres of black and of white.

    Raises:
        InputError: no positive sample, or as `DepthVideo.from_metric_depth`.
    """
    distance = as_floats(path, samples)
    if ends is not None and _are_fractions(samples):
        distance = np.clip(distance, 0, 1) * np.float32(ends[1] - ends[0]) + np.float32(ends[0])
    empty = distance <= 0
    if empty.all():
        raise InputError(path, "metric depth above 0", f"at most {distance.max():g}")
    if empty.any():
        seen = f"{empty.mean():.1%} of the values are 0 or negative, down to {distance.min():.3g}"
        warn(path, f"{seen}: taken as infinitely far (metric depth is above 0)")
    distance[empty | (distance >= _BEYOND)] = np.inf
    depth = DepthVideo.from_metric_depth(distance, normalization=normalization, source=str(path))
    _warn_if_upside_down(path, depth, "is it inverse depth?")
    in_metres = ends is not None or not _are_fractions(samples)
    return depth if in_metres else replace(depth, units="relative")


def _are_fractions(samples: Samples) -> bool:
    """Whether samples are integers or grey levels, without a unit of their own."""
    return isinstance(samples, Luma) or samples.dtype.kind != "f"


def as_floats(path: Path, samples: Samples) -> NDArray[np.float32]:
    """Samples as they are; of integers and grey levels, fractions of full scale.

    Raises:
        InputError: NaN.
    """
    if isinstance(samples, Luma):
        return _scaled(path, samples)
    floats = samples.astype(np.float32)
    if samples.dtype in (np.uint8, np.uint16):
        floats /= np.iinfo(samples.dtype).max
    unknown = np.isnan(floats)
    if unknown.any():
        frame = int(unknown.any(axis=(1, 2)).argmax())
        raise InputError(path, "depth everywhere", f"NaN in {unknown.sum()} pixels, first in frame {frame}")
    return floats


def _scaled(path: Path, luma: Luma) -> NDArray[np.float32]:
    """Scale luma codes so that black is 0 and white is 1, by the stream's range.

    Limited range has black at 16 and white at 235 of 255 (ITU-R BT.709). A stream that states no range is
    limited, unless many codes lie outside. Codec overshoot beyond black and white is kept.
    """
    if luma.chroma > _COLORFUL:
        warn(path, f"a colour picture, up to {luma.chroma:.0%} away from grey; only its brightness is read")
    black, white = 16 << (luma.bits - 8), 235 << (luma.bits - 8)
    full_range, outside = is_full_range(luma), _outside(luma)
    if not luma.full_range and outside > _OUTSIDE:
        seen = f"{outside:.0%} of the luma lies outside limited range, {black} to {white}"
        warn(path, f"{seen}: {'read as full range' if full_range else 'the file states that range wrongly'}")
    if full_range:
        black, white = 0, (1 << luma.bits) - 1
    scaled = luma.codes.astype(np.float32)
    scaled -= black
    scaled /= white - black
    return scaled


def is_full_range(luma: Luma) -> bool:
    """Whether luma is read as full range: as stated, or, unstated, by how many codes lie outside limited."""
    return _outside(luma) > _OUTSIDE if luma.full_range is None else luma.full_range


def _outside(luma: Luma) -> float:
    black, white = 16 << (luma.bits - 8), 235 << (luma.bits - 8)
    return float(np.mean((luma.codes < black) | (luma.codes > white)))


def _warn_if_upside_down(path: Path, depth: DepthVideo, doubt: str) -> None:
    """Floors lie below and skies above: the lower third of a picture is hardly ever the farther one.

    Compared are ranks among all pixels of a frame, so that it does not matter how depth is scaled.
    """
    third = max(depth.height // 3, 1)
    ranks = np.array([(_rank(frame[:third], frame), _rank(frame[-third:], frame)) for frame in depth.values])
    top, bottom = ranks.T
    if np.mean(top - bottom > _UPSIDE_DOWN) >= 0.75:
        seen = f"than {top.mean():.0%} of all pixels, the lower one than {bottom.mean():.0%}"
        warn(path, f"the upper third of the picture is nearer {seen}: {doubt}")


def _rank(part: NDArray[np.float32], frame: NDArray[np.float32]) -> float:
    """The share of a frame's pixels that a part's median is nearer than; ties count half."""
    median = np.median(part)
    return float(np.mean(frame < median) + np.mean(frame <= median)) / 2
