"""OBJ, PLY and STL -> a model that stands still; materials and textures are never looked for."""

import io
from pathlib import Path
from typing import Literal

import numpy as np

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import MAX_BYTES
from makeyourvideo.structure.scenes.inputs import read_bounded
from makeyourvideo.structure.scenes.model import Mesh, StillModel, check_surfaces

MESH_SUFFIXES = (".obj", ".ply", ".stl")
Up = Literal["y", "z"]
_Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # (x, y, z) -> (x, z, -y)


def read_mesh_file(path: Path, up: Up = "y", max_bytes: int = MAX_BYTES) -> StillModel:
    """Read the triangles of a file; polygons are cut into triangles.

    Args:
        path: an .obj, .ply or .stl file.
        up: the axis that points up in it, as these formats do not say.
        max_bytes: what the file may hold and unpack to.

    Raises:
        InputError: missing, broken or too large files, no surfaces, or vertices that are not finite.
    """
    content = read_bounded(path, "a mesh file", max_bytes)
    try:
        import trimesh
    except ImportError as error:
        raise InputError("mesh files", "the extra makeyourvideo[scene]", f"no {error.name}") from error
    suffix = path.suffix.lower().removeprefix(".")
    broken = "faces, vertices or numbers that do not fit together"
    with unreadable_unless(path, f"a sound {suffix.upper()} file", broken):
        # bytes and no resolver: whatever else the file names cannot be found
        scene = trimesh.load_scene(
            io.BytesIO(content), file_type=suffix, process=False, skip_materials=True, maintain_order=True
        )
        found = [part for part in scene.geometry.values() if isinstance(part, trimesh.Trimesh)]
        meshes = [
            Mesh(np.array(part.vertices, np.float64), np.array(part.faces, np.int32).reshape(-1, 3))
            for part in found
        ]
    for mesh in meshes:
        count, used = len(mesh.vertices), mesh.faces
        if used.size and not 0 <= used.min() <= used.max() < count:
            raise InputError(path, f"faces between {count} vertices", f"{used.min()} to {used.max()}")
    check_surfaces(path, meshes, max_bytes)
    if up == "z":
        meshes = [Mesh(mesh.vertices @ _Z_UP.T, mesh.faces) for mesh in meshes]
    return StillModel(path, meshes)
