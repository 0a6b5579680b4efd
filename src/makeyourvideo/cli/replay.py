"""`makeyourvideo replay`: the video of a manifest once more."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from makeyourvideo.cli import app
from makeyourvideo.errors import InputError


@app.command()
def replay(
    manifest: Annotated[Path, Argument(help="The .json beside a video.")],
    output: Annotated[
        Path | None,
        Option("--output", "-o", help="Without it, NAME-replay (or NAME-redo) beside the manifest."),
    ] = None,
    redo_window: Annotated[
        int | None, Option(help="Of a streamed video, make only this window again, the first being 0.")
    ] = None,
    seed: Annotated[
        int | None, Option(min=0, help="Of that window's noise; without it, one that was not used yet.")
    ] = None,
    force: Annotated[bool, Option("--force", help="Replace existing results.")] = False,
) -> None:
    """Make the video of a manifest again, and say whether it came out with the same bytes.

    With --redo-window one window of a streamed video is made again with other noise, fitted in between its
    neighbours, which stay as they are.
    """
    from makeyourvideo.cli.running import follow, prepare_aloud, report
    from makeyourvideo.manifest import read_manifest
    from makeyourvideo.replay import check_inputs, check_same, differences, with_window_redone
    from makeyourvideo.run import check_early, run

    original = read_manifest(manifest)
    target = output or _beside(manifest, original.video, "replay" if redo_window is None else "redo")
    check_early(original.settings, target, force)
    settings, earlier = original.settings, None
    if redo_window is not None:
        settings, earlier = with_window_redone(original, manifest.parent, redo_window, seed)
    elif seed is not None:
        raise InputError("seed", "one only with --redo-window", str(seed))
    check_inputs(original)
    for difference in differences(original):
        print(f"warning: {difference}", file=sys.stderr)
    job = prepare_aloud(settings)
    finished = follow(run(job, target, force=force, earlier=earlier), job.plan)
    report(finished)
    if earlier is None:
        check_same(original, finished)
        print(f"the same bytes as {original.video}")
    else:
        window, its_seed = settings.redone[-1]
        print(f"window {window} is made again with seed {its_seed}")


def _beside(manifest: Path, video: str, what: str) -> Path:
    name = Path(video)
    return manifest.with_name(f"{name.stem}-{what}{name.suffix}")
