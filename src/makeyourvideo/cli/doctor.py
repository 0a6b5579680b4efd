"""`makeyourvideo doctor depth`: what is wrong with a depth file, and a mended copy of it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from makeyourvideo.cli import app

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
