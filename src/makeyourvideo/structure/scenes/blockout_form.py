"""The form of a block-out's YAML file."""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Discriminator, Field, Tag, field_validator, model_validator

from makeyourvideo.structure.scenes.easing import Easing, between
from makeyourvideo.structure.scenes.inputs import STRICT
from makeyourvideo.structure.scenes.mesh_files import Up
from makeyourvideo.structure.scenes.paths import CameraPath, ReadyMadePath, Vector, check_rising

Floats = NDArray[np.float64]
Positive = Annotated[float, Field(gt=0)]
Scale = Positive | tuple[Positive, Positive, Positive]
_PROPERTIES = ("position", "rotation", "scale")


class ThingKeyframe(BaseModel):
    """Where a thing is at a time; what is left out goes on between the keyframes that say it."""

    model_config = STRICT

    time: float
    position: Vector | None = None
    rotation: Vector | None = None
    scale: Scale | None = None
    easing: Easing | None = None


class Thing(BaseModel):
    """What all things have. Rotations are degrees about the world's x, then y, then z axis."""

    model_config = STRICT

    shape: str
    name: str | None = None
    color: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")] | None = None
    position: Vector = (0, 0, 0)
    rotation: Vector = (0, 0, 0)
    scale: Scale = 1.0
    easing: Easing = "ease"
    keyframes: tuple[ThingKeyframe, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> "Thing":
        check_rising([keyframe.time for keyframe in self.keyframes])
        return self

    @property
    def rgb(self) -> tuple[float, float, float] | None:
        """The colour, sRGB from 0 to 1."""
        if self.color is None:
            return None
        red, green, blue = bytes.fromhex(self.color[1:])
        return red / 255, green / 255, blue / 255

    def pose(self, seconds: float) -> Floats:
        """The matrix `(4, 4)` from the shape to the world at a time: scale, rotate, then move."""
        pose = np.eye(4)
        pose[:3, :3] = turned(self._at("rotation", seconds)) * self._at("scale", seconds)
        pose[:3, 3] = self._at("position", seconds)
        return pose

    def _at(self, name: str, seconds: float) -> Floats:
        said = [key for key in self.keyframes if getattr(key, name) is not None]
        if not said:
            return np.broadcast_to(getattr(self, name), 3)
        values = np.array([np.broadcast_to(getattr(key, name), 3) for key in said], np.float64)
        times = np.array([key.time for key in said])
        easings = [key.easing or self.easing for key in said]
        return between(times, values, easings, np.array([seconds]))[0]


class Box(Thing):
    """A box around its position; `size` is along x, y and z."""

    shape: Literal["box"]
    size: tuple[Positive, Positive, Positive] = (1, 1, 1)


class Ball(Thing):
    """A ball around its position."""

    shape: Literal["ball"]
    radius: Positive = 0.5


class Plane(Thing):
    """A level rectangle around its position; `size` is along x and z."""

    shape: Literal["plane"]
    size: tuple[Positive, Positive] = (10, 10)


class Cylinder(Thing):
    """An upright cylinder around its position."""

    shape: Literal["cylinder"]
    radius: Positive = 0.5
    height: Positive = 1.0


class MeshFile(Thing):
    """A 3D file in the YAML file's folder, in its own coordinates; what moves in it moves here, too."""

    shape: Literal["mesh"]
    file: str
    up: Up = "y"


AnyThing = Annotated[Box | Ball | Plane | Cylinder | MeshFile, Field(discriminator="shape")]


def _camera_kind(camera: Any) -> str:
    ready = "path" in camera if isinstance(camera, dict) else not isinstance(camera, CameraPath)
    return "ready-made" if ready else "keyframes"


class Blockout(BaseModel):
    """The whole file: `duration` in seconds, and a camera that is a ready-made path or keyframes."""

    model_config = STRICT

    things: Annotated[tuple[AnyThing, ...], Field(min_length=1, max_length=1000)]
    camera: Annotated[
        Annotated[ReadyMadePath, Tag("ready-made")] | Annotated[CameraPath, Tag("keyframes")],
        Discriminator(_camera_kind),
    ] = ReadyMadePath(path="orbit")
    fps: Annotated[float, Field(gt=0, le=1000)] = 8.0
    duration: Annotated[float, Field(gt=0, le=3600)] = 2.0

    @field_validator("camera", mode="before")
    @classmethod
    def _by_name(cls, camera: object) -> object:
        return {"path": camera} if isinstance(camera, str) else camera


def turned(degrees: Floats) -> Floats:
    """The rotation `(3, 3)` about x, then y, then z, each by `degrees`."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
