"""What a drift report says, in sentences with evidence."""

from makeyourvideo.drift.meter import COLORS, DriftReport
from makeyourvideo.drift.seams import Seam, Step
from makeyourvideo.drift.trends import Trend
from makeyourvideo.structure.doctor_specimen import Finding

DRIFT_FAULTS = {
    "drift": "the colours drift",
    "unrest": "what moves keeps its look less and less",
    "seam": "windows do not meet",
    "step": "a sudden change inside a window",
}
"""Every finding by name."""
_CHANCE, _CHANCE_OF_SEAM = 0.05, 0.02
_LEAST_DRIFT = 0.5  # 8-bit levels from the first frame to the last; less cannot be seen
_LEAST_UNREST = 0.2  # of the mean warp error


def drift_findings(report: DriftReport) -> list[Finding]:
    """Everything that is wrong over time; empty where nothing is.

    Colours drift where the 95 % interval of any slope leaves out 0. The confidence, and whether scores make
    a seam, count the chances of three colours and of two scores together (Bonferroni).
    """
    inside = [step for step in report.steps if not step.at_border]
    found = [_drift(report), _unrest(report), _seam(report), *(_step(step) for step in inside)]
    return [finding for finding in found if finding]


def _drift(report: DriftReport) -> Finding | None:
    least = 100 * _LEAST_DRIFT / report.num_frames
    drifting = [one for one in report.color.values() if not one.is_flat and abs(one.slope) >= least]
    if not drifting:
        return None
    chance = len(COLORS) * min(trend.p_value for trend in drifting)
    slopes = ", ".join(f"{name} {tell_trend(trend)}" for name, trend in report.color.items())
    numbers: dict[str, float | list[float]] = {
        name: [trend.slope, trend.low, trend.high] for name, trend in report.color.items()
    }
    return Finding("drift", max(1 - chance, 0.0), f"in levels of 255 in 100 frames: {slopes}", None, numbers)


def _unrest(report: DriftReport) -> Finding | None:
    trend = report.warp
    rise = trend.slope * report.num_frames / 100
    if trend.p_value >= _CHANCE or rise < _LEAST_UNREST * report.mean_warp or rise < _LEAST_DRIFT:
        return None
    mean = f"the warp error, {report.mean_warp:.2f} levels in the mean, rises"
    seen = f"{mean} in 100 frames by {tell_trend(trend)}"
    return Finding("unrest", 1 - trend.p_value, seen, None, {"slope": trend.slope})


def _seam(report: DriftReport) -> Finding | None:
    torn = sorted((step for step in report.steps if step.at_border), key=lambda step: -step.sigmas)
    chance = min((len(report.seams) * seam.p_value for seam in report.seams.values()), default=1.0)
    if not torn and chance >= _CHANCE_OF_SEAM:
        return None
    told = [f"{name} changes {tell_seam(seam)}" for name, seam in report.seams.items()]
    told += [f"{_jump(step)} at frame {step.frame}" for step in torn[:5]]
    told += [f"and {len(torn) - 5} more"] if len(torn) > 5 else []
    confidence = max(1 - chance, *(_confidence(step) for step in torn), 0.0)
    frames: dict[str, float | list[float]] = {"frames": [float(step.frame) for step in torn]}
    return Finding("seam", confidence, "; ".join(told), torn[0].frame if torn else None, frames)


def _step(step: Step) -> Finding:
    seen = f"{_jump(step)}, {step.sigmas:.0f} standard deviations from what is usual around it"
    return Finding("step", _confidence(step), seen, step.frame, {"sigmas": step.sigmas})


def _confidence(step: Step) -> float:
    return min(0.5 + step.sigmas / 20, 0.99)


def _jump(step: Step) -> str:
    color = ", ".join(f"{name} {level:+.1f}" for name, level in zip(COLORS, step.color, strict=True))
    return f"colours jump ({color} levels, warp error {step.warp_ratio:.1f} times the usual)"


def tell_trend(trend: Trend) -> str:
    """A slope with its interval, as people read it."""
    return f"{trend.slope:+.2f} [{trend.low:+.2f}, {trend.high:+.2f}]"


def tell_seam(seam: Seam) -> str:
    """A seam's score beside what chance gives, as people read it."""
    return f"{seam.ratio:.2f} times as much at borders (by chance up to {seam.chance_high:.2f})"
