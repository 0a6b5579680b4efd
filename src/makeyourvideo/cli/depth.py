"""`makeyourvideo depth`: anything that says where things are becomes depth on disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from makeyourvideo.cli import app

_BELONGS = {
    "estimator": ("video",),
    "frame_stride": ("video",),
    "camera": ("scene",),
    "num_frames": ("scene",),
    "height": ("scene",),
    "width": ("scene",),
    "start": ("scene",),
    "animation": ("scene",),
}


@app.command()
def depth(
    source: Annotated[
        Path,
        Argument(
            help="A video or folder of PNG; a 3D scene (glTF, OBJ, PLY, STL); a block-out (YAML); "
            "with --depth-kind, depth (grey video, .npy/.npz, folder of PNG, TIFF or EXR)."
        ),
    ],
    output: Annotated[
        Path, Option("--output", "-o", help=".npz, .npy, grey .mp4/.mkv/.mov, or a folder of frames.")
    ],
    depth_kind: Annotated[
        Literal["inverse", "metric"] | None, Option(help="SOURCE is depth of this kind: convert it.")
    ] = None,
    frames_as: Annotated[
        Literal["png", "tif", "exr"] | None, Option(help="Of a folder; without it, png.")
    ] = None,
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
    num_frames: Annotated[int | None, Option(help="Scene: how many frames; without it, 16.")] = None,
    height: Annotated[int | None, Option(help="Scene: pixels; without it, 256.")] = None,
    width: Annotated[int | None, Option(help="Scene: pixels; without it, 256.")] = None,
    start: Annotated[float | None, Option(help="Scene: second at which to begin; without it, 0.")] = None,
    animation: Annotated[str | None, Option(help="Scene: play this animation alone.")] = None,
    preview: Annotated[
        bool, Option("--preview", help="Also a .preview.png and .preview.mp4 of the start.")
    ] = False,
    force: Annotated[bool, Option("--force", help="Replace existing results.")] = False,
) -> None:
    """Make depth of a video, a 3D scene or a block-out, or convert it; .npz in memory that does not grow."""
    from makeyourvideo.cli.progress import progress_bar
    from makeyourvideo.cli.telling import warnings_told
    from makeyourvideo.depth_job import (
        PREVIEW_FRAMES,
        Preview,
        Target,
        check_depth_outputs,
        convert_depth,
        estimate_depth,
        film_depth,
        source_kind,
    )
    from makeyourvideo.settings import check_belonging
    from makeyourvideo.structure.filming import film
    from makeyourvideo.structure.picking import pick_from_video

    given = {
        "estimator": estimator,
        "frame_stride": frame_stride,
        "camera": camera,
        "num_frames": num_frames,
        "height": height,
        "width": width,
        "start": start,
        "animation": animation,
    }
    files = check_depth_outputs(output, preview, frames_as, force)
    kind = source_kind(source, depth_kind)
    check_belonging(given, kind, source, _BELONGS)
    glance = Preview(files[1:], force) if preview else None
    target = Target(output, frames_as or "png", force, glance)
    shot = None
    steps: Iterator[tuple[int, int | None]]
    if depth_kind is not None:
        what, steps = "converting depth", convert_depth(source, target, depth_kind, fps)
    elif kind == "scene":
        shot = film(
            source,
            num_frames=16 if num_frames is None else num_frames,
            fps=8.0 if fps is None else fps,
            height=256 if height is None else height,
            width=256 if width is None else width,
            camera=camera,
            start=start or 0,
            animation=animation,
        )
        what, steps = "casting depth", film_depth(shot, target)
    else:
        picked = pick_from_video(source, fps=fps, frame_stride=frame_stride)
        from makeyourvideo.cli.running import quiet_libraries  # not before bad input is refused

        quiet_libraries()
        what, steps = "estimating depth", estimate_depth(picked, target, estimator)
    with warnings_told(), progress_bar() as progress:
        task = progress.add_task(what, total=None)
        for done, total in steps:
            progress.update(task, completed=done, total=total)
    if glance:
        glance.write(shot.preview(PREVIEW_FRAMES) if shot else None)
    for file in files:
        print(file)
