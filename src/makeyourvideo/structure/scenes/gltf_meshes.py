"""glTF primitives: triangles, how morph targets change them and how joints bend them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.structure.scenes import gltf_form
from makeyourvideo.structure.scenes.gltf_accessors import read_floats, read_numbers
from makeyourvideo.structure.scenes.gltf_file import Document

Floats = NDArray[np.float64]
_TRIANGLES, _STRIP, _FAN = 4, 5, 6


@dataclass(frozen=True, eq=False)
class Primitive:
    """Triangles at rest.

    Attributes:
        positions: `(v, 3)`.
        faces: `(t, 3)`.
        targets: displacements of morph targets `(m, v, 3)`.
        joints: for each vertex the joints that hold it, `(v, j)`; empty without a skin.
        weights: how much each does, adding up to 1, `(v, j)`.
    """

    positions: Floats
    faces: NDArray[np.int32]
    targets: Floats
    joints: NDArray[np.int64]
    weights: Floats

    def morphed(self, weights: Floats) -> Floats:
        """Positions `(v, 3)` with `weights` `(m,)` of the morph targets."""
        if not len(self.targets):
            return self.positions
        return self.positions + np.tensordot(weights, self.targets, axes=1)

    def skinned(self, positions: Floats, matrices: Floats) -> Floats:
        """World positions `(v, 3)`: the joints' `matrices` `(joints, 4, 4)`, blended by weight.

        Linear blend skinning (glTF 2.0, 3.7.3.3): v' = sum of w_j M_j v.
        """
        rows = matrices[:, :3].reshape(-1, 12)
        blended = self.weights[:, :1] * rows[self.joints[:, 0]]
        for column in range(1, self.joints.shape[1]):
            blended += self.weights[:, column, None] * rows[self.joints[:, column]]
        blend = blended.reshape(-1, 3, 4)
        return np.matmul(blend[:, :, :3], positions[:, :, None])[:, :, 0] + blend[:, :, 3]


def read_mesh(document: Document, index: int, num_joints: int | None) -> list[Primitive]:
    """Read the primitives of a mesh that have surfaces; points and lines have none.

    Args:
        document: the file.
        index: of the mesh.
        num_joints: of the skin that bends it; None without a skin.

    Raises:
        InputError: attributes that do not fit together, or numbers out of range.
    """
    mesh, primitives = document.item(document.parts.meshes, index, "meshes"), []
    for number, primitive in enumerate(mesh.primitives):
        if primitive.mode in (_TRIANGLES, _STRIP, _FAN) and "POSITION" in primitive.attributes:
            what = f"primitive {number} of mesh {index}"
            primitives.append(_read_primitive(document, primitive, num_joints, what))
    return primitives


def _read_primitive(
    document: Document, form: gltf_form.Primitive, num_joints: int | None, what: str
) -> Primitive:
    positions = read_floats(document, form.attributes["POSITION"], "VEC3")
    count = len(positions)
    indices = np.arange(count)
    if form.indices is not None:
        indices = read_numbers(document, form.indices, "SCALAR")
    if indices.max() >= count:
        raise InputError(document.path, f"indices below {count} in {what}", f"{indices.max()}")
    targets = [_target(document, target, count, what) for target in form.targets]
    joints, weights = np.empty((count, 0), np.int64), np.empty((count, 0))
    if num_joints is not None:
        joints, weights = _read_skin(document, form.attributes, count, num_joints, what)
    return Primitive(
        positions,
        _triangles(indices, form.mode).astype(np.int32),
        np.array(targets).reshape(-1, count, 3),
        joints,
        weights,
    )


def _triangles(indices: NDArray[np.int64], mode: int) -> NDArray[np.int64]:
    """Faces `(t, 3)` of a list, a strip or a fan; what is left over belongs to no triangle."""
    if mode == _TRIANGLES:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    if mode == _FAN:
        first = np.full(max(len(indices) - 2, 0), indices[0])
        return np.stack([indices[1:-1], indices[2:], first], axis=1)
    faces = np.stack([indices[:-2], indices[1:-1], indices[2:]], axis=1)
    faces[1::2, 1:] = faces[1::2, :0:-1]  # every second triangle is listed the other way round
    return faces


def _target(document: Document, target: dict[str, int], count: int, what: str) -> Floats:
    if "POSITION" not in target:  # it changes other attributes only
        return np.zeros((count, 3))
    moved = read_floats(document, target["POSITION"], "VEC3")
    return _as_many(document, moved, count, f"a morph target of {what}")


def _read_skin(
    document: Document, attributes: dict[str, int], count: int, num_joints: int, what: str
) -> tuple[NDArray[np.int64], Floats]:
    """Joints and weights of all sets; weights that add up to nothing leave all to the first joint."""
    joints: list[NDArray[np.int64]] = []
    weights: list[Floats] = []
    while f"JOINTS_{len(joints)}" in attributes:
        number = len(joints)
        held = read_numbers(document, attributes[f"JOINTS_{number}"], "VEC4")
        joints.append(_as_many(document, held, count, f"JOINTS_{number} of {what}"))
        weight = read_floats(document, attributes.get(f"WEIGHTS_{number}"), "VEC4")
        weights.append(_as_many(document, weight, count, f"WEIGHTS_{number} of {what}"))
    if not joints:
        raise InputError(document.path, f"JOINTS_0 and WEIGHTS_0 in {what}, which has a skin", "none")
    held, weight = np.concatenate(joints, axis=1), np.concatenate(weights, axis=1)
    held[weight == 0] = 0  # what has no weight may hold any number
    if held.max() >= num_joints:
        raise InputError(document.path, f"joints below {num_joints} in {what}", f"{held.max()}")
    total = weight.sum(axis=1, keepdims=True)
    weight[total[:, 0] <= 0] = [1, *[0] * (weight.shape[1] - 1)]
    return held, weight / np.where(total > 0, total, 1)


def _as_many(document: Document, values: Any, count: int, what: str) -> Any:
    if len(values) != count:
        raise InputError(document.path, f"{count} values in {what}, one a vertex", f"{len(values)}")
    return values
