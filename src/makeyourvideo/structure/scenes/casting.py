"""A model and its cameras -> what each pixel meets, exactly at its centre.

What stands still is built once. What moves is built anew for every frame, but only the triangles over a
pixel's centre: building costs more than casting, and of a fine mesh most triangles lie between the centres.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.structure.raycast import RayCaster
from makeyourvideo.structure.scenes.cameras import Cameras, pixel_rays, to_world
from makeyourvideo.structure.scenes.model import Mesh, Model

Floats = NDArray[np.float64]
_MARGIN = 0.05  # pixels; float32 vertices are far nearer to where they belong
_GRAZING = 1e-3  # of the farthest distance: nearer to the camera's plane, no pixel is certain


@dataclass(frozen=True)
class View:
    """What one frame shows.

    Attributes:
        depth: z along the optical axis `(h, w)`, infinite where nothing is met.
        mesh: which mesh is met `(h, w)`, still ones before moving ones, -1 where none is.
        normals: of the surface, facing the camera, `(h, w, 3)`, 0 where nothing is met.
        points: where the surface is met, in the world, `(h, w, 3)`.
        eye: where the camera stands `(3,)`.
    """

    depth: NDArray[np.float32]
    mesh: NDArray[np.int32]
    normals: NDArray[np.float32]
    points: NDArray[np.float32]
    eye: NDArray[np.float32]


class SceneCaster:
    """Looks at a model from its cameras, one frame after the other, in any order.

    Args:
        model: what there is.
        centre: the middle of it `(3,)`; float32 is finest around 0, so all is moved there.
        height, width: of the picture, in pixels.

    Raises:
        InputError: the extra `scene` is not installed.
    """

    def __init__(self, model: Model, centre: Floats, height: int, width: int) -> None:
        self._model, self._centre, self._size = model, centre, (height, width)
        self._rays = pixel_rays(height, width)
        self._origins, self._directions = np.empty_like(self._rays), np.empty_like(self._rays)
        self._still_meshes = [(self._near(mesh), mesh.faces) for mesh in model.still]
        self._still = RayCaster(self._still_meshes)

    def depth(self, cameras: Cameras, frame: int, seconds: float) -> NDArray[np.float32]:
        """Z along the optical axis `(h, w)` float32, infinite where nothing is met."""
        self._aim(cameras, frame)
        depth = self._still.distances(self._origins, self._directions)
        moving = self._moving_meshes(self._model.moving(seconds), cameras, frame)
        if moving:
            depth = RayCaster(moving).distances(self._origins, self._directions, depth)
        return depth.reshape(self._size)

    def view(self, cameras: Cameras, frame: int, seconds: float) -> View:
        """Look closer: which mesh is met, where, and how its surface is turned."""
        self._aim(cameras, frame)
        meshes = [*self._still_meshes, *self._moving_meshes(self._model.moving(seconds), cameras, frame)]
        hits = RayCaster(meshes).intersect(self._origins, self._directions)
        normals = np.zeros_like(self._directions)
        for number, (vertices, faces) in enumerate(meshes):
            met = np.flatnonzero(hits.mesh == number)
            corners = vertices[faces[hits.triangle[met]]]
            normals[met] = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        away = (normals * self._directions).sum(axis=1) > 0
        normals[away] *= -1
        reach = np.where(np.isfinite(hits.distance), hits.distance, 0)[:, None]
        points = (self._origins + reach * self._directions + self._centre).astype(np.float32)
        return View(
            hits.distance.reshape(self._size),
            hits.mesh.reshape(self._size),
            normals.reshape(*self._size, 3),
            points.reshape(*self._size, 3),
            cameras.poses[frame, :3, 3].astype(np.float32),
        )

    def _aim(self, cameras: Cameras, frame: int) -> None:
        np.matmul(self._rays, to_world(cameras, frame).astype(np.float32), out=self._directions)
        self._origins[:] = cameras.poses[frame, :3, 3] - self._centre

    def _near(self, mesh: Mesh) -> NDArray[np.float32]:
        return (mesh.vertices - self._centre).astype(np.float32)

    def _moving_meshes(
        self, meshes: Sequence[Mesh], cameras: Cameras, frame: int
    ) -> list[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        return [(self._near(mesh), visible_faces(mesh, cameras, frame, *self._size)) for mesh in meshes]


def visible_faces(mesh: Mesh, cameras: Cameras, frame: int, height: int, width: int) -> NDArray[np.int32]:
    """The faces that a ray through a pixel's centre could meet, and few others, `(n, 3)`.

    In the picture, a triangle in front of the camera lies within the box around its corners; where that holds
    no centre, no ray meets it. Triangles that reach behind the camera are kept.
    """
    pose, lens = cameras.poses[frame], np.tan(cameras.fov[frame] / 2)
    seen = (mesh.vertices - pose[:3, 3]) @ pose[:3, :3]
    ahead = -seen[:, 2]
    front = ahead > _GRAZING * np.abs(seen).max()
    scale = height / 2 / lens / np.where(front, ahead, 1)
    first, second, third = mesh.faces.T  # a corner each: numpy is slow along an axis of three
    in_front = front[first] & front[second] & front[third]
    kept = (ahead[first] > 0) | (ahead[second] > 0) | (ahead[third] > 0)
    for place, size in ((seen[:, 0], width), (-seen[:, 1], height)):
        pixel = place * scale + (size - 1) / 2
        corners = pixel[first], pixel[second], pixel[third]
        start = np.ceil(np.minimum(np.minimum(corners[0], corners[1]), corners[2]) - _MARGIN)
        stop = np.floor(np.maximum(np.maximum(corners[0], corners[1]), corners[2]) + _MARGIN)
        kept &= ~in_front | (np.maximum(start, 0) <= np.minimum(stop, size - 1))
    return mesh.faces[kept]
