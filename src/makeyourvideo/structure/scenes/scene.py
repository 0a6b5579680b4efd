"""3D files -> depth: glTF with all that moves in it, OBJ, PLY and STL, seen by a camera of one's choice."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import MAX_BYTES
from makeyourvideo.structure.scenes.cameras import Cameras
from makeyourvideo.structure.scenes.gltf import GltfModel
from makeyourvideo.structure.scenes.mesh_files import MESH_SUFFIXES, Up, read_mesh_file
from makeyourvideo.structure.scenes.model import Model, bounds
from makeyourvideo.structure.scenes.paths import READY_MADE, CameraPath, ReadyMadePath, read_camera_path
from makeyourvideo.structure.scenes.preview import PALETTE
from makeyourvideo.structure.scenes.shot import Shot, check_size, frame_times

Floats = NDArray[np.float64]
Camera = str | Path | CameraPath | ReadyMadePath | None
SCENE_SUFFIXES = (".gltf", ".glb", *MESH_SUFFIXES)


def film_scene(
    path: Path,
    camera: Camera = None,
    *,
    num_frames: int,
    fps: float,
    height: int,
    width: int,
    start: float = 0.0,
    animation: str | None = None,
    up: Up = "y",
    max_bytes: int = MAX_BYTES,
) -> Shot:
    """Open a 3D scene and set up its camera; the shot then gives depth or pictures.

    Args:
        path: .gltf, .glb, .obj, .ply or .stl. Lengths count as metres.
        camera: the name of a camera in the file; "orbit", "dolly", "crane" or "fly-through", framed around
            the scene; a .json file of keyframes, or such a path as an object. None: the file's first camera,
            else "orbit".
        num_frames: how many frames.
        fps: frames a second; frame i shows the scene at `start + i / fps` seconds.
        height: of the picture in pixels.
        width: of the picture in pixels; pixels are square, and fields of view vertical.
        start: seconds into the animation and the camera's path.
        animation: the glTF animation to play; None plays all.
        up: the axis that points up in an OBJ, PLY or STL file; glTF says it itself.
        max_bytes: what files may hold and unpack to, and what the clip may take.

    Raises:
        InputError: a broken, hostile or too large file, or no such camera.
    """
    seconds = frame_times(num_frames, fps, start)
    check_size(path, height, width, max_bytes)
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes too large is refused by its bounds
        model = open_model(path, animation, up, max_bytes)
        box = bounds(model, seconds)
    cameras = _film(model, camera, box, seconds, width / height)
    count = len(model.still) + len(model.moving(start))
    looks = PALETTE[np.arange(count) % len(PALETTE)], np.zeros(count, bool)
    return Shot(model, box, cameras, seconds, fps, height, width, looks, max_bytes)


def scene_cameras(path: Path, max_bytes: int = MAX_BYTES) -> list[str]:
    """The names of the cameras that a scene's file brings.

    Raises:
        InputError: as `film_scene`.
    """
    return list(open_model(path, max_bytes=max_bytes).camera_names)


def open_model(path: Path, animation: str | None = None, up: Up = "y", max_bytes: int = MAX_BYTES) -> Model:
    """Read a 3D file of any kind.

    Raises:
        InputError: as `film_scene`.
    """
    suffix = path.suffix.lower()
    if suffix in MESH_SUFFIXES:
        if animation is not None:
            raise InputError(path, "a glTF scene to play an animation of", suffix)
        return read_mesh_file(path, up, max_bytes)
    if suffix not in SCENE_SUFFIXES:
        raise InputError(path, f"a 3D scene, one of {', '.join(SCENE_SUFFIXES)}", suffix or "no suffix")
    with unreadable_unless(path, "a sound glTF 2.0 scene"):
        return GltfModel(path, animation, max_bytes)


def _film(model: Model, camera: Camera, box: Floats, seconds: Floats, aspect: float) -> Cameras:
    """The camera that was asked for; the file's own go before ready-made ones of the same name."""
    names = model.camera_names
    if camera is None:
        camera = names[0] if names else ReadyMadePath(path="orbit")
    if isinstance(camera, str) and camera in names:
        return model.film(camera, seconds)
    if isinstance(camera, str) and camera in READY_MADE:
        camera = ReadyMadePath.model_validate({"path": camera})
    if isinstance(camera, Path) or (isinstance(camera, str) and camera.lower().endswith(".json")):
        return read_camera_path(Path(camera)).film(seconds, camera)
    if isinstance(camera, ReadyMadePath):
        return camera.film(box, seconds, aspect, model.path)
    if isinstance(camera, CameraPath):
        return camera.film(seconds, "camera")
    known = ", ".join((*names, *READY_MADE))
    raise InputError(model.path, f"a camera: one of {known}, or a .json file of keyframes", repr(camera))
