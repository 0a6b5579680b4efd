"""`makeyourvideo train STAGE --config FILE`: one stage of the recipe, resumed where it stopped."""

import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from makeyourvideo.cli import app


class TrainingStage(StrEnum):
    """The stages, in the order in which they build on each other; depth and judges stand alone."""

    autoencoder = "autoencoder"
    image = "image"
    video = "video"
    decoder = "decoder"
    refiner = "refiner"
    camera = "camera"
    sketcher = "sketcher"
    covering = "covering"
    shading = "shading"
    sun = "sun"
    depth = "depth"
    judges = "judges"


@app.command()
def train(
    stage: Annotated[TrainingStage, typer.Argument(help="Which stage to train.")],
    config: Annotated[Path, typer.Option(help="The stage's YAML file (see configs/).")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the run: state, log, plot and model.")
    ],
    data: Annotated[Path, typer.Option(help="Folder of the rendered data sets; made where missing.")],
    model: Annotated[Path | None, typer.Option(help="Model folder that the stage before wrote.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="Model folder whose weights it begins with, wherever they fit.")
    ] = None,
) -> None:
    """Train one stage; the same line again goes on after a stop of any kind."""
    from makeyourvideo.cli.progress import progress_bar
    from makeyourvideo.memory import treat_freed_memory
    from makeyourvideo.training.loop import Step
    from makeyourvideo.training.run import run_stage

    treat_freed_memory(hands_back=False)
    smooth = None
    with warnings.catch_warnings(), progress_bar() as progress:
        warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
        task = progress.add_task("")
        for event in run_stage(stage, config, output, data, model, start):
            if not isinstance(event, Step):
                progress.update(task, description=event.what, completed=event.done, total=event.total)
                continue
            smooth = event.loss if smooth is None else smooth + 0.02 * (event.loss - smooth)
            told = f"loss {smooth:.4f}  {event.items_per_second:.0f}/s  {event.peak_share:.0%} of peak"
            progress.update(task, description=told, completed=event.step, total=event.steps)
            if not progress.console.is_terminal and event.step % 100 == 0:
                print(f"step {event.step} of {event.steps}  {told}", flush=True)
    print(output / "model")
