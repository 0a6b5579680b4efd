"""Scenes without a 3D file: a few lines of YAML that say what stands where and how it moves -> depth."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import MAX_BYTES, check_fps
from makeyourvideo.structure.scenes.blockout_form import Blockout, MeshFile, Thing
from makeyourvideo.structure.scenes.cameras import Cameras
from makeyourvideo.structure.scenes.inputs import beside, read_bounded, validated
from makeyourvideo.structure.scenes.model import Mesh, Model, StillModel, bounds, check_surfaces
from makeyourvideo.structure.scenes.paths import ReadyMadePath
from makeyourvideo.structure.scenes.preview import PALETTE
from makeyourvideo.structure.scenes.scene import open_model
from makeyourvideo.structure.scenes.shapes import build_shape
from makeyourvideo.structure.scenes.shot import Shot, check_size, frame_times

Floats = NDArray[np.float64]
_MAX_YAML_BYTES = 2**20
_GROUND = (0.74, 0.74, 0.72)


def film_blockout(
    path: Path,
    *,
    height: int,
    width: int,
    num_frames: int | None = None,
    fps: float | None = None,
    max_bytes: int = MAX_BYTES,
) -> Shot:
    """Open a block-out with its own camera; the shot then gives depth or pictures.

    Args:
        path: the YAML file; docs/structure.md shows its form.
        height: of the picture in pixels.
        width: of the picture in pixels.
        num_frames: how many frames; None: as many as last the file's duration.
        fps: frames a second; None: the file's.
        max_bytes: what files may hold and unpack to, and what the clip may take.

    Raises:
        InputError: what is wrong, with the file and the key.
    """
    form = read_blockout(path)
    fps = form.fps if fps is None else fps
    check_fps(fps)
    count = max(round(form.duration * fps), 1) if num_frames is None else num_frames
    seconds = frame_times(count, fps)
    check_size(path, height, width, max_bytes)
    placed = _place(path, form, max_bytes)
    model = BlockoutModel(path, placed)
    if isinstance(form.camera, ReadyMadePath):
        box = bounds(_without_planes(path, placed) or model, seconds)
        cameras = form.camera.film(box, seconds, width / height, path)
    else:
        cameras = form.camera.film(seconds, path)
    box = bounds(model, seconds)
    return Shot(model, box, cameras, seconds, fps, height, width, model.looks(), max_bytes)


@dataclass(frozen=True)
class Placed:
    """A thing of the block-out and the model of its shape."""

    thing: Thing
    shape: Model
    color: tuple[float, float, float]

    @property
    def moves(self) -> bool:
        """Whether it ever changes."""
        return bool(self.thing.keyframes) or bool(self.shape.moving(0.0))

    def at(self, seconds: float) -> list[Mesh]:
        """Its meshes at a time, in the world."""
        pose = self.thing.pose(seconds)
        meshes = [*self.shape.still, *self.shape.moving(seconds)]
        return [Mesh(mesh.vertices @ pose[:3, :3].T + pose[:3, 3], mesh.faces) for mesh in meshes]


class BlockoutModel:
    """All things of a block-out."""

    camera_names: Sequence[str] = ()

    def __init__(self, path: Path, placed: Sequence[Placed]) -> None:
        self.path = path
        self._still = [one for one in placed if not one.moves]
        self._moving = [one for one in placed if one.moves]
        self.still: Sequence[Mesh] = [mesh for one in self._still for mesh in one.at(0.0)]

    def moving(self, seconds: float) -> Sequence[Mesh]:
        """What moves, as it is at a time."""
        return [mesh for one in self._moving for mesh in one.at(seconds)]

    def film(self, name: str, seconds: Floats) -> Cameras:  # noqa: ARG002
        """A block-out's camera has no name."""
        raise InputError(self.path, "the block-out's own camera", repr(name))

    def looks(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Each mesh's colour `(meshes, 3)`, and whether it is checkered `(meshes,)`."""
        each = [one for one in (*self._still, *self._moving) for _ in one.at(0.0)]
        checkered = [one.thing.shape == "plane" for one in each]
        return np.array([one.color for one in each], np.float32), np.array(checkered)


def read_blockout(path: Path) -> Blockout:
    """Read and check the YAML file alone.

    Raises:
        InputError: missing, not YAML, or the first key that is wrong.
    """
    content = read_bounded(path, "a YAML file that blocks out a scene", _MAX_YAML_BYTES)
    with unreadable_unless(path, "a YAML file that blocks out a scene"):
        try:
            form = yaml.safe_load(content)
        except yaml.MarkedYAMLError as error:
            line = 1 if error.problem_mark is None else error.problem_mark.line + 1
            raise InputError(path, "YAML", f"an error in line {line} ({error.problem})") from error
        except yaml.reader.ReaderError as error:
            raise InputError(path, "YAML", f"what is no text at position {error.position}") from error
    return validated(path, Blockout, form)


def _without_planes(path: Path, placed: Sequence[Placed]) -> BlockoutModel | None:
    """What a ready-made path is framed around: a floor is there to stand on."""
    things = [one for one in placed if one.thing.shape != "plane"]
    return BlockoutModel(path, things) if things else None


def _place(path: Path, form: Blockout, max_bytes: int) -> list[Placed]:
    placed: list[Placed] = []
    models: dict[tuple[str, str], Model] = {}
    meshes: list[Mesh] = []
    for number, thing in enumerate(form.things):
        shape: Model
        if isinstance(thing, MeshFile):
            key = thing.file, thing.up
            if key not in models:
                models[key] = open_model(beside(path, thing.file), up=thing.up, max_bytes=max_bytes)
            shape = models[key]
        else:
            shape = StillModel(path, [build_shape(thing)])
        meshes += [*shape.still, *shape.moving(0.0)]
        check_surfaces(path, meshes, max_bytes)  # before there are more than fit
        color = thing.rgb or (_GROUND if thing.shape == "plane" else tuple(PALETTE[number % len(PALETTE)]))
        placed.append(Placed(thing, shape, color))
    return placed
