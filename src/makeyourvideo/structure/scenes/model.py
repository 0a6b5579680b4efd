"""What every source of surfaces offers: triangles that stand still, triangles that move, cameras."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.media import MAX_BYTES, check_unpacked
from makeyourvideo.structure.scenes.cameras import Cameras

Floats = NDArray[np.float64]
_BYTES_A_TRIANGLE = 150  # corners, and the tree above them that rays are cast through
_FLAT = 1e-14  # of the extent squared: below it, an area is rounding
_LOOKS = 9
_FAR = 1e15


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in world coordinates: `vertices` float64 `(v, 3)`, `faces` int32 `(t, 3)`."""

    vertices: Floats
    faces: NDArray[np.int32]


class Model(Protocol):
    """A scene of surfaces; x right, y up, z towards who stands in front of it."""

    @property
    def path(self) -> Path:
        """The file, for messages."""

    @property
    def still(self) -> Sequence[Mesh]:
        """What never moves."""

    def moving(self, seconds: float) -> Sequence[Mesh]:
        """What moves, as it is at a time; as many meshes at any time."""

    @property
    def camera_names(self) -> Sequence[str]:
        """The cameras that the file brings."""

    def film(self, name: str, seconds: Floats) -> Cameras:
        """One of the file's cameras at `seconds` `(f,)`."""


@dataclass(frozen=True)
class StillModel:
    """Meshes of a file without time and cameras."""

    path: Path
    still: Sequence[Mesh]
    camera_names: Sequence[str] = ()

    def moving(self, seconds: float) -> Sequence[Mesh]:  # noqa: ARG002
        """Nothing."""
        return ()

    def film(self, name: str, seconds: Floats) -> Cameras:  # noqa: ARG002
        """No camera is here to be asked for."""
        raise InputError(self.path, "a file with cameras", f"none, so not {name!r} either")


def bounds(model: Model, seconds: Floats) -> Floats:
    """The smallest and largest corner `(2, 3)` of all that the model holds during `seconds` `(f,)`.

    Raises:
        InputError: a vertex is not finite, or too far away for float32 to tell places apart.
    """
    looks = np.unique(np.linspace(0, len(seconds) - 1, _LOOKS).astype(int))
    meshes = [*model.still, *(mesh for look in looks for mesh in model.moving(float(seconds[look])))]
    used = [mesh.vertices[mesh.faces.ravel()] for mesh in meshes if len(mesh.faces)]
    corners = np.array([[part.min(axis=0), part.max(axis=0)] for part in used])
    if not (np.abs(corners) < _FAR).all():
        found = "NaN or infinity" if not np.isfinite(corners).all() else f"{np.abs(corners).max():g}"
        raise InputError(model.path, f"finite vertex positions within {_FAR:g} of the origin", found)
    return np.stack([corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)])


def check_surfaces(path: Path, meshes: Iterable[Mesh], max_bytes: int = MAX_BYTES) -> None:
    """Refuse a scene without surfaces, and one of too many triangles.

    Raises:
        InputError: no triangle, none with an area, or more than fit into `max_bytes`.
    """
    meshes = list(meshes)
    count = sum(len(mesh.faces) for mesh in meshes)
    if not count:
        raise InputError(path, "a scene with meshes of triangles", "none")
    check_unpacked(path, count * _BYTES_A_TRIANGLE, max_bytes)
    if not any(_has_area(mesh) for mesh in meshes):
        raise InputError(path, "triangles with an area", f"{count}, all of them degenerate")


def _has_area(mesh: Mesh) -> bool:
    if not len(mesh.faces):
        return False
    corners = mesh.vertices[mesh.faces]
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused where bounds are taken
        areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        extent = float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    return not bool((areas <= _FLAT * extent**2).all())
