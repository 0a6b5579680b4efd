"""`makeyourvideo evaluate`: the held-out suite as a table, JSON and strips."""

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
    from makeyourvideo.evaluation.report import report

    report(suite.value, model, scenes, output)
