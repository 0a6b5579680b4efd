"""Camera paths: keyframes of a JSON file, or ready-made and framed around what there is."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, model_validator

from makeyourvideo.errors import unreadable_unless
from makeyourvideo.structure.scenes.cameras import Cameras, looking_at
from makeyourvideo.structure.scenes.easing import Easing, between
from makeyourvideo.structure.scenes.inputs import STRICT, read_bounded, validated

Floats = NDArray[np.float64]
ReadyMade = Literal["orbit", "dolly", "crane", "fly-through"]
READY_MADE: tuple[str, ...] = get_args(ReadyMade)
Vector = tuple[float, float, float]
Degrees = Annotated[float, Field(gt=0, lt=180)]
_FOV = 50.0
_TURN = np.radians(45)  # a second of an orbit
_MAX_BYTES = 16 * 2**20


class Keyframe(BaseModel):
    """A camera at a time; `easing` says how it goes over to the next, `fov` is vertical, in degrees."""

    model_config = STRICT

    time: float
    position: Vector
    target: Vector
    fov: Degrees | None = None
    easing: Easing | None = None


class CameraPath(BaseModel):
    """Keyframes in the order of their times; `fov` and `easing` hold where a keyframe says nothing."""

    model_config = STRICT

    keyframes: Annotated[tuple[Keyframe, ...], Field(min_length=1)]
    fov: Degrees = _FOV
    easing: Easing = "ease"

    @model_validator(mode="after")
    def _in_order(self) -> "CameraPath":
        check_rising([keyframe.time for keyframe in self.keyframes])
        return self

    def film(self, seconds: Floats, subject: str | Path) -> Cameras:
        """The camera at `seconds` `(f,)`.

        Raises:
            InputError: the camera stands where it should look.
        """
        rows = [[*key.position, *key.target, np.radians(key.fov or self.fov)] for key in self.keyframes]
        times = np.array([key.time for key in self.keyframes])
        easings = [key.easing or self.easing for key in self.keyframes]
        values = between(times, np.array(rows), easings, seconds)
        return looking_at(values[:, :3], values[:, 3:6], values[:, 6], subject)


class ReadyMadePath(BaseModel):
    """A path framed around the scene's bounds; `fov` is vertical, in degrees."""

    model_config = STRICT

    path: ReadyMade
    fov: Degrees = _FOV

    def film(self, box: Floats, seconds: Floats, aspect: float, subject: str | Path) -> Cameras:
        """The camera at `seconds` `(f,)` around `box` `(2, 3)`; `aspect` is width over height."""
        fov = np.full(len(seconds), np.radians(self.fov))
        eyes, targets = frame_path(self.path, box, seconds, fov[0], aspect)
        return looking_at(eyes, targets, fov, subject)


def check_rising(times: Sequence[float]) -> None:
    """Refuse keyframes out of order, for validators.

    Raises:
        ValueError: a time does not come after the one before it.
    """
    if any(after <= before for before, after in pairwise(times)):
        raise ValueError(f"times must rise, not {', '.join(f'{time:g}' for time in times)}")


def read_camera_path(path: Path) -> CameraPath:
    """Read keyframes from a JSON file.

    Raises:
        InputError: missing, too large or not of this form, with the key that is wrong.
    """
    with unreadable_unless(path, "a JSON file of camera keyframes"):
        content = json.loads(read_bounded(path, "a JSON file of camera keyframes", _MAX_BYTES))
    return validated(path, CameraPath, content)


def frame_path(
    name: ReadyMade, box: Floats, seconds: Floats, fov: float, aspect: float
) -> tuple[Floats, Floats]:
    """Eyes and targets, both `(f, 3)`, of a ready-made path that starts in front (+z) of `box` `(2, 3)`.

    An orbit turns by 45 degrees a second at whatever length; the others take the whole clip for their way.
    """
    centre, radius = box.mean(axis=0), float(np.linalg.norm(box[1] - box[0])) / 2
    narrow = min(fov, 2 * np.arctan(np.tan(fov / 2) * aspect))
    distance = 1.05 * radius / np.sin(narrow / 2)  # the ball around the box fits the picture
    passed = seconds - seconds[0]
    share = passed / passed[-1] if passed[-1] else passed
    share = share * share * (3 - 2 * share)
    turn, rise = np.zeros_like(share), np.full_like(share, np.radians(20))
    away = np.full_like(share, distance)
    if name == "fly-through":
        return _fly_through(box, radius, share)
    if name == "orbit":
        turn = _TURN * passed
    elif name == "dolly":
        rise, away = np.full_like(share, np.radians(10)), distance * (1.5 - 0.6 * share)
    else:
        rise, turn = np.radians(5 + 50 * share), np.full_like(share, np.radians(20))
    offset = np.stack([np.cos(rise) * np.sin(turn), np.sin(rise), np.cos(rise) * np.cos(turn)], axis=1)
    return centre + away[:, None] * offset, np.tile(centre, (len(seconds), 1))


def _fly_through(box: Floats, radius: float, share: Floats) -> tuple[Floats, Floats]:
    """Along the longer horizontal axis, from outside until three quarters of the box lie behind."""
    centre, half = box.mean(axis=0), (box[1] - box[0]) / 2
    along = np.zeros(3)
    axis = 0 if half[0] > half[2] else 2
    along[axis] = -1
    reach = half[axis] + 0.6 * radius
    eyes = centre + np.outer(share * (reach + 0.5 * half[axis]) - reach, along)
    return eyes, eyes + along * radius
