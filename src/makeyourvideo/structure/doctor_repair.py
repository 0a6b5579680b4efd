"""Mending depth: each fault that leaves enough behind, undone in the order of `FAULTS`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.structure.doctor_codes import hole_mask
from makeyourvideo.structure.doctor_specimen import FAULTS, Finding, Floats, Mask, Specimen
from makeyourvideo.structure.doctor_surfaces import decode_srgb, white_of
from makeyourvideo.structure.doctor_time import alignments

_WHY_NOT = {"clipping": "what was cut off is not in the file"}
_RESCALING = {"bit depth", "limited range", "srgb", "polarity", "scale jump", "flicker"}


@dataclass(frozen=True, eq=False)
class Repaired:
    """What mending made of a specimen.

    Attributes:
        inverse: float32 inverse depth `(frames, height, width)`, near = large.
        mended: what was done, by fault.
        left: why what was found is still there, by fault.
        keeps_scale: whether the inverse depth still has the scale of the samples.
    """

    inverse: Floats
    mended: dict[str, str]
    left: dict[str, str]
    keeps_scale: bool


def repair(specimen: Specimen, findings: Sequence[Finding]) -> Repaired:
    """Mend what can be mended of `findings`; everything else stays as it is."""
    found = {finding.fault: finding for finding in findings}
    inverse, mended = _values(specimen, found)
    holes = hole_mask(specimen) if "holes" in found else None
    if holes is not None:
        inverse = _filled(inverse, holes)
        mended["holes"] = f"{holes.sum()} samples filled from around them"
    if "scale jump" in found or "flicker" in found:
        inverse = _steadied(inverse, found, mended)
    low, high = float(inverse.min()), float(inverse.max())
    if "banding" in found or _is_8_bits(found.get("bit depth")):
        name = "banding" if "banding" in found else "bit depth"
        levels = found["banding"].numbers["levels"] if name == "banding" else 256
        step = (high - low) / max(float(np.asarray(levels)) - 1, 1)
        inverse = _smoothed(inverse, reach=1.5 * step, bound=0.5 * step, rounds=24)
        mended[name] = f"{mended.get(name, '')} smoothed within half a step".strip()
    if "compression" in found:
        inverse = _smoothed(inverse, reach=8 / 255 * (high - low), bound=np.inf, rounds=3)
        mended["compression"] = "smoothed between edges, within 8 of 255 levels"
    left = {fault: why for fault, why in _WHY_NOT.items() if fault in found}
    ordered = {fault: mended[fault] for fault in FAULTS if fault in mended}
    return Repaired(inverse.astype(np.float32), ordered, left, not _RESCALING & mended.keys())


def _values(specimen: Specimen, found: dict[str, Finding]) -> tuple[Floats, dict[str, str]]:
    """Faults of single values: each sample is mended alone."""
    mended: dict[str, str] = {}
    if specimen.kind == "metric":
        if "infinities" in found:
            mended["infinities"] = "undefined samples taken as 1/z = 0"
        inverse = specimen.inverse.copy()
        if "polarity" in found:  # it was inverse depth all along
            inverse = np.where(specimen.valid & np.isfinite(specimen.levels), specimen.levels, 0)
            mended["polarity"] = "read as inverse depth, near = large"
        return np.where(np.isfinite(inverse), inverse, 0), mended
    levels = np.where(specimen.valid, specimen.levels, 0)
    if "polarity" in found and found["polarity"].numbers["metric"]:
        mended["polarity"] = "read as distances, infinitely far where nothing is"
        return np.where(specimen.valid, 1 / np.maximum(levels, 1e-9), 0).astype(np.float32), mended
    if "infinities" in found:
        mended["infinities"] = f"{(~specimen.valid).sum()} samples taken as 1/z = 0"
    if bits := found.get("bit depth"):
        levels, mended["bit depth"] = _widened(specimen, bits)
    if "limited range" in found:
        black, white = (float(np.asarray(found["limited range"].numbers[end])) for end in ("black", "white"))
        levels = np.maximum((levels - black) / (white - black), 0)
        mended["limited range"] = (
            f"{black * 255:.0f} to {white * 255:.0f} of 255 stretched to all of the range"
        )
    if "srgb" in found:
        white = white_of(levels)
        levels = decode_srgb((levels / white).astype(np.float32)) * white
        mended["srgb"] = "the sRGB curve undone"
    if specimen.inverted != ("polarity" in found):
        levels = levels.max() - levels
        levels[~specimen.valid] = 0
    if "polarity" in found:
        mended["polarity"] = "turned round, near = large"
    return levels.astype(np.float32), mended


def _widened(specimen: Specimen, finding: Finding) -> tuple[Floats, str]:
    bits = int(np.asarray(finding.numbers["bits"]))
    codes = specimen.stored.astype(np.int64)
    if float(np.asarray(finding.numbers["top"])) >= 4096:
        codes >>= 16 - bits
    return (codes / ((1 << bits) - 1)).astype(np.float32), f"{bits} bits taken as full scale"


def _is_8_bits(finding: Finding | None) -> bool:
    return finding is not None and finding.numbers["bits"] == 8


def _filled(inverse: Floats, holes: Mask) -> Floats:
    """Grow the surroundings into holes, a ring a round."""
    filled = np.where(holes, 0, inverse)
    known = ~holes
    while not known.all():
        total, count = np.zeros_like(filled), np.zeros_like(filled)
        for axis in (1, 2):
            for step in (-1, 1):
                there = _shifted(known.astype(np.float32), step, axis)
                total += _shifted(filled, step, axis) * there
                count += there
        ring = ~known & (count > 0)
        if not ring.any():
            break
        filled[ring] = total[ring] / count[ring]
        known |= ring
    return filled


def _shifted(values: Floats, step: int, axis: int) -> Floats:
    """Values moved by a pixel; 0 comes in at the border."""
    moved = np.roll(values, step, axis)
    border = [slice(None)] * 3
    border[axis] = slice(0, 1) if step > 0 else slice(-1, None)
    moved[tuple(border)] = 0
    return moved


def _steadied(inverse: Floats, found: dict[str, Finding], mended: dict[str, str]) -> Floats:
    """Undo changes of scale and shift between frames, chained back to the first frame."""
    low, high = inverse.min(), inverse.max()
    near = (inverse - low) / (high - low)
    fits = _both_ways(near)
    if "scale jump" in found:
        jumps = {int(frame) - 1 for frame in np.atleast_1d(found["scale jump"].numbers["frames"])}
        fits = np.array([fit if index in jumps else (1.0, 0.0) for index, fit in enumerate(fits)])
        mended["scale jump"] = f"aligned from frame {min(jumps) + 1} on"
    else:
        mended["flicker"] = "every frame aligned with the one before it"
    gain, shift = 1.0, 0.0  # of the frame at hand against the first
    for index, (step_gain, step_shift) in enumerate(fits, start=1):
        gain, shift = step_gain * gain, step_gain * shift + step_shift
        near[index] = (near[index] - shift) / gain
    return np.asarray(near * (high - low) + low, np.float32)


def _both_ways(near: Floats) -> NDArray[np.float64]:
    """Gain and shift from each frame to the next, `(frames - 1, 2)`, as fitted forwards and backwards.

    Noise makes a fit in one direction too flat, and over a clip that adds up.
    """
    forwards, backwards = alignments(near)[:, :2], alignments(near[::-1])[::-1, :2]
    gains = np.maximum(np.stack([forwards[:, 0], 1 / np.maximum(backwards[:, 0], 0.05)]), 0.05)
    shifts = np.stack([forwards[:, 1], -backwards[:, 1] * gains[1]])
    return np.stack([np.sqrt(gains.prod(axis=0)), shifts.mean(axis=0)], axis=1)


def _smoothed(inverse: Floats, reach: float, bound: float, rounds: int) -> Floats:
    """Average each sample with neighbours within `reach` of it, at most `bound` from where it was."""
    current = inverse.astype(np.float32)
    ends = (inverse == inverse.min()) | (inverse == inverse.max())  # sky, and what the range hangs on
    for _ in range(rounds):
        padded = np.pad(current, ((0, 0), (1, 1), (1, 1)), mode="edge")
        total, count = current.copy(), np.ones_like(current)
        for before, after in (
            (padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]),
            (padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]),
        ):
            # In pairs, so that what lies beyond an edge on one side does not pull slopes askew.
            alike = (np.abs(before - current) <= reach) & (np.abs(after - current) <= reach)
            total += np.where(alike, before + after, 0)
            count += 2 * alike
        mean = np.clip(total / count, inverse - bound, inverse + bound)
        current = np.where(ends, inverse, mean).astype(np.float32)
    return current
