"""`makeyourvideo depth`: anything that says where things are becomes depth on disk."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from makeyourvideo.cli import app


@app.command()
def depth(
    source: Annotated[Path, Argument(help="A video, GIF, WebP or folder of PNG in colour.")],
    output: Annotated[Path, Option("--output", "-o", help="The .npz to write.")],
    estimator: Annotated[
        str | None, Option(help="A folder or hub name of a depth estimator; without it, the bundled one.")
    ] = None,
    fps: Annotated[
        float | None, Option(help="Frames a second to pick; without it and a stride, every frame.")
    ] = None,
    frame_stride: Annotated[int | None, Option(help="Or pick every so many frames.")] = None,
    preview: Annotated[
        bool, Option("--preview", help="A strip (.png) and a short video (.mp4), too.")
    ] = False,
    force: Annotated[bool, Option("--force", help="Replace existing results.")] = False,
) -> None:
    """Estimate the depth of a video, steady over time; memory does not grow with its length."""
    from makeyourvideo.cli.progress import progress_bar
    from makeyourvideo.cli.running import quiet_libraries
    from makeyourvideo.depth_job import check_depth_outputs, estimate_depth, write_preview

    quiet_libraries()
    files = check_depth_outputs(output, preview, force)
    with progress_bar() as progress:
        task = progress.add_task("estimating depth", total=None)
        for done, total in estimate_depth(source, output, estimator, fps, frame_stride, force):
            progress.update(task, completed=done, total=total)
    if preview:
        write_preview(output, files[1:], force)
    for file in files:
        print(file)
