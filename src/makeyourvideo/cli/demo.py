"""`makeyourvideo demo`: the bundled model on the bundled example."""

from pathlib import Path
from typing import Annotated

from typer import Option

from makeyourvideo.cli import app


@app.command()
def demo(
    output: Annotated[Path, Option("--output", "-o", help="Folder for the results.")] = Path("outputs/demo"),
    force: Annotated[bool, Option("--force", help="Replace existing results.")] = False,
) -> None:
    """Make the example's video, its strip of frames and its manifest."""
    from makeyourvideo.cli.running import follow, prepare_aloud, report
    from makeyourvideo.job import example_settings
    from makeyourvideo.run import check_outputs, run

    video = output / "demo.mp4"
    check_outputs(video, force)
    job = prepare_aloud(example_settings())
    print(f"making {job.settings.prompt!r}", flush=True)
    report(follow(run(job, video, force=force), job.plan))
