"""`makeyourvideo evaluate`: the held-out suite as a table, JSON and a page to look at."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from makeyourvideo.cli import app


class SuiteName(StrEnum):
    """The suites there are."""

    world = "world"


@app.command()
def evaluate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for scores, summary and strips.")],
    suite: Annotated[SuiteName, typer.Option(help="What to measure on.")] = SuiteName.world,
    model: Annotated[Path | None, typer.Option(help="Model folder; the bundled model by default.")] = None,
    ablation: Annotated[
        list[str] | None,
        typer.Option(help="NAME=DIR: a model trained without one of its parts; may be given again."),
    ] = None,
    scenes: Annotated[int, typer.Option(min=1, help="How many held-out scenes.")] = 200,
    ablation_scenes: Annotated[int, typer.Option(min=0, help="How many of them for the ablations.")] = 64,
    long_scenes: Annotated[int, typer.Option(min=0, help="How many of 64, and of 128 frames.")] = 24,
) -> None:
    """Measure a model on held-out scenes; run the same line again to go on after a stop."""
    from rich.console import Console
    from rich.table import Table

    from makeyourvideo.cli.progress import progress_bar
    from makeyourvideo.cli.running import quiet_libraries
    from makeyourvideo.errors import InputError
    from makeyourvideo.evaluation.report import Suite, read_tables, report
    from makeyourvideo.evaluation.tables import cell, measures_in

    folders: dict[str, Path] = {}
    for given in ablation or ():
        name, equals, folder = given.partition("=")
        if not (name and equals and folder):
            raise InputError("--ablation", "NAME=DIR", given)
        folders[name] = Path(folder)
    quiet_libraries()
    chosen = Suite(model, folders, scenes, ablation_scenes, long_scenes)
    with progress_bar() as progress:
        task = progress.add_task(f"suite {suite}")
        for done, total in report(chosen, output):
            progress.update(task, completed=done, total=total)
    console = Console(width=160)
    for title, columns in read_tables(output).items():
        table = Table("", *columns, title=title)
        for measure in measures_in(columns):
            table.add_row(measure, *(cell(column.get(measure), measure) for column in columns.values()))
        console.print(table)
    for file in ("index.html", "summary.json"):
        print(output / file)
