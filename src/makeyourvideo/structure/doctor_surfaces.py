"""Faults that show on surfaces: which way floors run, how planes bend, what ripples beside edges."""

import numpy as np

from makeyourvideo.structure.doctor_specimen import NOWHERE, Finding, Floats, Mask, Specimen

_RIPPLING = 0.006


def decode_srgb(levels: Floats) -> Floats:
    """Undo the sRGB curve (IEC 61966-2-1) on fractions of full scale."""
    low = levels <= 0.04045
    return np.where(low, levels / 12.92, ((np.maximum(levels, 0) + 0.055) / 1.055) ** 2.4).astype(np.float32)


def find_inverted_polarity(specimen: Specimen) -> Finding | None:
    """Near and far swapped: floors that near towards the top, what is farthest in front of what is nearest.

    Floors near towards the bottom of a picture, skies are a plateau at its top, and the borders of the
    upper half are seldom nearest. Each of these votes; disagreement lowers the confidence.
    """
    near = specimen.nearness
    floor = _floor_vote(near)
    if floor < 0 and specimen.kind == "inverse":  # infinity is the end that floors say it is
        near = np.where(specimen.levels >= NOWHERE, 1, near)
    votes = {"floor": floor, "thirds": _thirds_vote(near), "plateau": _plateau_vote(near)}
    total = 1.6 * votes["floor"] + votes["thirds"] + 1.2 * votes["plateau"]
    confidence = 1 / (1 + float(np.exp(3 * total)))
    if confidence < 0.6 or votes["floor"] > 0.3:
        return None
    told = ", ".join(f"{name} {vote:+.2f}" for name, vote in votes.items())
    seen = f"the upper part is nearer than the lower (votes from -1, upside down, to +1: {told})"
    if is_metric := _looks_metric(specimen):
        seen += "; floors are straight once the samples are inverted, so they are distances (kind metric)"
    return Finding("polarity", confidence, seen, None, {**votes, "metric": float(is_metric)})


def _looks_metric(specimen: Specimen) -> bool:
    """Whether float samples that are claimed to be inverse depth are distances: those bend planes."""
    valid = specimen.valid
    if specimen.kind == "metric" or specimen.bits or specimen.levels[valid].min() <= 0:
        return False
    distance = np.where(valid, specimen.levels, specimen.levels[valid].max())
    inverse = 1 / distance
    bends = []
    for values in (distance, inverse):
        shares = ((values - values.min()) / max(float(np.ptp(values)), 1e-12)).astype(np.float32)
        floor = _floor(shares)
        bends.append(abs(_bend(shares, floor)) if floor.sum() >= 200 else np.inf)
    return bool(np.isfinite(bends[1]) and bends[1] < 0.5 * bends[0])


def _floor_vote(near: Floats) -> float:
    """Where depth changes along columns and not along rows, as on floors: does it near downwards?"""
    down = near[:, 4:, 2:-2] - near[:, :-4, 2:-2]
    along = np.abs(near[:, 2:-2, 4:] - near[:, 2:-2, :-4])
    floor = (np.abs(down) > 0.004) & (np.abs(down) < 0.12) & (along < 0.15 * np.abs(down))
    share = float(floor.mean())
    if share < 0.005:
        return 0.0
    sign = float(np.mean(np.sign(down[floor])))
    return sign * min(share / 0.05, 1.0)


def _thirds_vote(near: Floats) -> float:
    """Ranks of the lower third against the upper one, frame by frame."""
    third = max(near.shape[1] // 3, 1)
    differences = []
    for frame in near:
        order = np.sort(frame, axis=None)
        top, bottom = (
            (np.searchsorted(order, part, "left") + np.searchsorted(order, part, "right")) / (2 * order.size)
            for part in (np.median(frame[:third]), np.median(frame[-third:]))
        )
        differences.append(bottom - top)
    return float(np.clip(np.mean(differences) / 0.5, -1, 1))


def _plateau_vote(near: Floats) -> float:
    """A plateau that fills the upper border at the far end is sky; at the near end, sky upside down."""
    top = near[:, : max(near.shape[1] // 12, 1)]
    far, close = float(np.mean(top <= 0.004)), float(np.mean(top >= 0.996))
    return min((far - close) / 0.15, 1.0) if far > close else far - close


def white_of(levels: Floats) -> float:
    """What stands for white: full scale, or where floats exceed it, the greatest."""
    greatest = float(levels.max())
    return greatest if greatest > 1.01 else 1.0


def find_srgb(specimen: Specimen) -> Finding | None:
    """An sRGB curve bends planes, which are straight in inverse depth; undoing it straightens them."""
    if specimen.kind == "metric":
        return None
    shares = np.where(specimen.valid, specimen.levels, 0)
    if float(shares.min()) < -0.01:
        return None
    shares /= np.float32(white_of(shares))
    straight = decode_srgb(shares)
    floor = _floor(shares)
    if floor.sum() < 200:
        return None
    bend, bend_after = _bend(shares, floor), _bend(straight, floor)
    if bend < 0.006 or abs(bend_after) > 0.5 * bend:
        return None
    seen = f"floors bend by {bend:.2%} of their slope, and by {bend_after:.2%} once an sRGB curve is undone"
    return Finding("srgb", min(0.6 + 0.4 * (1 - abs(bend_after) / bend), 0.95), seen, None, {"bend": bend})


def _triples(levels: Floats) -> tuple[Floats, Floats, Floats]:
    """Samples, those `reach` rows above and those below, where all three are in the picture."""
    reach = _reach(levels)
    inner = levels[:, :, reach:-reach]
    return inner[:, : -2 * reach], inner[:, reach:-reach], inner[:, 2 * reach :]


def _reach(levels: Floats) -> int:
    return max(min(levels.shape[1:]) // 12, 2)  # far enough apart that rounding does not hide a bend


def _floor(levels: Floats) -> Mask:
    """Triples of samples that climb evenly while their row stays level."""
    above, middle, below = _triples(levels)
    rise = np.abs(below - above)
    reach = _reach(levels)
    rows = levels[:, reach:-reach]
    left, right = rows[..., : -2 * reach], rows[..., 2 * reach :]
    level = np.maximum(np.abs(left - middle), np.abs(right - middle))
    even = (middle > np.minimum(above, below)) & (middle < np.maximum(above, below))
    halves = np.abs(middle - (above + below) / 2) < 0.12 * rise
    return (rise > 0.02) & (rise < 0.4) & even & halves & (level < 0.1 * rise)


def _bend(levels: Floats, floor: Mask) -> float:
    """How far the middle of a triple lies above the chord, as a share of its rise: the mean of most."""
    above, middle, below = _triples(levels)
    rise = np.maximum(np.abs(below - above), 1e-6)
    lifts = ((middle - (above + below) / 2) / rise)[floor]
    return float(lifts[np.abs(lifts - np.median(lifts)) < 0.03].mean())


def find_compression(specimen: Specimen) -> Finding | None:
    """Ripples of a few levels on surfaces that are smooth: second differences that edges do not explain."""
    share = ripples(specimen)
    worst = float(share.mean())
    if worst < _RIPPLING:
        return None
    seen = f"{worst:.1%} of the smooth samples ripple by more than rounding explains"
    return Finding("compression", min(0.5 + 5 * worst, 0.95), seen, int(share.argmax()), {"share": worst})


def ripples(specimen: Specimen) -> Floats:
    """The share of each frame's samples, away from edges, that leave their neighbours by a few levels."""
    near = specimen.nearness
    level = max(specimen.step, 1 / 255)
    shares = []
    for frame in near:
        shares.append(max(_alternating(frame, level), _alternating(frame.T, level)))
    return np.array(shares, np.float32)


def _alternating(frame: Floats, level: float) -> float:
    """The share of samples where three second differences in a row change sign twice; edges do it once."""
    bend = frame[:, :-2] - 2 * frame[:, 1:-1] + frame[:, 2:]
    small = (np.abs(bend) > 1.6 * level) & (np.abs(bend) < 12 * level)
    first, second, third = bend[:, :-2], bend[:, 1:-1], bend[:, 2:]
    wave = (first * second < 0) & (second * third < 0)
    return float(np.mean(wave & small[:, :-2] & small[:, 1:-1] & small[:, 2:]))
