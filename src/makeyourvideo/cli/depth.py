"""`makeyourvideo depth`: anything that says where things are becomes depth on disk."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from makeyourvideo.cli import app


@app.command()
def depth(
    source: Annotated[
        Path,
        Argument(help="A video or folder of PNG; a 3D scene (glTF, OBJ, PLY, STL); a block-out (YAML)."),
    ],
    output: Annotated[
        Path, Option("--output", "-o", help=".npz, .npy, grey .mp4/.mkv/.mov, or a folder of frames.")
    ],
    depth_kind: Annotated[
        Literal["inverse", "metric"] | None, Option(help="SOURCE is depth already, of this kind: convert it.")
    ] = None,
    frames_as: Annotated[Literal["png", "tif", "exr"], Option(help="Of a folder.")] = "png",
    estimator: Annotated[
        str | None, Option(help="Video: a folder or hub name of an estimator; without it, the bundled one.")
    ] = None,
    fps: Annotated[
        float | None,
        Option(help="Frames a second; without it, every frame of a video, and 8 of a scene."),
    ] = None,
    frame_stride: Annotated[int | None, Option(help="Video: or every so many frames.")] = None,
    camera: Annotated[
        str | None,
        Option(help="Scene: a .json of keyframes, orbit, dolly, crane, fly-through, or a camera's name."),
    ] = None,
    num_frames: Annotated[int, Option(help="Scene: how many frames.")] = 16,
    height: Annotated[int, Option(help="Scene: pixels.")] = 256,
    width: Annotated[int, Option(help="Scene: pixels.")] = 256,
    start: Annotated[float, Option(help="Scene: second at which to begin.")] = 0,
    animation: Annotated[str | None, Option(help="Scene: play this animation alone.")] = None,
    preview: Annotated[bool, Option("--preview", help="Also a .preview.png and a .preview.mp4.")] = False,
    force: Annotated[bool, Option("--force", help="Replace existing results.")] = False,
) -> None:
    """Make depth of a video, a 3D scene or a block-out; a .npz in memory that does not grow."""
    from makeyourvideo.cli.progress import progress_bar
    from makeyourvideo.cli.running import quiet_libraries
    from makeyourvideo.depth_job import (
        Target,
        check_depth_outputs,
        convert_depth,
        estimate_depth,
        film_depth,
        write_preview,
    )
    from makeyourvideo.structure.filming import film, is_scene

    quiet_libraries()
    files = check_depth_outputs(output, preview, force)
    target = Target(output, frames_as, force)
    shot = None
    if depth_kind is not None:
        what, steps = "converting depth", convert_depth(source, target, depth_kind, fps)
    elif is_scene(source):
        shot = film(
            source,
            num_frames=num_frames,
            fps=8.0 if fps is None else fps,
            height=height,
            width=width,
            camera=camera,
            start=start,
            animation=animation,
        )
        what, steps = "casting depth", film_depth(shot, target)
    else:
        what, steps = "estimating depth", estimate_depth(source, target, estimator, fps, frame_stride)
    with progress_bar() as progress:
        task = progress.add_task(what, total=None)
        for done, total in steps:
            progress.update(task, completed=done, total=total)
    if preview:
        write_preview(output, files[1:], shaded=shot.preview() if shot else None, force=force)
    for file in files:
        print(file)
