"""Faults that show in the samples as stored: their values, bits and ends."""

import numpy as np

from makeyourvideo.structure.doctor_specimen import NOWHERE, Finding, Floats, Mask, Specimen, box_mean
from makeyourvideo.structure.doctor_surfaces import find_inverted_polarity

_FEW_LEVELS = 300  # what 8 bits leave, whatever was done to them since
_SINGLE_STEPS = 0.002
_USED_CODES = 100  # of 256: fewer show as steps once they are stretched to the full range


def find_infinities(specimen: Specimen) -> Finding | None:
    """Infinity in inverse depth, where nothing is nearer than everything; NaN in areas."""
    if specimen.bits:
        return None
    unknown = np.isnan(specimen.stored)
    endless = np.zeros_like(unknown)
    if specimen.kind == "inverse":
        endless = np.abs(specimen.levels) >= NOWHERE
    unknown &= box_mean(unknown, 4) > 0.5  # scattered ones are holes
    wrong = endless | unknown
    if not wrong.any():
        return None
    frame = int(wrong.mean(axis=(1, 2)).argmax())
    shares = f"{endless.mean():.2%} of the samples are infinite or at least {NOWHERE:.0e}"
    seen = f"{shares}, {unknown.mean():.2%} undefined"
    return Finding("infinities", 1.0, seen, frame, {"share": float(wrong.mean())})


def find_holes(specimen: Specimen) -> Finding | None:
    """Samples without depth (zero, negative, NaN) inside surfaces that go on around them."""
    isolated = hole_mask(specimen)
    share = float(isolated.mean())
    if share < 3e-3:
        return None
    frame = int(isolated.mean(axis=(1, 2)).argmax())
    row, column = np.argwhere(isolated[frame])[0]
    where = f"as at row {row}, column {column}"
    seen = f"{share:.2%} of the samples have no depth though their surroundings do, {where}"
    return Finding("holes", min(0.6 + 60 * share, 0.99), seen, frame, {"share": share})


def hole_mask(specimen: Specimen) -> Mask:
    """Where samples are holes, `(frames, height, width)`."""
    empty = ~specimen.valid | (specimen.nearness <= 0)
    isolated = _isolated(empty, specimen)
    sky = (empty & ~isolated).mean(axis=2) > 0.2
    for frame, rows in zip(isolated, sky, strict=True):
        horizon = int(np.flatnonzero(rows).max(initial=-1)) + 1
        if frame[horizon:].sum() < 0.1 * frame.sum():  # the sky between the slats of a chair
            frame[:] = False
    return isolated


def _isolated(empty: Mask, specimen: Specimen) -> Mask:
    """Empty samples in a small part of a surface that is not near the far end itself."""
    if not empty.any():
        return empty
    share = box_mean(empty, 4)
    around = box_mean(np.where(empty, 0, specimen.nearness), 4) / np.maximum(1 - share, 1e-3)
    faint = box_mean(~empty & (specimen.nearness < 0.03), 4)  # as where noise lies over a sky
    return empty & (share < 0.4) & (around > 0.1) & (faint < 0.05)


def find_wrong_bit_depth(specimen: Specimen) -> Finding | None:
    """8, 10 or 12 bits in a container of 16: not scaled up, shifted, or repeated."""
    if specimen.bits != 16:
        return None
    codes = np.unique(specimen.stored.astype(np.int64))
    top = int(codes[-1])
    if len(codes) < 8:
        return None
    if top < 4096 and specimen.kind == "inverse":
        bits = max(int(top).bit_length(), 8)
        seen = f"no code is above {top}: {bits} bits in a container of 16"
        return Finding(
            "bit depth", 0.95 if bits in (8, 10, 12) else 0.8, seen, None, {"bits": bits, "top": top}
        )
    for bits in (8, 10, 12):
        high = codes >> (16 - bits)
        if (high << (16 - bits) == codes).all():
            how = "shifted up"
        elif ((high << (16 - bits)) | (high >> (2 * bits - 16)) == codes).all():
            how = "repeated"
        else:
            continue
        seen = f"all {len(codes)} codes are {bits} bits {how} to 16"
        return Finding("bit depth", 0.99, seen, None, {"bits": bits, "top": top})
    return None


def find_banding(specimen: Specimen) -> Finding | None:
    """Steps as of 8 bits or fewer: values on a coarse lattice, or 8-bit codes of which many stay unused."""
    finite = specimen.valid & np.isfinite(specimen.levels) & (specimen.levels < NOWHERE)
    if not finite.any() or _is_widened(specimen):
        return None
    low, high = float(specimen.levels[finite].min()), float(specimen.levels[finite].max())
    if specimen.bits == 8:
        return _sparse_codes(specimen)
    counts = [
        _count_levels(np.unique(values[mask]), high - low)
        for values, mask in zip(specimen.levels, finite, strict=True)
    ]
    levels = float(np.median(counts))
    if levels > _FEW_LEVELS:
        return None
    seen = f"about {levels + 1:.0f} levels from end to end, where the format holds many more"
    return Finding("banding", 0.95, seen, int(np.argmin(counts)), {"levels": levels + 1})


def _count_levels(values: Floats, extent: float) -> float:
    """How many even steps sorted values lie on; infinity where they lie on none.

    Rows of a floor, too, are evenly spaced, but not from the least value of the picture on.
    """
    if len(values) < 6 or extent <= 0:
        return np.inf
    offsets = (values - values[0]).astype(np.float64)
    gaps = np.diff(offsets)
    gaps = gaps[gaps > 1e-5 * extent]
    if not len(gaps) or offsets[-1] / gaps.min() > 1.1 * _FEW_LEVELS:
        return np.inf
    steps = round(offsets[-1] / gaps[gaps < 1.3 * gaps.min()].mean())
    slots = offsets * (steps / offsets[-1])
    return steps if np.mean(np.abs(slots - slots.round()) < 0.1) > 0.97 else np.inf


def _is_widened(specimen: Specimen) -> bool:
    found = find_wrong_bit_depth(specimen)
    return found is not None and "all" in found.evidence


def _sparse_codes(specimen: Specimen) -> Finding | None:
    """8-bit codes that never differ by one between neighbours, or only a part of the codes in use.

    A floor in a small picture skips codes from row to row, too, but along its rows surfaces take every step.
    """
    codes = np.unique(specimen.stored)
    extent = int(codes[-1]) - int(codes[0]) + 1
    if len(codes) < 8:
        return None
    single, small = 0, 0
    for axis in (1, 2):
        steps = np.abs(np.diff(specimen.stored.astype(np.int16), axis=axis))
        single += int((steps == 1).sum())
        small += int(((steps > 0) & (steps < 12)).sum())
    share = single / max(small, 1)
    if share > _SINGLE_STEPS and extent > _USED_CODES:
        return None
    what = f"{len(codes)} of 256 codes are used, between {codes[0]} and {codes[-1]}"
    seen = f"{what}; {share:.1%} of the small steps between neighbours are of one code"
    return Finding("banding", 0.9, seen, None, {"levels": float(len(codes))})


def find_clipping(specimen: Specimen) -> Finding | None:
    """A plateau at the near end: many samples at the very top, few just below.

    A plateau has an inside; the last row of a floor, which may be nearest as a whole, has none.
    """
    near = specimen.nearness
    rung = max(specimen.step, 1 / 255)
    top = near >= 1 - max(0.5 * specimen.step, 1e-5)
    inner = top[:, 1:-1, 1:-1] & top[:, :-2, 1:-1] & top[:, 2:, 1:-1] & top[:, 1:-1, :-2] & top[:, 1:-1, 2:]
    share = float(top.mean())
    below = float(np.mean((near < 1 - 0.5 * specimen.step) & (near >= 1 - 4.5 * rung) & ~top)) / 4
    if inner.mean() < 4e-3 or share < 4 * below or find_inverted_polarity(specimen):  # then it is the sky
        return None
    frame = int(top.mean(axis=(1, 2)).argmax())
    seen = f"{share:.1%} of the samples are at the very top, {below:.2%} at each level below it"
    return Finding("clipping", min(0.7 + 5 * share, 0.97), seen, frame, {"share": share})


def find_limited_range(specimen: Specimen) -> Finding | None:
    """Samples that end at 16 and 235 of 255 though claimed to be full range; or the reverse."""
    if specimen.kind == "metric":
        return None
    levels = specimen.levels[specimen.valid]
    if not levels.size:
        return None
    if specimen.bits and specimen.limited:
        outside = float(np.mean((levels < -0.004) | (levels > 1.004)))
        if outside < 0.02:
            return None
        seen = f"{outside:.0%} of the luma lies outside the limited range that is stated"
        return Finding("limited range", 0.9, seen, None, {"black": -16 / 219, "white": 239 / 219})
    black, robust_white = (float(end) * 255 for end in np.quantile(levels, (0.0005, 0.9998)))
    white = min(robust_white, float(levels.max()) * 255, key=lambda end: abs(end - 235))
    if abs(black - 16) > 1.6 or abs(white - 235) > 2.6 or levels.max() * 255 > 245:
        return None
    seen = f"samples end at {black:.1f} and {white:.1f} of 255, as limited range does (16 and 235)"
    return Finding("limited range", 0.95, seen, None, {"black": 16 / 255, "white": 235 / 255})
