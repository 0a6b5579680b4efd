"""The tree of a glTF scene's nodes: where each of them is at a time."""

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.structure.scenes.gltf_animation import Property, Track
from makeyourvideo.structure.scenes.gltf_file import Document

Floats = NDArray[np.float64]


class NodeTree:
    """Nodes with their parents, and what moves them.

    Args:
        document: the file.
        tracks: keyframes by node and property.

    Raises:
        InputError: no nodes, or a node that is its own ancestor or has two parents.
    """

    def __init__(self, document: Document, tracks: dict[tuple[int, Property], Track]) -> None:
        nodes = document.parts.nodes
        if not nodes:
            raise InputError(document.path, "a scene with nodes", "none")
        self._tracks = {key: track for key, track in tracks.items() if key[1] != "weights"}
        self._parents = _parents(document)
        self._order = _parents_first(document, self._parents)
        self._moved = {node for node, _ in self._tracks}
        self.moving: set[int] = set()
        for node in self._order:
            if node in self._moved or self._parents[node] in self.moving:
                self.moving.add(node)
        self._translations = np.array([node.translation for node in nodes], np.float64)
        self._rotations = np.array([node.rotation for node in nodes], np.float64)
        self._scales = np.array([node.scale for node in nodes], np.float64)
        self._local = composed(self._translations, self._rotations, self._scales)
        for index, form in enumerate(nodes):
            if form.matrix is not None and index not in self._moved:
                self._local[index] = np.reshape(form.matrix, (4, 4)).T
        self._world = self._local.copy()
        self._attach(self._order, self._local, self._world)

    def world(self, seconds: float) -> Floats:
        """Node-to-world matrices `(nodes, 4, 4)`."""
        if not self._tracks:
            return self._world
        places = {
            "translation": self._translations.copy(),
            "rotation": self._rotations.copy(),
            "scale": self._scales.copy(),
        }
        for (node, name), track in self._tracks.items():
            places[name][node] = track.at(seconds)
        moved = sorted(self._moved)
        local, world = self._local.copy(), self._world.copy()
        local[moved] = composed(*(place[moved] for place in places.values()))
        self._attach([node for node in self._order if node in self.moving], local, world)
        return world

    def reachable(self, roots: list[int]) -> list[int]:
        """`roots` and everything below them, parents first."""
        inside = set(roots)
        for node in self._order:
            if self._parents[node] in inside:
                inside.add(node)
        return [node for node in self._order if node in inside]

    @property
    def roots(self) -> list[int]:
        """Nodes without a parent."""
        return [node for node, parent in enumerate(self._parents) if parent < 0]

    def _attach(self, order: list[int], local: Floats, world: Floats) -> None:
        for node in order:
            parent = self._parents[node]
            world[node] = world[parent] @ local[node] if parent >= 0 else local[node]


def composed(translations: Floats, rotations: Floats, scales: Floats) -> Floats:
    """Matrices `(n, 4, 4)` that scale, then rotate by unit quaternions x, y, z, w, then translate."""
    x, y, z, w = (rotations / np.maximum(np.linalg.norm(rotations, axis=1, keepdims=True), 1e-300)).T
    matrices = np.tile(np.eye(4), (len(translations), 1, 1))
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrices[:, :3, :3] = np.array(rows).transpose(2, 0, 1) * scales[:, None, :]
    matrices[:, :3, 3] = translations
    return matrices


def _parents(document: Document) -> list[int]:
    nodes = document.parts.nodes
    parents = [-1] * len(nodes)
    for index, node in enumerate(nodes):
        for child in node.children:
            document.item(nodes, child, "nodes")
            if parents[child] >= 0 or child == index:
                found = f"node {child} below {parents[child] if parents[child] >= 0 else index} and {index}"
                raise InputError(document.path, "a tree of nodes, each below one other", found)
            parents[child] = index
    return parents


def _parents_first(document: Document, parents: list[int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for node, parent in enumerate(parents):
        children.setdefault(parent, []).append(node)
    order: list[int] = []
    waiting = list(reversed(children.get(-1, [])))
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting.extend(reversed(children.get(node, [])))
    if len(order) < len(parents):
        lost = min(set(range(len(parents))) - set(order))
        raise InputError(document.path, "a tree of nodes", f"a cycle through node {lost}'s ancestors")
    return order
