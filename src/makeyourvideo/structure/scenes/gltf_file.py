"""A glTF or GLB file as a document: its parts by number, its buffers as bytes, and nothing from outside.

The format is the Khronos Group's glTF 2.0 specification. Buffers come from the file itself or from beside it:
what names a place elsewhere is refused, and images are never read.
"""

import base64
import binascii
import json
import struct
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, unquote_to_bytes

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import MAX_BYTES, check_unpacked
from makeyourvideo.structure.scenes.gltf_form import Gltf
from makeyourvideo.structure.scenes.inputs import beside, read_bounded, validated

_Item = TypeVar("_Item")
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
        self.parts = self._parse(content)
        self._buffers: dict[int, bytes] = {}

    def item(self, items: tuple[_Item, ...], index: int | None, kind: str) -> _Item:
        """One of the document's `items`, of a `kind` ("nodes", "meshes", …), by number.

        Raises:
            InputError: there is none of that number.
        """
        if index is None or index >= len(items):
            raise InputError(self.path, f"a number below {len(items)}, its {kind}", f"{kind} {index}")
        return items[index]

    def spend(self, num_bytes: int) -> None:
        """Count what is unpacked, before it is.

        Raises:
            InputError: all that was unpacked until now is too much.
        """
        self._unpacked += num_bytes
        check_unpacked(self.path, self._unpacked, self._max_bytes)

    def buffer(self, index: int) -> bytes:
        """The bytes of a buffer.

        Raises:
            InputError: it is missing, shorter than stated, or would come from outside the file's folder.
        """
        buffer = self.item(self.parts.buffers, index, "buffers")
        if index not in self._buffers:
            content = self._read(buffer.uri, index)
            if len(content) < buffer.byte_length:
                found = f"{len(content)}"
                raise InputError(self.path, f"{buffer.byte_length} bytes in buffer {index}", found)
            self._buffers[index] = content[: buffer.byte_length]
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

    def _parse(self, content: bytes) -> Gltf:
        with unreadable_unless(self.path, "a glTF 2.0 scene"):
            raw = json.loads(content.decode("utf-8-sig"))
        parts = validated(self.path, Gltf, raw)
        if parts.asset.version.split(".")[0] != "2":
            raise InputError(self.path, "glTF 2.0", f"version {parts.asset.version}")
        for name in parts.extensions_required:
            if not name.startswith(_HARMLESS):
                raise InputError(self.path, "a glTF scene without required extensions", name)
        return parts
