"""Frames a second of scene depth: 100,000 triangles that stand still, and as many bent by joints."""

import argparse
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import trimesh

from makeyourvideo.structure.scenes import film_scene

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "structure"))
from gltf_maker import GltfMaker

JOINTS = 40


def tube(triangles: int) -> tuple[np.ndarray, np.ndarray]:
    """A closed, bumpy tube from z = -1 to 1."""
    rings = int(np.sqrt(triangles / 2))
    turn, along = np.meshgrid(np.linspace(0, 2 * np.pi, rings + 1)[:-1], np.linspace(-1, 1, rings + 1))
    radius = 0.35 + 0.02 * np.sin(9 * turn) * np.sin(20 * along)
    vertices = np.stack([radius * np.cos(turn), along, radius * np.sin(turn)], axis=-1).reshape(-1, 3)
    row, column = (part.ravel() for part in np.mgrid[:rings, :rings])
    first, second = row * rings + column, row * rings + (column + 1) % rings
    faces = np.vstack(
        [np.stack([first, second, first + rings], 1), np.stack([second, second + rings, first + rings], 1)]
    )
    return vertices, faces


def skinned(path: Path, triangles: int) -> Path:
    """The tube, bent by a chain of joints with four weights a vertex."""
    maker, (vertices, faces) = GltfMaker(), tube(triangles)
    places = np.linspace(-1, 1, JOINTS)
    nearest = np.argsort(np.abs(vertices[:, 1:2] - places), axis=1)[:, :4]
    weights = np.exp(-20 * np.abs(np.take_along_axis(vertices[:, 1:2] - places, nearest, axis=1)))
    weights /= weights.sum(axis=1, keepdims=True)
    maker.mesh(vertices, faces, JOINTS_0=maker.accessor(nearest, "u2"), WEIGHTS_0=maker.accessor(weights))
    step = places[1] - places[0]
    joints = [
        maker.node(number == 0, translation=[0.0, float(step if number else -1), 0.0])
        for number in range(JOINTS)
    ]
    for parent, child in pairwise(joints):
        maker.parts.nodes[parent].children = [child]
    bind = np.tile(np.eye(4), (JOINTS, 1, 1))
    bind[:, 1, 3] = -places
    maker.node(mesh=0, skin=maker.skin(joints, bind))
    for joint in joints[1:]:
        angles = np.array([-0.02, 0.02, -0.02])
        turns = np.stack([0 * angles, 0 * angles, np.sin(angles / 2), np.cos(angles / 2)], axis=1)
        maker.animate(joint, "rotation", [0, 2, 4], turns)
    return maker.save(path)


def measure(path: Path, frames: int, size: int) -> float:
    """Frames a second, the first frame and the reading of the file left out."""
    stream = film_scene(
        path, "orbit", num_frames=frames + 1, fps=frames / 4, height=size, width=size
    ).stream()
    next(stream)
    begin = time.perf_counter()
    for _ in stream:
        pass
    return frames / (time.perf_counter() - begin)


def main() -> None:
    """Print one line a scene."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triangles", type=int, default=100_000)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        vertices, faces = tube(options.triangles)
        still = Path(folder, "still.ply")
        trimesh.Trimesh(vertices, faces, process=False).export(still)
        moving = skinned(Path(folder, "skinned.glb"), options.triangles)
        for name, path, target in (("still", still, 30), ("skinned", moving, 8)):
            rate = measure(path, options.frames, options.size)
            print(f"{name}: {len(faces)} triangles, {rate:.1f} frames a second (target {target})")


if __name__ == "__main__":
    main()
