"""Seams and steps: changes from frame to frame that stand out from those around them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Floats = NDArray[np.floating[Any]]
REACH = 7  # changes on either side that say what is usual
COLOR_FLOOR = 0.1  # 8-bit levels: what the flow misses of a change of colour even in calm clips
WARP_FLOOR = 0.25  # 8-bit levels: rounding
_LOG_FLOOR = 0.03
_LEAST_COLOR, _LEAST_WARP = 0.5, 1.5  # levels, and times the usual: less is not worth a word
_SIGMAS, _SIGMAS_AT_BORDER = 5.0, 4.0
_LARGEST = 10.0  # times the median: one cut shall not outweigh all else
_PLACINGS = 2000


class Step(BaseModel):
    """One frame that differs from the frame before by more than is usual around it.

    Attributes:
        frame: the first one after the step.
        color: by how much red, green and blue jump, in 8-bit levels, motion compensated.
        warp_ratio: the warp error over what is usual around it.
        sigmas: how far the step stands out, in robust standard deviations.
        at_border: whether a window begins there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    frame: int
    color: tuple[float, float, float]
    warp_ratio: float
    sigmas: float
    at_border: bool

    @property
    def levels(self) -> float:
        """The jump of the colour that jumps most, with its sign."""
        return max(self.color, key=abs)


class Seam(BaseModel):
    """How much more changes where windows begin than inside them.

    Attributes:
        ratio: mean change at the borders over the mean change elsewhere.
        chance_low, chance_high: between these are 95 % of the ratios of borders at random places.
        p_value: share of random places with a ratio at least as large.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ratio: float
    chance_low: float
    chance_high: float
    p_value: float


class Excess(NamedTuple):
    """What each change has beyond the usual around it; all from frame 1 on.

    Attributes:
        color: signed, in levels, `(frames - 1, 3)`.
        color_sigmas: the largest of the three, in robust standard deviations, `(frames - 1,)`.
        warp: the warp error over the usual, `(frames - 1,)`.
        warp_sigmas: its logarithm in robust standard deviations, `(frames - 1,)`; below 0 is calmer.
    """

    color: Floats
    color_sigmas: Floats
    warp: Floats
    warp_sigmas: Floats


def excess(changes: Floats, warp: Floats) -> Excess:
    """Compare each change of colour `(frames - 1, 3)` and warp error `(frames - 1,)` with those around it.

    The usual is a running median of 15 changes, the deviation the median of the absolute excess around a
    change or in the whole clip, whichever is larger.
    """
    color = changes - _running_median(changes)
    logs = np.log(np.maximum(warp, WARP_FLOOR))
    more = logs - _running_median(logs)
    sigmas = np.abs(color) / np.maximum(_deviation(color), COLOR_FLOOR)
    return Excess(color, sigmas.max(axis=1), np.exp(more), more / np.maximum(_deviation(more), _LOG_FLOOR))


def find_steps(found: Excess, borders: tuple[int, ...]) -> tuple[Step, ...]:
    """Every frame before which colour or content jumps; where a window begins a smaller jump will do."""
    frames = np.arange(1, len(found.warp) + 1)
    at_border = np.isin(frames, borders)
    needed = np.where(at_border, _SIGMAS_AT_BORDER, _SIGMAS)
    jumps = (found.color_sigmas >= needed) & (np.abs(found.color).max(axis=1) >= _LEAST_COLOR)
    tears = (found.warp_sigmas >= needed) & (found.warp >= _LEAST_WARP)
    return tuple(
        Step(
            frame=int(index) + 1,
            color=(red, green, blue),
            warp_ratio=round(float(found.warp[index]), 3),
            sigmas=round(float(max(found.color_sigmas[index], found.warp_sigmas[index])), 2),
            at_border=bool(at_border[index]),
        )
        for index in np.flatnonzero(jumps | tears)
        for red, green, blue in [found.color[index].round(3).tolist()]
    )


def score_seams(found: Excess, borders: tuple[int, ...]) -> dict[str, Seam]:
    """Score the borders' changes of `color` and of `content` against all others; empty without either."""
    places = np.array(borders, np.intp) - 1
    if not 0 < len(places) < len(found.warp):
        return {}
    return {
        "color": _score(np.abs(found.color).max(axis=1) + COLOR_FLOOR, places),
        "content": _score(found.warp, places),
    }


def _score(measure: Floats, places: NDArray[np.intp]) -> Seam:
    """The ratio, and what it would be by chance: its measure is free of what lasts for many frames, so that
    any places will do for a comparison."""
    measure = np.minimum(measure, _LARGEST * np.median(measure))
    total, count, inside = measure.sum(), len(places), len(measure) - len(places)
    rng = np.random.default_rng(0)
    drawn = [measure[rng.choice(len(measure), count, replace=False)].sum() for _ in range(_PLACINGS)]
    sums = np.array([measure[places].sum(), *drawn])
    ratio, *chance = (sums / count) / ((total - sums) / inside)
    low, high = np.quantile(chance, [0.025, 0.975])
    p_value = float(np.mean(np.append(chance, ratio) >= ratio * (1 - 1e-9)))
    return Seam(ratio=float(ratio), chance_low=float(low), chance_high=float(high), p_value=p_value)


def _running_median(values: Floats) -> Floats:
    padded = np.pad(values, [(REACH, REACH)] + [(0, 0)] * (values.ndim - 1), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1, axis=0)
    return np.median(windows, axis=-1)


def _deviation(values: Floats) -> Floats:
    """Robust standard deviation, around each value or of all, whichever is larger."""
    away = np.abs(values)
    return 1.4826 * np.maximum(_running_median(away), np.median(away, axis=0))
