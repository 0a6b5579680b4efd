"""The doctor's findings as a picture: one row each, the frame beside what gives the fault away."""

from pathlib import Path
from typing import Any

import numpy as np

from makeyourvideo.errors import InputError
from makeyourvideo.outputs import written_whole
from makeyourvideo.structure.doctor_codes import hole_mask
from makeyourvideo.structure.doctor_specimen import Finding, Specimen
from makeyourvideo.structure.doctor_surfaces import decode_srgb, white_of
from makeyourvideo.structure.doctor_time import alignments


def check_plotting(path: Path) -> None:
    """Refuse, before any work, to plot where that is impossible.

    Raises:
        InputError: another suffix than .png, or matplotlib is not installed.
    """
    if path.suffix.lower() != ".png":
        raise InputError(path, "a path that ends in .png", path.suffix or "no suffix")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError(
            path, "matplotlib (pip install 'makeyourvideo[evaluate]')", "no such package"
        ) from None


def plot_findings(specimen: Specimen, findings: list[Finding], path: Path, *, force: bool = False) -> None:
    """Plot each finding into one PNG; without findings, the middle frame and its histogram.

    Raises:
        InputError: as `check_plotting`, or `path` exists and `force` is false.
    """
    check_plotting(path)
    from matplotlib.figure import Figure

    shown = findings or [Finding("nothing found", 1, "no fault was found")]
    figure = Figure(figsize=(10, 3.2 * len(shown)), layout="constrained")
    for (picture, chart), finding in zip(figure.subplots(len(shown), 2, squeeze=False), shown, strict=True):
        frame = len(specimen.nearness) // 2 if finding.frame is None else finding.frame
        picture.imshow(specimen.nearness[frame], cmap="gray", vmin=0, vmax=1)
        picture.set_axis_off()
        picture.set_title(
            f"{finding.fault} ({finding.confidence:.0%}), frame {frame}", loc="left", fontsize=10
        )
        if finding.fault == "holes":
            rows, columns = np.nonzero(hole_mask(specimen)[frame])
            picture.scatter(columns, rows, s=6, facecolors="none", edgecolors="red", linewidths=0.6)
        _CHARTS.get(finding.fault, _histogram)(chart, specimen, frame)
        chart.set_title(finding.evidence, loc="left", fontsize=7, wrap=True)
    with written_whole(path, force) as unfinished:
        figure.savefig(unfinished, dpi=110, format="png")


def _histogram(chart: Any, specimen: Specimen, _frame: int) -> None:
    values = specimen.stored[specimen.valid & np.isfinite(specimen.levels)]
    chart.hist(values, bins=256, log=True)
    chart.set(xlabel="sample as stored", ylabel="how many")


def _over_time(chart: Any, specimen: Specimen, _frame: int) -> None:
    near = specimen.nearness
    fits = alignments(near)
    chart.plot(near.max(axis=(1, 2)), label="nearest")
    chart.plot(near.min(axis=(1, 2)), label="farthest")
    chart.plot(np.arange(1, len(near)), fits[:, 0] + fits[:, 1], "o-", label="scale against the frame before")
    chart.set(xlabel="frame")
    chart.legend(fontsize=7)


def _over_rows(chart: Any, specimen: Specimen, frame: int) -> None:
    chart.plot(np.median(specimen.nearness[frame], axis=1), np.arange(specimen.nearness.shape[1]))
    chart.invert_yaxis()
    chart.set(xlabel="median nearness of the row", ylabel="row")


def _bent_column(chart: Any, specimen: Specimen, frame: int) -> None:
    column = np.where(specimen.valid, specimen.levels, 0)[frame, :, specimen.levels.shape[2] // 2]
    shares = (column / white_of(specimen.levels[specimen.valid])).astype(np.float32)
    chart.plot(shares, label="as stored")
    chart.plot(decode_srgb(shares), label="without the sRGB curve")
    chart.set(xlabel="row of the middle column")
    chart.legend(fontsize=7)


def _one_row(chart: Any, specimen: Specimen, frame: int) -> None:
    row = specimen.nearness.shape[1] // 2
    chart.plot(specimen.nearness[frame, row], drawstyle="steps-mid", label=f"row {row}")
    chart.plot(
        specimen.nearness[frame, :, specimen.nearness.shape[2] // 2],
        drawstyle="steps-mid",
        label="middle column",
    )
    chart.set(xlabel="pixel", ylabel="nearness")
    chart.legend(fontsize=7)


_CHARTS = {
    "polarity": _over_rows,
    "scale jump": _over_time,
    "flicker": _over_time,
    "srgb": _bent_column,
    "banding": _one_row,
    "compression": _one_row,
}
