"""Faults between frames: a scale that changes from one to the next."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.structure.doctor_specimen import Finding, Floats, Specimen

_JUMP = 0.09
_STEADY = 0.045
_RENORMALISED = 0.012
_UNSTEADY = 0.055


def alignments(near: Floats) -> NDArray[np.float64]:
    """The gain and shift `(frames - 1, 2)` that best turn each frame into the next, and the rest's median.

    Robust against what moves: least squares with weights that fall with the residual.
    """
    stride = max(int(np.sqrt(near[0].size / 3000)), 1)
    few = near[:, ::stride, ::stride].reshape(len(near), -1).astype(np.float64)
    found = []
    for first, second in pairwise(few):
        found.append(min((_fit(first, second, start) for start in (0, 1)), key=lambda fit: fit[2]))
    return np.array(found).reshape(-1, 3)


def _fit(first: NDArray[np.float64], second: NDArray[np.float64], start: int) -> tuple[float, float, float]:
    solid = (first > 1e-3) & (second > 1e-3)  # the sky says nothing about the gain
    if solid.sum() < 50:
        return 1.0, 0.0, 0.0
    x, y = first[solid], second[solid]
    gain, shift = (1.0, 0.0) if start == 0 else (float(np.median(y / x)), 0.0)
    rest = np.abs(gain * x + shift - y)
    for _ in range(12):
        weights = 1 / (1 + (rest / (2 * np.median(rest) + 1e-5)) ** 2)
        total = weights.sum()
        mean_x, mean_y = (weights * x).sum() / total, (weights * y).sum() / total
        spread = (weights * (x - mean_x) ** 2).sum()
        if spread < 1e-9 * total:
            break
        gain = float((weights * (x - mean_x) * (y - mean_y)).sum() / spread)
        shift = float(mean_y - gain * mean_x)
        rest = np.abs(gain * x + shift - y)
    return gain, shift, float(np.mean(np.minimum(rest, 0.05)))


def _changes(fits: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much the near end moves from frame to frame, in logarithms."""
    return np.log(np.maximum(fits[:, 0] + fits[:, 1], 0.05))


def find_scale_jump(specimen: Specimen) -> Finding | None:
    """One or two sudden changes of scale in an otherwise steady clip."""
    if len(specimen.nearness) < 4:
        return None
    fits = alignments(specimen.nearness)
    changes = _changes(fits)
    usual = float(np.median(changes))
    sudden = np.abs(changes - usual)
    jumps = np.flatnonzero(sudden > max(_JUMP, 0.45 * sudden.max()))
    if not 0 < len(jumps) <= max(1, len(changes) // 5):
        return None
    calm = float(np.delete(sudden, jumps).max())
    if sudden[jumps].min() < 3 * calm or calm > _STEADY:
        return None
    frame = int(sudden.argmax()) + 1
    if fits[frame - 1, 2] > 0.03:  # not the same picture at another scale: a cut
        return None
    factor = float(np.exp(changes[frame - 1]))
    what = f"from frame {frame - 1} to frame {frame} the scale changes {factor:.2f} times"
    seen = f"{what}, elsewhere by {calm:.1%} at most"
    starts = [float(jump + 1) for jump in jumps]
    return Finding("scale jump", min(0.6 + 2 * sudden.max(), 0.97), seen, frame, {"frames": starts})


def find_flicker(specimen: Specimen) -> Finding | None:
    """Frames that all fill the range though the scene's own range changes; or a scale that trembles."""
    near = specimen.nearness
    if len(near) < 4 or find_scale_jump(specimen):
        return None
    changes = _changes(alignments(near))
    ends = np.stack([near.min(axis=(1, 2)), near.max(axis=(1, 2))])
    same_ends = bool((np.ptp(ends, axis=1) <= 1.01 * specimen.step + 1e-4).all())
    largest = float(np.abs(changes).max())
    tremble = float(np.sqrt(np.mean(np.diff(changes) ** 2))) if len(changes) > 1 else 0.0
    frame = int(np.abs(changes).argmax()) + 1
    numbers: dict[str, float | list[float]] = {"largest": largest, "tremble": tremble}
    if same_ends and largest > _RENORMALISED:
        seen = (
            f"every frame runs from end to end, yet the scale changes by up to {largest:.1%} between frames"
        )
        return Finding("flicker", min(0.7 + 3 * largest, 0.97), seen, frame, numbers)
    if tremble > _UNSTEADY:
        seen = f"the scale goes up and down by {tremble:.1%} from frame to frame"
        return Finding("flicker", min(0.5 + 4 * tremble, 0.95), seen, frame, numbers)
    return None
