"""Ray casting on the CPU through Embree: exact hits, no GPU, no display."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Hits:
    """What rays met first, one entry a ray.

    `mesh` and `triangle` are -1 where nothing was met; `distance` counts in lengths of the direction and is
    infinite there; `u`, `v` are the weights of a triangle's second and third corner.
    """

    mesh: Ints
    triangle: Ints
    distance: Floats
    u: Floats
    v: Floats


class RayCaster:
    """Casts rays against meshes.

    Args:
        meshes: each a triangle soup `(triangles, 3 corners, 3)`, or vertices `(v, 3)` and faces
            `(triangles, 3)`, which are built in half the time.

    Raises:
        InputError: embreex, of the extra `scene`, is not installed.
    """

    def __init__(self, meshes: Sequence[Floats | tuple[Floats, Ints]]) -> None:
        try:
            from embreex.mesh_construction import TriangleMesh
            from embreex.rtcore_scene import EmbreeScene
        except ImportError as error:
            raise InputError("ray casting", "the extra makeyourvideo[scene]", f"no {error.name}") from error
        self._scene = EmbreeScene()
        self._meshes = []
        for mesh in meshes:
            arrays = mesh if isinstance(mesh, tuple) else (mesh,)
            self._meshes.append(TriangleMesh(self._scene, *map(np.ascontiguousarray, arrays)))

    def intersect(self, origins: Floats, directions: Floats) -> Hits:
        """Return the first hit of each ray; `origins` and `directions` are `(rays, 3)`."""
        found = self._scene.run(origins, directions, output=1)
        missed = found["geomID"] < 0
        return Hits(
            mesh=found["geomID"],
            triangle=np.where(missed, -1, found["primID"]),
            distance=np.where(missed, np.float32(np.inf), found["tfar"]),
            u=found["u"],
            v=found["v"],
        )

    def distances(self, origins: Floats, directions: Floats, limits: Floats | None = None) -> Floats:
        """Return only how far each ray gets, `(rays,)`, counted in lengths of its direction.

        `limits` `(rays,)` are how far the rays would get without these meshes, infinite where nothing is;
        they are overwritten by the result.
        """
        if limits is None:
            limits = np.full(len(origins), np.inf, np.float32)
        return self._scene.run(origins, directions, dists=limits, query="DISTANCE")

    def occluded(self, origins: Floats, directions: Floats) -> NDArray[np.bool_]:
        """Return whether anything lies along each ray, as `(rays,)`."""
        return self._scene.run(origins, directions, query="OCCLUDED") == 0
