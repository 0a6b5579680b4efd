"""`makeyourvideo convert`: a foreign checkpoint becomes a model folder."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from makeyourvideo.cli import app


@app.command()
def convert(
    checkpoint: Annotated[
        Path, Argument(help="The reference's checkpoint, or a Stable Diffusion 2 depth model's folder.")
    ],
    out_dir: Annotated[Path, Argument(help="The model folder to make.")],
    config: Annotated[
        Path | None, Option(help="Sizes of the checkpoint's networks (JSON); without it, the released ones.")
    ] = None,
    force: Annotated[bool, Option("--force", help="Replace an existing folder.")] = False,
) -> None:
    """Turn a foreign checkpoint into a model folder in the diffusers layout.

    Nothing in the checkpoint is executed, and every tensor that is left out is listed. A Stable Diffusion
    depth model gets temporal layers that change nothing until they are trained.
    """
    from makeyourvideo.checkpoints import Copied, Dropped, Written
    from makeyourvideo.checkpoints import convert as convert_checkpoint

    for event in convert_checkpoint(checkpoint, out_dir, config, force):
        match event:
            case Dropped(reason, names):
                print(f"dropped {len(names)} ({reason}): {', '.join(names)}")
            case Written(folder, tensors, size):
                print(f"{out_dir / folder}: {tensors} tensors, {size / 1e6:.1f} MB")
            case Copied(folder, files):
                print(f"{out_dir / folder}: {', '.join(files)}, as they were")
    print(out_dir)
