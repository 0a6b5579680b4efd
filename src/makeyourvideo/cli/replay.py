"""`makeyourvideo replay`: the video of a manifest once more."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from makeyourvideo.cli import app


@app.command()
def replay(
    manifest: Annotated[Path, Argument(help="The .json beside a video.")],
    output: Annotated[
        Path | None, Option("--output", "-o", help="Without it, NAME-replay beside the manifest.")
    ] = None,
    force: Annotated[bool, Option("--force", help="Replace existing results.")] = False,
) -> None:
    """Make the video of a manifest again, and say whether it came out with the same bytes."""
    from makeyourvideo.cli.running import follow, prepare_aloud, report
    from makeyourvideo.manifest import read_manifest
    from makeyourvideo.replay import check_inputs, check_same, differences
    from makeyourvideo.run import check_outputs, run

    original = read_manifest(manifest)
    target = output or _beside(manifest, original.video)
    check_outputs(target, force)
    check_inputs(original)
    for difference in differences(original):
        print(f"warning: {difference}", file=sys.stderr)
    job = prepare_aloud(original.settings)
    finished = follow(run(job, target, force=force))
    report(finished)
    check_same(original, finished)
    print(f"the same bytes as {original.video}")


def _beside(manifest: Path, video: str) -> Path:
    name = Path(video)
    return manifest.with_name(f"{name.stem}-replay{name.suffix}")
