"""The form of glTF 2.0's JSON, as far as shapes, their motion and cameras go; the rest is passed over."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Whole = Annotated[int, Field(ge=0)]
Three = tuple[float, float, float]
Four = tuple[float, float, float, float]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="ignore", frozen=True, allow_inf_nan=False, alias_generator=to_camel, populate_by_name=True
    )


class Asset(_Part):
    """Which glTF it is."""

    version: str


class Buffer(_Part):
    """Bytes of the binary chunk, of a data: URI or of a file."""

    byte_length: Whole
    uri: str | None = None


class BufferView(_Part):
    """A stretch of a buffer."""

    buffer: Whole
    byte_offset: Whole = 0
    byte_length: Whole
    byte_stride: Whole | None = None


class SparseIndices(_Part):
    """Which elements are changed."""

    buffer_view: Whole
    byte_offset: Whole = 0
    component_type: int


class SparseValues(_Part):
    """What they are changed to."""

    buffer_view: Whole
    byte_offset: Whole = 0


class Sparse(_Part):
    """Elements that differ from the accessor's own."""

    count: Annotated[int, Field(ge=1)]
    indices: SparseIndices
    values: SparseValues


class Accessor(_Part):
    """An array."""

    buffer_view: Whole | None = None
    byte_offset: Whole = 0
    component_type: int
    normalized: bool = False
    count: Annotated[int, Field(ge=1)]
    type: str
    sparse: Sparse | None = None


class Primitive(_Part):
    """Triangles, lines or points."""

    attributes: dict[str, Whole]
    indices: Whole | None = None
    mode: int = 4
    targets: tuple[dict[str, Whole], ...] = ()


class Mesh(_Part):
    """Primitives that are placed together."""

    primitives: tuple[Primitive, ...]
    weights: tuple[float, ...] | None = None


class Skin(_Part):
    """The joints that bend a mesh."""

    joints: Annotated[tuple[Whole, ...], Field(min_length=1)]
    inverse_bind_matrices: Whole | None = None


class Node(_Part):
    """A place for a mesh, a camera or other nodes."""

    name: str | None = None
    children: tuple[Whole, ...] = ()
    matrix: Annotated[tuple[float, ...], Field(min_length=16, max_length=16)] | None = None
    translation: Three = (0, 0, 0)
    rotation: Four = (0, 0, 0, 1)
    scale: Three = (1, 1, 1)
    mesh: Whole | None = None
    skin: Whole | None = None
    camera: Whole | None = None
    weights: tuple[float, ...] | None = None


class Perspective(_Part):
    """A vertical field of view in radians."""

    yfov: float


class Camera(_Part):
    """A lens."""

    name: str | None = None
    type: str
    perspective: Perspective | None = None


class Target(_Part):
    """What an animation moves."""

    node: Whole | None = None
    path: str


class Channel(_Part):
    """Which keyframes move what."""

    sampler: Whole
    target: Target


class Sampler(_Part):
    """Keyframes."""

    input: Whole
    output: Whole
    interpolation: str = "LINEAR"


class Animation(_Part):
    """Channels that are played together."""

    name: str | None = None
    channels: tuple[Channel, ...]
    samplers: tuple[Sampler, ...]


class Scene(_Part):
    """The nodes that are shown."""

    nodes: tuple[Whole, ...] = ()


class Gltf(_Part):
    """The whole document."""

    asset: Asset
    extensions_required: tuple[str, ...] = ()
    scene: Whole = 0
    scenes: tuple[Scene, ...] = ()
    nodes: tuple[Node, ...] = ()
    meshes: tuple[Mesh, ...] = ()
    skins: tuple[Skin, ...] = ()
    cameras: tuple[Camera, ...] = ()
    animations: tuple[Animation, ...] = ()
    accessors: tuple[Accessor, ...] = ()
    buffer_views: tuple[BufferView, ...] = ()
    buffers: tuple[Buffer, ...] = ()
