"""glTF and GLB -> a model whose nodes, skins and morph targets move, with the file's own cameras."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.media import MAX_BYTES
from makeyourvideo.structure.scenes.cameras import Cameras, check_cameras
from makeyourvideo.structure.scenes.gltf_accessors import read_floats
from makeyourvideo.structure.scenes.gltf_animation import Track, read_tracks
from makeyourvideo.structure.scenes.gltf_file import Document
from makeyourvideo.structure.scenes.gltf_meshes import Primitive, read_mesh
from makeyourvideo.structure.scenes.gltf_nodes import NodeTree
from makeyourvideo.structure.scenes.model import Mesh, check_surfaces

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Skin:
    """Joints, as node numbers `(j,)`, and what takes a mesh at rest into each joint's frame `(j, 4, 4)`."""

    joints: NDArray[np.int64]
    inverse_bind: Floats


@dataclass(frozen=True, eq=False)
class Instance:
    """A primitive at a node; `weights` are of its morph targets, where no `track` moves them."""

    primitive: Primitive
    node: int
    skin: Skin | None
    weights: Floats
    track: Track | None

    def at(self, seconds: float, world: Floats) -> Mesh:
        """The surface at a time, when nodes are at `world` `(nodes, 4, 4)`."""
        weights = self.weights if self.track is None else self.track.at(seconds)
        positions = self.primitive.morphed(weights)
        if self.skin is not None:
            placed = self.primitive.skinned(positions, world[self.skin.joints] @ self.skin.inverse_bind)
        else:
            matrix = world[self.node]
            placed = positions @ matrix[:3, :3].T + matrix[:3, 3]
        return Mesh(placed, self.primitive.faces)


class GltfModel:
    """A glTF scene.

    Args:
        path: a .gltf or .glb file.
        animation: the name of the one to play; None plays all that the file has.
        max_bytes: what the file may hold and unpack to.

    Raises:
        InputError: whatever is wrong with the file.
    """

    def __init__(self, path: Path, animation: str | None = None, max_bytes: int = MAX_BYTES) -> None:
        self.path, self._document = path, Document(path, max_bytes)
        tracks = read_tracks(self._document, animation)
        self._tree = NodeTree(self._document, tracks)
        inside = self._tree.reachable(self._scene_roots())
        weights = {node: track for (node, name), track in tracks.items() if name == "weights"}
        instances = self._read_instances(inside, weights)
        check_surfaces(
            path, [Mesh(one.primitive.positions, one.primitive.faces) for one in instances], max_bytes
        )
        world = self._tree.world(0.0)
        self.still: Sequence[Mesh] = [one.at(0.0, world) for one in instances if not self._moves(one)]
        self._moving = [one for one in instances if self._moves(one)]
        self._cameras = self._find_cameras(inside)

    def moving(self, seconds: float) -> Sequence[Mesh]:
        """What moves, as it is at a time."""
        if not self._moving:
            return ()
        world = self._tree.world(seconds)
        return [instance.at(seconds, world) for instance in self._moving]

    @property
    def camera_names(self) -> Sequence[str]:
        """The cameras of the scene, each by its node's name or its own."""
        return list(self._cameras)

    def film(self, name: str, seconds: Floats) -> Cameras:
        """One of the file's cameras at `seconds` `(f,)`; near and far planes cut nothing off.

        Raises:
            InputError: no perspective camera of that name, or one that is degenerate.
        """
        if name not in self._cameras:
            known = ", ".join(self._cameras) or "none"
            raise InputError(self.path, f"one of the file's cameras ({known})", repr(name))
        node, index = self._cameras[name]
        camera = self._document.item("cameras", index)
        if camera.perspective is None:
            raise InputError(self.path, "a perspective camera", f"{name!r} of type {camera.type}")
        fov = camera.perspective.yfov
        if not isinstance(fov, int | float):
            raise InputError(self.path, f"yfov of camera {name!r} in radians", repr(fov))
        poses = np.array([self._tree.world(float(second))[node] for second in seconds])
        return check_cameras(Cameras(poses, np.full(len(seconds), float(fov))), self.path)

    def _scene_roots(self) -> list[int]:
        document = self._document
        if not document.parts.scenes:
            return self._tree.roots
        scene = document.item("scenes", document.parts.scene or 0)
        for node in scene.nodes or []:
            document.item("nodes", node)
        return list(scene.nodes or [])

    def _read_instances(self, inside: list[int], tracks: dict[int, Track]) -> list[Instance]:
        document = self._document
        read: dict[tuple[object, object], tuple[list[Primitive], Skin | None]] = {}
        instances = []
        for index in inside:
            node = document.item("nodes", index)
            if node.mesh is None:
                continue
            key = (node.mesh, node.skin)
            if key not in read:
                skin = None if node.skin is None else _read_skin(document, node.skin)
                read[key] = read_mesh(document, node.mesh, None if skin is None else len(skin.joints)), skin
            primitives, skin = read[key]
            for primitive in primitives:
                document.spend(primitive.positions.nbytes + primitive.faces.nbytes)
                instances.append(self._placed(primitive, index, skin, tracks.get(index)))
        return instances

    def _placed(self, primitive: Primitive, index: int, skin: Skin | None, track: Track | None) -> Instance:
        mesh, count = self._document.item("nodes", index).mesh, len(primitive.targets)
        default = self._document.node_weights(index) or self._document.item("meshes", mesh).weights
        weights = np.array(default or [0.0] * count, np.float64)
        given = len(weights) if track is None else track.values.shape[-1]
        if count and given != count:
            expected = f"a weight for each of {count} morph targets of mesh {mesh}"
            raise InputError(self.path, expected, f"{given} at node {index}")
        return Instance(primitive, index, skin, weights, track if count else None)

    def _moves(self, instance: Instance) -> bool:
        places = [instance.node] if instance.skin is None else instance.skin.joints.tolist()
        return instance.track is not None or not self._tree.moving.isdisjoint(places)

    def _find_cameras(self, inside: list[int]) -> dict[str, tuple[int, int]]:
        cameras: dict[str, tuple[int, int]] = {}
        for index in inside:
            node = self._document.item("nodes", index)
            if node.camera is not None:
                camera = self._document.item("cameras", node.camera)
                for name in (node.name or camera.name or f"camera {node.camera}", camera.name):
                    if name:
                        cameras.setdefault(str(name), (index, node.camera))
        return cameras


def _read_skin(document: Document, index: object) -> Skin:
    skin = document.item("skins", index)
    joints = list(skin.joints or [])
    for joint in joints:
        document.item("nodes", joint)
    if not joints:
        raise InputError(document.path, f"joints in skin {index}", "none")
    inverse_bind = np.tile(np.eye(4), (len(joints), 1, 1))
    if skin.inverseBindMatrices is not None:
        inverse_bind = read_floats(document, skin.inverseBindMatrices, "MAT4")
        if len(inverse_bind) < len(joints):
            found = f"{len(inverse_bind)}"
            raise InputError(document.path, f"{len(joints)} inverse bind matrices in skin {index}", found)
    return Skin(np.array(joints), inverse_bind[: len(joints)])
