"""Values between keyframes, and how time passes there."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Easing = Literal["linear", "ease", "ease-in", "ease-out", "hold"]

EASINGS: dict[Easing, Callable[[Floats], Floats]] = {
    "linear": lambda share: share,
    "ease": lambda share: share * share * (3 - 2 * share),
    "ease-in": lambda share: share * share,
    "ease-out": lambda share: share * (2 - share),
    "hold": lambda share: np.floor(share),  # jumps when the next keyframe is reached
}
"""What share of a change has happened after a share of its time; 0 -> 0, 1 -> 1."""


def between(times: Floats, values: Floats, easings: Sequence[Easing], seconds: Floats) -> Floats:
    """Interpolate keyframes; before the first and after the last, nothing moves.

    Args:
        times: seconds of the keyframes, rising, `(k,)`.
        values: what they say, `(k, channels)`.
        easings: how each keyframe goes over to the next, `k` of them; the last is not used.
        seconds: when to look, `(n,)`.

    Returns:
        `(n, channels)`.
    """
    if len(times) == 1:
        return np.repeat(values, len(seconds), axis=0)
    index = np.clip(np.searchsorted(times, seconds, side="right") - 1, 0, len(times) - 2)
    share = np.clip((seconds - times[index]) / (times[index + 1] - times[index]), 0, 1)
    for number, easing in enumerate(easings[:-1]):
        share[index == number] = EASINGS[easing](share[index == number])
    return values[index] + share[:, None] * (values[index + 1] - values[index])
