"""Means, their ratios and kernel distances, each with its 95 % interval over scenes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.evaluation.metrics import kernel_distance

Interval = dict[str, float]  # mean, low, high; of a mean also the count of what it is of
Features = NDArray[np.float32]
_RESAMPLES = 2000
_HALVES = 200


def mean_with_interval(groups: Sequence[list[float]]) -> Interval:
    """Mean over all values and their count, with its bootstrap interval over scenes (each one group)."""
    mean, drawn = _means(groups)
    return {"mean": mean, **_ends(drawn), "count": sum(map(len, groups))}


def ratio_with_interval(above: Sequence[list[float]], below: Sequence[list[float]]) -> Interval:
    """Ratio of two means, with its bootstrap interval over scenes: group k of both is of the same scene.

    Raises:
        ZeroDivisionError: the mean of `below` is 0, or of some scenes drawn: the ratio has no upper end.
    """
    (mean, drawn), (base, drawn_base) = _means(above), _means(below)
    if (drawn_base == 0).any():
        raise ZeroDivisionError
    return {"mean": mean / base, **_ends(drawn / drawn_base)}


def distance_with_interval(features: Features, reference: Features) -> Interval:
    """The unbiased distance; its interval from half samples, since clips drawn twice would bias it."""
    rng = np.random.default_rng(0)
    halves = [
        kernel_distance(
            *(part[rng.permutation(len(part))[: len(part) // 2]] for part in (features, reference))
        )
        for _ in range(_HALVES)
    ]
    return {"mean": kernel_distance(features, reference), **_ends(np.array(halves))}


def _means(groups: Sequence[list[float]]) -> tuple[float, NDArray[np.float64]]:
    """Mean over all values, and over those of scenes drawn again and again, the same whoever asks.

    Where none of the scenes drawn has a value it is not a number.
    """
    rng = np.random.default_rng(0)
    sums, counts = (np.array([part(group) for group in groups]) for part in (sum, len))
    drawn = rng.integers(len(groups), size=(_RESAMPLES, len(groups)))
    with np.errstate(invalid="ignore"):
        means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return float(sums.sum() / counts.sum()), means


def _ends(drawn: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(drawn[~np.isnan(drawn)], [0.025, 0.975])
    return {"low": float(low), "high": float(high)}
