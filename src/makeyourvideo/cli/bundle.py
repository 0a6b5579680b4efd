"""`makeyourvideo bundle`: a model folder made small enough to hand on."""

from pathlib import Path
from typing import Annotated

import typer

from makeyourvideo.cli import app


@app.command()
def bundle(
    model: Annotated[Path, typer.Argument(help="Model folder that training wrote.")],
    output: Annotated[Path, typer.Argument(help="Folder for the small copy.")],
    text_width: Annotated[
        int | None,
        typer.Option(
            min=1, help="Keep so many hidden units in each layer of its text encoder, without training."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what exists.")] = False,
) -> None:
    """Copy a model folder in half precision, and with a narrower text encoder if asked for."""
    from makeyourvideo.training.bundle import bundle as copy_small

    made = copy_small(model, output, force, text_width)
    told = f"{output}  {made.size / 1e6:.1f} MB of weights"
    print(
        told
        if text_width is None
        else f"{told}, text embeddings off by {made.text_error:.1%} of their spread"
    )
