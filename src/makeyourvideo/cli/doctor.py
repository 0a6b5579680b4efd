"""`makeyourvideo doctor`: what is wrong with a depth file, and a mended copy of it; how a video holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from makeyourvideo.cli import app

if TYPE_CHECKING:
    from makeyourvideo.drift.meter import DriftReport

doctor = typer.Typer(help="Find what is wrong, before anything is made from it.", no_args_is_help=True)
app.add_typer(doctor, name="doctor")


@doctor.command()
def depth(
    path: Annotated[Path, typer.Argument(help="Grey video, .npy/.npz, or a folder of PNG, TIFF or EXR.")],
    depth_kind: Annotated[
        Literal["inverse", "metric"],
        typer.Option(help="Whether large values are near (inverse) or far (metric)."),
    ] = "inverse",
    inverted: Annotated[
        bool, typer.Option("--inverted", help="Inverse depth that is known to be stored with near as black.")
    ] = False,
    repair: Annotated[
        Path | None,
        typer.Option(help="Write a mended copy, if anything can be: .npz, and a record as .json."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a picture of the findings: .png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of sentences.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing results.")] = False,
) -> None:
    """Look at depth as stored and name its faults, each with evidence and a confidence from 0 to 1."""
    import json

    from makeyourvideo.outputs import check_free
    from makeyourvideo.structure.diagnosis import check_mended, diagnose, write_mended
    from makeyourvideo.structure.doctor_plot import check_plotting, plot_findings
    from makeyourvideo.structure.doctor_specimen import FAULTS

    if plot:
        check_plotting(plot)
        check_free(plot, force)
    if repair:
        check_mended(repair, force)
    found = diagnose(path, kind=depth_kind, inverted=inverted)
    told, lines, files = found.as_dict(), [], []
    for finding in found.findings:
        where = "" if finding.frame is None else f", frame {finding.frame}"
        surely = f"{finding.fault} ({finding.confidence:.2f}{where})"
        lines.append(f"{surely}: {FAULTS[finding.fault]}; {finding.evidence}")
    if not found.findings:
        lines.append(f"{path}: no fault found")
    if repair:
        repaired = write_mended(found, repair, force=force)
        files = [repair] if repaired.mended else []
        told |= {"mended": repaired.mended, "left": repaired.left, "output": str(repair) if files else None}
        lines += [f"mended {fault}: {done}" for fault, done in repaired.mended.items()]
        lines += [f"cannot mend {fault}: {why}" for fault, why in repaired.left.items()]
        if not files:
            lines.append(f"nothing to mend: {repair} is not written")
    if plot:
        plot_findings(found.specimen, found.findings, plot, force=force)
        files.append(plot)
    print(json.dumps(told, indent=1) if as_json else "\n".join([*lines, *map(str, files)]))


@doctor.command()
def video(
    path: Annotated[Path, typer.Argument(help="Any video, animated GIF or WebP, or a folder of PNG.")],
    borders: Annotated[
        str | None,
        typer.Option(
            help="Frames with which a window begins: 32,64. By default from the manifest beside it."
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write the measures over time as a picture: .png.")
    ] = None,
    to_json: Annotated[
        Path | None, typer.Option("--json", help="Write findings and measures as JSON.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing results.")] = False,
) -> None:
    """Tell whether a video's colours drift, windows do not meet, or frames jump; any length will do."""
    import json
    from dataclasses import asdict

    from makeyourvideo.cli.progress import progress_bar
    from makeyourvideo.drift.findings import DRIFT_FAULTS, drift_findings
    from makeyourvideo.drift.meter import DriftMeter
    from makeyourvideo.drift.plot import plot_drift
    from makeyourvideo.drift.video import borders_beside, parse_borders, watch
    from makeyourvideo.outputs import check_free, written_whole
    from makeyourvideo.structure.doctor_plot import check_plotting

    if plot:
        check_plotting(plot)
    for output in (plot, to_json):
        if output:
            check_free(output, force)
    meter = DriftMeter(borders_beside(path) if borders is None else parse_borders(borders))
    with progress_bar() as progress:
        task = progress.add_task("watching", total=None)
        for seen in watch(path, meter):
            progress.update(task, completed=seen)
    report = meter.report()
    findings = drift_findings(report)
    _print_measures(report)
    for finding in findings:
        where = "" if finding.frame is None else f", frame {finding.frame}"
        what = f"{DRIFT_FAULTS[finding.fault]}; {finding.evidence}"
        print(f"{finding.fault} ({finding.confidence:.2f}{where}): {what}")
    if not findings:
        print(f"{path}: no drift, seam or step found in {report.num_frames} frames")
    if plot:
        plot_drift(plot, report, force=force)
    if to_json:
        told = {"file": str(path), "findings": [asdict(finding) for finding in findings]}
        with written_whole(to_json, force) as unfinished:
            unfinished.write_text(json.dumps(told | report.model_dump(mode="json"), indent=1) + "\n")
    for file in (plot, to_json):
        if file:
            print(file)


def _print_measures(report: "DriftReport") -> None:
    from rich.console import Console
    from rich.table import Table

    from makeyourvideo.drift.findings import tell_seam, tell_trend

    table = Table("measure", "value [95 % interval]", box=None)
    for name, trend in report.color.items():
        table.add_row(f"{name}, levels in 100 frames", tell_trend(trend))
    warp = f"{tell_trend(report.warp)}, mean {report.mean_warp:.2f}"
    table.add_row("warp error, levels in 100 frames", warp)
    for name, seam in report.seams.items():
        table.add_row(f"change of {name}", tell_seam(seam))
    Console(width=110, markup=False).print(table)
