"""Cameras: where they stand and face in every frame, and the rays through their pixels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError

Floats = NDArray[np.float64]
_UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, eq=False)
class Cameras:
    """One pinhole camera a frame, as glTF defines them.

    Attributes:
        poses: `(f, 4, 4)`, camera to world; +x is right in the picture, +y up, -z ahead.
        fov: vertical field of view in radians, `(f,)`.
    """

    poses: Floats
    fov: Floats

    def __len__(self) -> int:
        return len(self.poses)


def check_cameras(cameras: Cameras, subject: str | Path) -> Cameras:
    """Return cameras that can film, with axes of length 1 at right angles.

    Raises:
        InputError: a pose is not finite or has no direction, or a field of view is not between 0 and 180.
    """
    finite = np.isfinite(cameras.poses).all(axis=(1, 2)) & np.isfinite(cameras.fov)
    if not finite.all():
        raise InputError(subject, "a finite camera", f"NaN or infinity in frame {int(finite.argmin())}")
    wide = (cameras.fov > 0) & (cameras.fov < np.pi)
    if not wide.all():
        frame = int(wide.argmin())
        raise InputError(
            subject,
            "a field of view between 0 and 180 degrees",
            f"{np.degrees(cameras.fov[frame]):g} in frame {frame}",
        )
    ahead, up = -cameras.poses[:, :3, 2], cameras.poses[:, :3, 1]
    right = np.cross(ahead, up)
    size = np.linalg.norm(right, axis=1)
    if not (size > 0).all():
        raise InputError(subject, "a camera with a direction", f"none in frame {int((size > 0).argmin())}")
    ahead = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
    return Cameras(_poses(cameras.poses[:, :3, 3], right / size[:, None], ahead), cameras.fov)


def looking_at(eyes: Floats, targets: Floats, fov: Floats, subject: str | Path) -> Cameras:
    """Cameras at `eyes` `(f, 3)` that face `targets` `(f, 3)`, upright, with `fov` `(f,)` in radians.

    Straight up or down, where nothing is upright, +x is right in the picture.

    Raises:
        InputError: as `check_cameras`, or a camera stands where it should look.
    """
    ahead = targets - eyes
    distance = np.linalg.norm(ahead, axis=1)
    if (distance == 0).any():
        frame = int((distance == 0).argmax())
        raise InputError(subject, "a camera away from its target", f"both at one place in frame {frame}")
    ahead = ahead / distance[:, None]
    right = np.cross(ahead, _UP)
    size = np.linalg.norm(right, axis=1)
    steep = size < 1e-9
    right[steep], size[steep] = [1, 0, 0], 1
    return check_cameras(Cameras(_poses(eyes, right / size[:, None], ahead), fov), subject)


def _poses(places: Floats, right: Floats, ahead: Floats) -> Floats:
    poses = np.tile(np.eye(4), (len(places), 1, 1))
    poses[:, :3, :3] = np.stack([right, np.cross(right, ahead), -ahead], axis=2)
    poses[:, :3, 3] = places
    return poses


def pixel_rays(height: int, width: int) -> NDArray[np.float32]:
    """Directions `(height * width, 3)` through pixel centres, row by row, for a field of view of 90 degrees.

    They have z = -1, so that a distance counted in their lengths is the depth along the optical axis.
    """
    x = (2 * np.arange(width) + 1 - width) / height  # pixels are square: the height gives the scale
    y = (height - 1 - 2 * np.arange(height)) / height
    rays = np.empty((height, width, 3), np.float32)
    rays[..., 0], rays[..., 1], rays[..., 2] = x[None, :], y[:, None], -1
    return rays.reshape(-1, 3)


def to_world(cameras: Cameras, frame: int) -> Floats:
    """The matrix `(3, 3)` by which `pixel_rays`, from the left, turn into the world's directions."""
    lens = np.tan(cameras.fov[frame] / 2)
    return np.diag([lens, lens, 1.0]) @ cameras.poses[frame, :3, :3].T
