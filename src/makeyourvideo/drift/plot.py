"""A drift report as a picture: colours with their slopes, changes from frame to frame, warp error."""

from pathlib import Path
from typing import Any

import numpy as np

from makeyourvideo.drift.findings import tell_trend
from makeyourvideo.drift.meter import COLORS, DriftReport
from makeyourvideo.drift.trends import Trend
from makeyourvideo.outputs import written_whole
from makeyourvideo.structure.doctor_plot import check_plotting

_SHADES = {"red": "#c33", "green": "#2a2", "blue": "#33c"}


def plot_drift(path: Path, report: DriftReport, *, force: bool = False) -> None:
    """Plot a report into one PNG; dotted lines stand where windows begin, arrows where a step was found.

    Raises:
        InputError: matplotlib is not installed, or `path` exists and `force` is false.
    """
    check_plotting(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 9), layout="constrained")
    color, change, warp = figure.subplots(3, 1, sharex=True)
    frames, series = np.arange(report.num_frames), report.series
    for name, values in zip(COLORS, np.array(series.color).T, strict=True):
        trend = report.color[name]
        color.plot(frames, values, color=_SHADES[name], label=f"{name} {tell_trend(trend)}")
        _line(color, frames, values, trend, _SHADES[name])
    color.set(ylabel="mean, levels")
    color.set_title("colour: slope in 100 frames with its 95 % interval", loc="left", fontsize=10)
    change.plot(frames[1:], series.difference, color="gray", label="difference")
    for name, values in zip(COLORS, np.array(series.change).T, strict=True):
        change.plot(frames[1:], values, color=_SHADES[name], linewidth=0.8, label=f"{name} along the motion")
    for step in report.steps:
        change.annotate(
            str(step.frame), (step.frame, step.levels), (0, 22), textcoords="offset points",
            ha="center", fontsize=7, arrowprops={"arrowstyle": "->"},
        )  # fmt: skip
    change.set(ylabel="levels")
    change.set_title("change from the frame before", loc="left", fontsize=10)
    warp.plot(frames[1:], series.warp, color="black", label=f"warp error {tell_trend(report.warp)}")
    _line(warp, frames[1:], np.array(series.warp), report.warp, "black")
    warp.set(xlabel="frame", ylabel="levels")
    warp.set_title("difference along the motion", loc="left", fontsize=10)
    for axes in (color, change, warp):
        for border in report.borders:
            axes.axvline(border, color="black", linestyle=":", linewidth=0.8)
        axes.legend(fontsize=7, loc="upper right")
    with written_whole(path, force) as unfinished:
        figure.savefig(unfinished, dpi=110, format="png")


def _line(axes: Any, frames: Any, values: Any, trend: Trend, shade: str) -> None:
    """The fitted line through the mean, between the steepest and the flattest that the interval allows."""
    times = (frames - frames.mean()) / 100
    axes.plot(frames, values.mean() + trend.slope * times, "--", color=shade, linewidth=0.8)
    ends = [values.mean() + slope * times for slope in (trend.low, trend.high)]
    low, high = axes.get_ylim()
    axes.fill_between(frames, np.minimum(*ends), np.maximum(*ends), color=shade, alpha=0.08, linewidth=0)
    axes.set_ylim(
        min(low, values.min()), max(high, values.max())
    )  # wide intervals shall not flatten the rest
