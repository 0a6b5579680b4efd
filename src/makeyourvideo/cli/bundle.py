"""`makeyourvideo bundle`: a model folder made small enough to hand on."""

from pathlib import Path
from typing import Annotated

import typer

from makeyourvideo.cli import app


@app.command()
def bundle(
    model: Annotated[Path, typer.Argument(help="Model folder that training wrote.")],
    output: Annotated[Path, typer.Argument(help="Folder for the small copy.")],
    force: Annotated[bool, typer.Option("--force", help="Replace what exists.")] = False,
) -> None:
    """Copy a model folder with its weights in half precision."""
    from makeyourvideo.training.bundle import bundle as copy_small

    size = copy_small(model, output, force)
    print(f"{output}  {size / 1e6:.1f} MB of weights")
