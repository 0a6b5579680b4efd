"""Mesh families: every shape stands on y = 0 and fits a unit ball around its centre before scaling."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import trimesh
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """Triangles with corner normals, both `(triangles, 3 corners, 3)`, centred on the origin.

    `bottom` is the lowest y, so that an object rests on the floor when lifted by `-bottom`.
    """

    corners: Floats
    normals: Floats
    bottom: float


def _ball(_: np.random.Generator) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=3, radius=0.85)


def _cube(_: np.random.Generator) -> trimesh.Trimesh:
    return trimesh.creation.box([1.2, 1.2, 1.2])


def _cylinder(rng: np.random.Generator) -> trimesh.Trimesh:
    return _upright(trimesh.creation.cylinder(radius=rng.uniform(0.5, 0.7), height=1.5, sections=40))


def _cone(rng: np.random.Generator) -> trimesh.Trimesh:
    return _upright(trimesh.creation.cone(radius=rng.uniform(0.65, 0.8), height=1.6, sections=40))


def _ring(rng: np.random.Generator) -> trimesh.Trimesh:
    # Its hole faces z, so that it can be seen.
    return trimesh.creation.torus(major_radius=0.7, minor_radius=rng.uniform(0.2, 0.3), minor_sections=20)


def _capsule(rng: np.random.Generator) -> trimesh.Trimesh:
    capsule = trimesh.creation.capsule(height=0.9, radius=rng.uniform(0.4, 0.5), count=[24, 16])
    capsule.apply_translation(-capsule.bounds.mean(axis=0))
    return _upright(capsule)


def _pyramid(rng: np.random.Generator) -> trimesh.Trimesh:
    pyramid = trimesh.creation.cone(radius=0.95, height=rng.uniform(1.2, 1.6), sections=4)
    return _upright(pyramid)


def _star(_: np.random.Generator) -> trimesh.Trimesh:
    turns = np.linspace(0, 2 * np.pi, 10, endpoint=False) + np.pi / 2
    radii = np.where(np.arange(10) % 2 == 0, 0.95, 0.45)
    return _prism(np.stack([radii * np.cos(turns), radii * np.sin(turns)], axis=1), 0.5)


def _blob(rng: np.random.Generator) -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(subdivisions=3)
    bumps = rng.normal(size=(6, 3)) * 1.3
    swell = sum(
        np.sin(ball.vertices @ bump + phase) for bump, phase in zip(bumps, rng.uniform(0, 6, 6), strict=True)
    )
    ball.vertices *= (0.75 + 0.06 * swell)[:, None]
    return ball


FAMILIES: dict[str, Callable[[np.random.Generator], trimesh.Trimesh]] = {
    "ball": _ball,
    "cube": _cube,
    "cylinder": _cylinder,
    "cone": _cone,
    "ring": _ring,
    "capsule": _capsule,
    "pyramid": _pyramid,
    "star": _star,
    "blob": _blob,
}


@lru_cache(maxsize=512)
def build_shape(family: str, seed: int) -> Shape:
    """Build one member of a family; the same `family` and `seed` give the same shape."""
    mesh = FAMILIES[family](np.random.default_rng(seed))
    mesh = trimesh.graph.smooth_shade(mesh, angle=np.radians(35))
    mesh.vertices -= mesh.bounds.mean(axis=0)
    return Shape(
        corners=mesh.triangles.astype(np.float32),
        normals=np.asarray(mesh.vertex_normals, dtype=np.float32)[mesh.faces],
        bottom=float(mesh.bounds[0, 1]),
    )


def _upright(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    return mesh


def _prism(outline: NDArray[np.float64], depth: float) -> trimesh.Trimesh:
    """Extrude a star-shaped outline `(corners, 2)` along z."""
    count = len(outline)
    ring = np.arange(count)
    after = (ring + 1) % count
    front = np.column_stack([outline, np.full(count, depth / 2)])
    back = front * [1, 1, -1]
    vertices = np.vstack([front, back, [[0, 0, depth / 2], [0, 0, -depth / 2]]])
    faces = np.vstack(
        [
            np.column_stack([np.full(count, 2 * count), ring, after]),
            np.column_stack([np.full(count, 2 * count + 1), count + after, count + ring]),
            np.column_stack([ring, count + ring, count + after]),
            np.column_stack([ring, count + after, after]),
        ]
    )
    return trimesh.Trimesh(vertices, faces)
