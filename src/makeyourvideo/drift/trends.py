"""Trends over time, with intervals that hold for frames which resemble the frames before them."""

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Floats = NDArray[np.floating[Any]]
_BLOCKS = 32
_WANDERS = 0.8  # correlation of neighbouring blocks from which on they are taken for a random walk
_HIDDEN = 1.5  # of a random walk's variance, what averages over blocks show less of (Working, 1960)
_NORMAL = NormalDist()


class Trend(BaseModel):
    """A straight line through values over time.

    Attributes:
        slope: change in 100 frames, in the values' own units.
        low, high: 95 % interval of the slope.
        p_value: probability of a slope at least as steep where there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    slope: float
    low: float
    high: float
    p_value: float

    @property
    def is_flat(self) -> bool:
        """Whether the interval contains 0."""
        return self.low <= 0 <= self.high


def fit_trend(values: Floats) -> Trend:
    """Fit a line to values `(frames,)`, 16 or more, whose deviations may be correlated over many frames.

    Generalised least squares with first-order autoregressive deviations (Prais and Winsten, 1954), over the
    means of at most 32 blocks: within a block, noise that is independent from frame to frame averages out,
    which would otherwise hide the slow part. The correlation is freed of its bias in short series (Kendall,
    1954), and then taken one standard error higher, because too low a correlation makes the interval too
    narrow; where it comes near 1 the values count as a random walk. Standard errors that are consistent
    under autocorrelation (equally weighted cosines) were tried, too: in clips of a few hundred frames they
    cover too rarely, see docs/drift.md.
    """
    blocks = np.array_split(np.asarray(values, np.float64), min(len(values), _BLOCKS))
    sizes = np.array([len(block) for block in blocks])
    centres = np.cumsum(sizes) - sizes / 2
    means, centres, count = (
        np.array([block.mean() for block in blocks]),
        centres - centres.mean(),
        len(blocks),
    )
    correlation = 0.0
    for _ in range(3):
        _, _, rest = _fit(means, centres, correlation)
        seen = float(rest[1:] @ rest[:-1]) / max(float(rest[:-1] @ rest[:-1]), 1e-12)
        correlation = float(np.clip((count * seen + 2) / (count - 4), 0, 1))
    correlation += np.sqrt((1 - correlation**2) / count)
    wanders = correlation > _WANDERS
    slope, error, _ = _fit(means, centres, 1.0 if wanders else correlation)
    error *= np.sqrt(_HIDDEN) if wanders else 1.0
    reach = student(0.975, count - 2) * error
    p_value = 2 * (1 - _NORMAL.cdf(_as_normal(abs(slope) / max(error, 1e-12), count - 2)))
    return Trend(slope=100 * slope, low=100 * (slope - reach), high=100 * (slope + reach), p_value=p_value)


def _fit(values: Floats, times: Floats, correlation: float) -> tuple[float, float, Floats]:
    """Slope, its standard error, and what the line leaves, for a given correlation of neighbours."""
    line = np.stack([np.ones_like(times), times], axis=1)
    first = np.sqrt(max(1 - correlation**2, 1e-4))
    design = np.concatenate([first * line[:1], line[1:] - correlation * line[:-1]])
    target = np.concatenate([first * values[:1], values[1:] - correlation * values[:-1]])
    inverse = np.linalg.inv(design.T @ design)
    found = inverse @ design.T @ target
    variance = float(np.sum((target - design @ found) ** 2)) / (len(times) - 2)
    return float(found[1]), float(np.sqrt(variance * inverse[1, 1])), values - line @ found


def _as_normal(score: float, freedom: int) -> float:
    """A Student t score as a standard normal one (Wallace, 1959)."""
    return float((8 * freedom + 1) / (8 * freedom + 3) * np.sqrt(freedom * np.log1p(score**2 / freedom)))


def student(share: float, freedom: int) -> float:
    """Quantile of Student's t distribution above a half, the inverse of the above."""
    normal = _NORMAL.inv_cdf(share) * (8 * freedom + 3) / (8 * freedom + 1)
    return float(np.sqrt(freedom * np.expm1(normal**2 / freedom)))
