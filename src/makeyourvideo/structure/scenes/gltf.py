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
        camera = self._document.parts.cameras[index]
        if camera.perspective is None:
            raise InputError(self.path, "a perspective camera", f"{name!r} of type {camera.type}")
        poses = np.array([self._tree.world(second)[node] for second in seconds.tolist()])
        fov = np.full(len(seconds), camera.perspective.yfov)
        return check_cameras(Cameras(poses, fov), self.path)

    def _scene_roots(self) -> list[int]:
        document, parts = self._document, self._document.parts
        if not parts.scenes:
            return self._tree.roots
        roots = list(document.item(parts.scenes, parts.scene, "scenes").nodes)
        for node in roots:
            document.item(parts.nodes, node, "nodes")
        return roots

    def _read_instances(self, inside: list[int], tracks: dict[int, Track]) -> list[Instance]:
        document, parts = self._document, self._document.parts
        read: dict[tuple[int, int | None], tuple[list[Primitive], Skin | None]] = {}
        instances = []
        for index in inside:
            node = parts.nodes[index]
            if node.mesh is None:
                continue
            key = (node.mesh, node.skin)
            if key not in read:
                skin = None if node.skin is None else _read_skin(document, node.skin)
                read[key] = read_mesh(document, node.mesh, None if skin is None else len(skin.joints)), skin
            primitives, skin = read[key]
            for primitive in primitives:
                document.spend(primitive.positions.nbytes + primitive.faces.nbytes)
                weights = node.weights or parts.meshes[node.mesh].weights
                instances.append(self._placed(primitive, index, skin, weights, tracks.get(index)))
        return instances

    def _placed(
        self,
        primitive: Primitive,
        node: int,
        skin: Skin | None,
        weights: tuple[float, ...] | None,
        track: Track | None,
    ) -> Instance:
        count = len(primitive.targets)
        constant = np.array(weights or [0.0] * count)
        given = len(constant) if track is None else track.values.shape[-1]
        if count and given != count:
            expected = f"a weight for each of {count} morph targets at node {node}"
            raise InputError(self.path, expected, f"{given}")
        return Instance(primitive, node, skin, constant, track if count else None)

    def _moves(self, instance: Instance) -> bool:
        places = [instance.node] if instance.skin is None else instance.skin.joints.tolist()
        return instance.track is not None or not self._tree.moving.isdisjoint(places)

    def _find_cameras(self, inside: list[int]) -> dict[str, tuple[int, int]]:
        """Node and camera by the node's name, else the camera's; where taken, with the node's number."""
        parts = self._document.parts
        found: dict[str, tuple[int, int]] = {}
        for index in inside:
            node = parts.nodes[index]
            if node.camera is not None:
                camera = self._document.item(parts.cameras, node.camera, "cameras")
                name = node.name or camera.name or f"camera {node.camera}"
                found[f"{name} {index}" if name in found else name] = index, node.camera
        return found


def _read_skin(document: Document, index: int) -> Skin:
    skin = document.item(document.parts.skins, index, "skins")
    count = len(skin.joints)
    for joint in skin.joints:
        document.item(document.parts.nodes, joint, "nodes")
    inverse_bind = np.tile(np.eye(4), (count, 1, 1))
    if skin.inverse_bind_matrices is not None:
        inverse_bind = read_floats(document, skin.inverse_bind_matrices, "MAT4")
        if len(inverse_bind) < count:
            expected = f"{count} inverse bind matrices in skin {index}"
            raise InputError(document.path, expected, f"{len(inverse_bind)}")
    return Skin(np.array(skin.joints), inverse_bind[:count])
