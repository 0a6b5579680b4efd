"""`makeyourvideo evaluate`: the held-out suite as a table, JSON and a page to look at."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from makeyourvideo.cli import app


class Suite(StrEnum):
    """The suites there are."""

    world = "world"


@app.command()
def evaluate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for scores, summary and strips.")],
    suite: Annotated[Suite, typer.Option(help="What to measure on.")] = Suite.world,
    model: Annotated[Path | None, typer.Option(help="Model folder; the bundled model by default.")] = None,
    scenes: Annotated[int, typer.Option(min=1, help="How many held-out scenes.")] = 32,
) -> None:
    """Measure a model on held-out scenes; run the same line again to go on after a stop."""
    from rich.console import Console
    from rich.table import Table

    from makeyourvideo.cli.progress import progress_bar
    from makeyourvideo.evaluation.report import cell, read_summary, report

    with progress_bar() as progress:
        task = progress.add_task(f"suite {suite}")
        for done, total in report(model, scenes, output):
            progress.update(task, completed=done, total=total)
    summary = read_summary(output)
    table = Table("", *summary)
    for name in dict.fromkeys(name for measures in summary.values() for name in measures):
        table.add_row(name, *(cell(measures.get(name), name) for measures in summary.values()))
    Console(width=120).print(table)
    for name in ("index.html", "summary.json"):
        print(output / name)
