"""glTF files made in tests: arrays in, a document out; pygltflib writes them."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib as gltf

COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
KINDS = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}


class GltfMaker:
    """Collects arrays in one buffer; `parts` is the document, free to be changed before `save`."""

    def __init__(self) -> None:
        self.parts = gltf.GLTF2(asset=gltf.Asset(version="2.0"), scene=0, scenes=[gltf.Scene(nodes=[])])
        self.content = b""

    def view(self, content: bytes, stride: int | None = None) -> int:
        self.content += bytes(-len(self.content) % 4)
        self.parts.bufferViews.append(
            gltf.BufferView(
                buffer=0, byteOffset=len(self.content), byteLength=len(content), byteStride=stride
            )
        )
        self.content += content
        return len(self.parts.bufferViews) - 1

    def accessor(
        self, values: Any, dtype: str = "f4", normalized: bool = False, stride: int | None = None
    ) -> int:
        """Add an accessor; with `stride`, elements lie that many bytes apart, rubbish between them."""
        array = np.asarray(values).astype(f"<{dtype}")
        kind = KINDS[array.shape[1:]]
        if kind == "MAT4":
            array = array.transpose(0, 2, 1)
        content = array.tobytes()
        if stride is not None:
            size = len(content) // len(array)
            rows = [content[i * size : (i + 1) * size] + b"\xa5" * (stride - size) for i in range(len(array))]
            content = b"".join(rows)
        self.parts.accessors.append(
            gltf.Accessor(
                bufferView=self.view(content, stride), componentType=COMPONENTS[dtype], count=len(array),
                type=kind, normalized=normalized,
            )
        )  # fmt: skip
        return len(self.parts.accessors) - 1

    def mesh(self, vertices: Any, faces: Any = None, mode: int = 4, **attributes: int) -> gltf.Primitive:
        """Add a mesh of one primitive; return that."""
        indices = (
            None
            if faces is None
            else self.accessor(np.asarray(faces).ravel(), "u2" if len(vertices) < 60000 else "u4")
        )
        primitive = gltf.Primitive(
            attributes=gltf.Attributes(POSITION=self.accessor(vertices), **attributes),
            indices=indices,
            mode=mode,
        )
        self.parts.meshes.append(gltf.Mesh(primitives=[primitive]))
        return primitive

    def node(self, root: bool = True, **fields: Any) -> int:
        self.parts.nodes.append(gltf.Node(**fields))
        index = len(self.parts.nodes) - 1
        if root:
            self.parts.scenes[0].nodes.append(index)
        return index

    def camera(self, fov: float = np.pi / 3, root: bool = True, name: str = "eye", **fields: Any) -> int:
        """Add a perspective camera at a node."""
        self.parts.cameras.append(
            gltf.Camera(type="perspective", perspective=gltf.Perspective(yfov=fov, znear=0.1), name=None)
        )
        return self.node(root, camera=len(self.parts.cameras) - 1, name=name, **fields)

    def animate(
        self,
        node: int,
        path: str,
        times: Any,
        values: Any,
        how: str = "LINEAR",
        name: str | None = None,
        **stored: Any,
    ) -> None:
        """Add a channel to the animation of this name."""
        animation = next((one for one in self.parts.animations if one.name == name), None)
        if animation is None:
            animation = gltf.Animation(name=name)
            self.parts.animations.append(animation)
        animation.samplers.append(
            gltf.AnimationSampler(
                input=self.accessor(times), output=self.accessor(values, **stored), interpolation=how
            )
        )
        animation.channels.append(
            gltf.AnimationChannel(
                sampler=len(animation.samplers) - 1, target=gltf.AnimationChannelTarget(node=node, path=path)
            )
        )

    def skin(self, joints: list[int], inverse_bind: Any) -> int:
        self.parts.skins.append(gltf.Skin(joints=joints, inverseBindMatrices=self.accessor(inverse_bind)))
        return len(self.parts.skins) - 1

    def save(self, path: Path, embed: bool = False) -> Path:
        """Write .glb, or .gltf with its buffer beside it or, with `embed`, in it."""
        buffer = gltf.Buffer(byteLength=len(self.content))
        self.parts.buffers = [buffer]
        if path.suffix == ".glb":
            self.parts.set_binary_blob(self.content)
            self.parts.save_binary(str(path))
            return path
        if embed:
            buffer.uri = "data:application/octet-stream;base64," + base64.b64encode(self.content).decode()
        else:
            buffer.uri = f"{path.stem} buffer.bin".replace(" ", "%20")
            path.with_name(f"{path.stem} buffer.bin").write_bytes(self.content)
        path.write_text(self.parts.gltf_to_json())
        return path


def box(low: Any, high: Any) -> tuple[np.ndarray, np.ndarray]:
    """Vertices `(8, 3)` and faces `(12, 3)` of a box."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
    return np.asarray(low) + corners * (np.asarray(high) - np.asarray(low)), np.array(faces)
