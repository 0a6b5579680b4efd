"""Mesh families: every shape is centred and fits about a unit ball before scaling."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise

import numpy as np
import trimesh
from numpy.typing import NDArray

from makeyourvideo.world.furniture import FURNITURE, furniture

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


def _prism_of(sides: int) -> Callable[[np.random.Generator], trimesh.Trimesh]:
    def build(rng: np.random.Generator) -> trimesh.Trimesh:
        turns = np.linspace(0, 2 * np.pi, sides, endpoint=False) + np.pi / 2
        outline = 0.85 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        return _prism(outline, rng.uniform(0.6, 1.2))

    return build


def _cross(_: np.random.Generator) -> trimesh.Trimesh:
    arm, half = 0.9, 0.3
    corner = np.array([[half, half], [half, arm], [-half, arm]])
    quarter = np.array([[0, -1], [1, 0]])
    return _prism(np.vstack([corner @ np.linalg.matrix_power(quarter, turn).T for turn in range(4)]), 0.5)


def _heart(_: np.random.Generator) -> trimesh.Trimesh:
    turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    across = np.sin(turns) ** 3
    up = (13 * np.cos(turns) - 5 * np.cos(2 * turns) - 2 * np.cos(3 * turns) - np.cos(4 * turns)) / 16
    return _prism(0.9 * np.stack([-across, up + 0.1], axis=1), 0.5)


def _stairs(rng: np.random.Generator) -> trimesh.Trimesh:
    steps, width = int(rng.integers(3, 6)), rng.uniform(0.9, 1.3)
    blocks = []
    for step in range(steps):
        block = trimesh.creation.box([1.3 / steps, 1.2 * (step + 1) / steps, width])
        block.apply_translation([1.3 * step / steps, 0.6 * (step + 1) / steps, 0])
        blocks.append(block)
    return trimesh.util.concatenate(blocks)


def _wall(rng: np.random.Generator) -> trimesh.Trimesh:
    return trimesh.creation.box([2.0, rng.uniform(1.0, 1.4), 0.25])


def _arch(_: np.random.Generator) -> trimesh.Trimesh:
    legs = [trimesh.creation.box([0.35, 0.8, 0.5]) for _ in range(2)]
    for leg, side in zip(legs, (-1, 1), strict=True):
        leg.apply_translation([0.6 * side, 0.4, 0])
    turns = np.linspace(0, np.pi, 17)
    blocks = []
    for start, stop in pairwise(turns):
        corners = [
            (r * np.cos(a), 0.8 + r * np.sin(a), z)
            for a in (start, stop)
            for r in (0.425, 0.775)
            for z in (-0.25, 0.25)
        ]
        blocks.append(trimesh.convex.convex_hull(np.array(corners)))
    return trimesh.util.concatenate([*legs, *blocks])


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
    "triangular prism": _prism_of(3),
    "hexagonal prism": _prism_of(6),
    "cross": _cross,
    "heart": _heart,
    "stairs": _stairs,
    "wall": _wall,
    "arch": _arch,
    **{noun: partial(furniture, noun) for noun in FURNITURE},
}
HELD_OUT_FAMILIES = ("heart", "deer", "wheelbarrow", "rocking horse", "biplane", "guitar")  # never trained on


@lru_cache(maxsize=1024)
def build_shape(family: str, seed: int) -> Shape:
    """Build one member of a family; the same `family` and `seed` give the same shape."""
    mesh = FAMILIES[family](np.random.default_rng(seed))
    mesh.apply_translation(-mesh.bounds.mean(axis=0))
    return _finished(mesh, angle=35)


def build_hills(seed: int, inner: float, outer: float) -> Shape:
    """Build a ring of hills around a plain of radius `inner`; its y is height above the plain, in metres."""
    rng = np.random.default_rng(seed)
    turns, reaches = np.linspace(0, 2 * np.pi, 97), np.linspace(0, 1, 25) ** 1.5
    turn, reach = np.meshgrid(turns, reaches)
    waves = sum(
        np.sin(count * turn + rng.uniform(0, 6) + rng.uniform(2, 7) * reach) / count**0.6
        for count in (2, 3, 5, 8, 13)
    )
    height = rng.uniform(1.5, 4.0) * np.clip(reach * 4, 0, 1) ** 1.5 * np.clip(0.45 + 0.3 * waves, 0, None)
    radius = inner + (outer - inner) * reach
    vertices = np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], axis=-1).reshape(-1, 3)
    row, column = (part.ravel() for part in np.mgrid[0 : len(reaches) - 1, 0 : len(turns) - 1])
    first = row * len(turns) + column
    right, below = first + 1, first + len(turns)
    faces = np.vstack([np.stack([first, right, below], 1), np.stack([right, below + 1, below], 1)])
    return _finished(trimesh.Trimesh(vertices, faces, process=False), angle=80)


def _finished(mesh: trimesh.Trimesh, angle: float) -> Shape:
    """Smooth the normals across folds below `angle` degrees."""
    mesh = trimesh.graph.smooth_shade(mesh, angle=np.radians(angle))
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
