"""A glTF or GLB file as a document: its parts by number, its buffers as bytes, and nothing from outside.

The format is the Khronos Group's glTF 2.0 specification. Buffers come from the file itself or from beside it:
what names a place elsewhere is refused, and images are never read.
"""

import base64
import binascii
import json
import struct
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import MAX_BYTES, check_unpacked

_HARMLESS = (
    "KHR_materials_", "KHR_texture_", "EXT_texture_", "MSFT_texture_", "KHR_lights_", "EXT_lights_",
    "KHR_mesh_quantization", "KHR_xmp",
)  # fmt: skip
"""Required extensions that shapes do not depend on, or that are read."""


class Document:
    """A parsed file.

    Args:
        path: the .gltf or .glb file.
        max_bytes: what it and its buffers may hold, and what they may unpack to.

    Raises:
        InputError: missing, cut short, too large, not glTF 2, or in need of an unknown extension.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path, self._max_bytes, self._unpacked = path, max_bytes, 0
        content = read_bounded(path, "a glTF or GLB file", max_bytes)
        self._blob: bytes | None = None
        if content[:4] == b"glTF":
            content, self._blob = self._split(content)
        self._raw: dict[str, Any] = {}
        self.parts = self._parse(content)
        self._buffers: dict[int, bytes] = {}

    def item(self, kind: str, index: object) -> Any:
        """One of the document's `kind` ("nodes", "meshes", …), by number.

        Raises:
            InputError: there is none of that number.
        """
        items = getattr(self.parts, kind) or []
        if not isinstance(index, int) or not 0 <= index < len(items):
            raise InputError(self.path, f"a number below {len(items)}, its {kind}", f"{kind} {index!r}")
        return items[index]

    def node_weights(self, index: int) -> Any:
        """A node's own weights of morph targets, which pygltflib leaves out; None where it has none."""
        return self._raw["nodes"][index].get("weights")

    def spend(self, num_bytes: int) -> None:
        """Count what is unpacked, before it is.

        Raises:
            InputError: all that was unpacked until now is too much.
        """
        self._unpacked += num_bytes
        check_unpacked(self.path, self._unpacked, self._max_bytes)

    def buffer(self, index: object) -> bytes:
        """The bytes of a buffer.

        Raises:
            InputError: it is missing, shorter than stated, or would come from outside the file's folder.
        """
        buffer = self.item("buffers", index)
        assert isinstance(index, int)
        if index not in self._buffers:
            content = self._read(buffer.uri, index)
            length = whole(self.path, buffer.byteLength, f"byteLength of buffer {index}")
            if len(content) < length:
                raise InputError(self.path, f"{length} bytes in buffer {index}", f"{len(content)}")
            self._buffers[index] = content[:length]
        return self._buffers[index]

    def _read(self, uri: str | None, index: int) -> bytes:
        if uri is None:
            if self._blob is None or index != 0:
                raise InputError(self.path, f"a uri or a binary chunk for buffer {index}", "neither")
            return self._blob
        if uri.startswith("data:"):
            header, _, payload = uri.partition(",")
            self.spend(len(payload))
            if not header.endswith(";base64"):
                return unquote_to_bytes(payload)
            try:
                return base64.b64decode(unquote(payload), validate=True)
            except binascii.Error as error:
                raise InputError(self.path, f"base64 in buffer {index}", str(error)) from error
        file = beside(self.path, uri)
        content = read_bounded(file, f"the bytes of buffer {index} of {self.path.name}", self._max_bytes)
        self.spend(len(content))
        return content

    def _split(self, content: bytes) -> tuple[bytes, bytes | None]:
        """The JSON and the binary chunk of a GLB container."""
        if len(content) < 20:
            raise InputError(self.path, "a GLB header of 20 bytes", f"{len(content)} bytes")
        version, length = struct.unpack_from("<II", content, 4)
        if version != 2:
            raise InputError(self.path, "GLB of version 2", f"version {version}")
        if length > len(content):
            raise InputError(self.path, f"{length} bytes, as its header says", f"{len(content)}")
        chunks: dict[bytes, bytes] = {}
        place = 12
        while place + 8 <= length:
            size, kind = struct.unpack_from("<I4s", content, place)
            place += 8
            if place + size > length:
                raise InputError(self.path, f"a chunk of {size} bytes", f"{length - place}")
            chunks.setdefault(kind, content[place : place + size])
            place += size
        if b"JSON" not in chunks:
            raise InputError(self.path, "a JSON chunk", f"{[kind.decode('latin-1') for kind in chunks]}")
        return chunks[b"JSON"], chunks.get(b"BIN\0")

    def _parse(self, content: bytes) -> Any:
        try:
            from pygltflib import GLTF2
        except ImportError as error:
            raise InputError("glTF", "the extra makeyourvideo[scene]", f"no {error.name}") from error
        with unreadable_unless(self.path, "a glTF 2.0 scene"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pygltflib warns about what is legal
            text = content.decode("utf-8-sig")
            raw = json.loads(text)
            version = str(raw["asset"]["version"])
            if version.split(".")[0] != "2":
                raise InputError(self.path, "glTF 2.0", f"version {version}")
            for name in raw.get("extensionsRequired", []):
                if not str(name).startswith(_HARMLESS):
                    raise InputError(self.path, "a glTF scene without required extensions", str(name))
            self._raw = raw
            return GLTF2.from_json(text, infer_missing=True)


def read_bounded(path: Path, what: str, max_bytes: int) -> bytes:
    """Read a file that is not too large.

    Raises:
        InputError: missing, unreadable or too large.
    """
    with unreadable_unless(path, what):
        check_unpacked(path, path.stat().st_size, max_bytes)
        return path.read_bytes()


def beside(path: Path, name: str) -> Path:
    """The file that `path` names, in its folder or below.

    Raises:
        InputError: it lies elsewhere: an absolute path, one through "..", a URL, or a link that leads out.
    """
    place = unquote(name)
    parts = place.replace("\\", "/").split("/")
    if ":" in parts[0] or parts[0] == "" or ".." in parts or "\0" in place:
        raise InputError(path, "files in its own folder", place[:200].replace("\0", "?"))
    with unreadable_unless(path, "files in its own folder"):
        folder = path.parent.resolve()
        file = (folder / place).resolve()
        if not file.is_relative_to(folder):
            raise InputError(path, "files in its own folder", f"{place}, which leads out of it")
    return path.parent / place


def whole(path: Path, value: object, what: str, least: int = 0) -> int:
    """A whole number of at least `least`.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(path, f"a whole number of at least {least} as {what}", repr(value))
    return value
