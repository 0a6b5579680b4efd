"""`makeyourvideo world`: clips of the synthetic world, with everything that is known about them."""

from pathlib import Path
from typing import Annotated

import typer

from makeyourvideo.cli import app


@app.command()
def world(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder; each scene gets one of its own in it.")
    ],
    count: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first scene; the next ones follow.")] = 0,
    size: Annotated[int, typer.Option(min=16, help="Height and width in pixels.")] = 128,
    num_frames: Annotated[int, typer.Option(min=2, help="Frames of a clip, at 8 a second.")] = 16,
    force: Annotated[bool, typer.Option("--force", help="Replace what exists.")] = False,
) -> None:
    """Render scenes: video, exact depth, masks, flow, caption and a strip to look at."""
    from makeyourvideo.cli.progress import progress_bar
    from makeyourvideo.world.export import export_scene

    with progress_bar() as progress:
        for scene in progress.track(range(seed, seed + count), description="rendering"):
            export_scene(scene, output / f"scene-{scene:08d}", size, num_frames, force)
