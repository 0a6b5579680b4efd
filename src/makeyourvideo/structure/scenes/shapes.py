"""The simple shapes of a block-out as triangles."""

import numpy as np

from makeyourvideo.errors import InputError
from makeyourvideo.structure.scenes.blockout_form import Ball, Box, Cylinder, Plane, Thing
from makeyourvideo.structure.scenes.model import Mesh

_SUBDIVISIONS = 5  # of an icosahedron: depth is within 2e-4 of a ball's radius
_SECTIONS = 128


def build_shape(thing: Thing) -> Mesh:
    """Build the surface of a box, ball, plane or cylinder around the origin.

    Raises:
        InputError: trimesh, of the extra `scene`, is not installed.
    """
    try:
        from trimesh import creation
    except ImportError as error:
        raise InputError("block-outs", "the extra makeyourvideo[scene]", f"no {error.name}") from error
    match thing:
        case Box():
            mesh = creation.box(thing.size)
        case Ball():
            mesh = creation.icosphere(_SUBDIVISIONS, thing.radius)
        case Cylinder():
            mesh = creation.cylinder(thing.radius, thing.height, sections=_SECTIONS)
            mesh.vertices = mesh.vertices[:, [0, 2, 1]]  # its axis is z
        case Plane():
            x, z = np.array(thing.size) / 2
            corners = np.array([[-x, 0, -z], [-x, 0, z], [x, 0, z], [x, 0, -z]])
            return Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
        case _:
            raise TypeError(type(thing))
    return Mesh(np.array(mesh.vertices, np.float64), np.array(mesh.faces, np.int32))
