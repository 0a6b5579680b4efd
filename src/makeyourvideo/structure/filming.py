"""A file that shows a scene in 3D -> a shot of it, whatever its kind."""

from pathlib import Path

from makeyourvideo.errors import InputError
from makeyourvideo.structure.scenes import SCENE_SUFFIXES, Shot, film_blockout, film_scene

BLOCKOUT_SUFFIXES = (".yaml", ".yml")


def is_scene(path: Path) -> bool:
    """Whether a file is a 3D scene or a block-out, by its suffix."""
    return path.suffix.lower() in (*SCENE_SUFFIXES, *BLOCKOUT_SUFFIXES)


def film(
    source: Path,
    *,
    num_frames: int,
    fps: float,
    height: int,
    width: int,
    camera: str | None = None,
    start: float = 0.0,
    animation: str | None = None,
) -> Shot:
    """Open a 3D scene, or a block-out, which has its own camera and times; see `film_scene`.

    Raises:
        InputError: the scene or the camera cannot be used, or a block-out is asked for another camera.
    """
    if source.suffix.lower() not in BLOCKOUT_SUFFIXES:
        return film_scene(
            source,
            camera,
            num_frames=num_frames,
            fps=fps,
            height=height,
            width=width,
            start=start,
            animation=animation,
        )
    if camera or start or animation:
        raise InputError(source, "a block-out with its own camera and times", "others asked for")
    return film_blockout(source, num_frames=num_frames, fps=fps, height=height, width=width)
