"""glTF accessors -> arrays: strides, sparse values, whole numbers that mean fractions (glTF 2.0, 3.6.2)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.structure.scenes.gltf_file import Document
from makeyourvideo.structure.scenes.gltf_form import Sparse

_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_SHAPES: dict[str, tuple[int, ...]] = {
    "SCALAR": (), "VEC2": (2,), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4),
}  # fmt: skip


def read_floats(document: Document, index: int | None, *kinds: str) -> NDArray[np.float64]:
    """Read numbers `(count, …)`; normalised whole numbers become fractions, matrices are `(count, 4, 4)`.

    Raises:
        InputError: another type than one of `kinds`, out of range, or not finite.
    """
    stored = _read(document, index, kinds)
    values = stored.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(document.path, f"finite numbers in accessor {index}", "NaN or infinity")
    if document.item(document.parts.accessors, index, "accessors").normalized and stored.dtype.kind in "iu":
        values = np.maximum(values / np.iinfo(stored.dtype).max, -1)
    return values.transpose(0, 2, 1) if values.ndim == 3 else values


def read_numbers(document: Document, index: int | None, *kinds: str) -> NDArray[np.int64]:
    """Read whole numbers `(count, …)`, as they point to vertices and joints.

    Raises:
        InputError: another type, or out of range.
    """
    stored = _read(document, index, kinds)
    if stored.dtype.kind != "u":
        raise InputError(document.path, f"unsigned whole numbers in accessor {index}", stored.dtype.name)
    return stored.astype(np.int64)


def _read(document: Document, index: int | None, kinds: tuple[str, ...]) -> NDArray[Any]:
    accessor = document.item(document.parts.accessors, index, "accessors")
    what, count, shape = f"accessor {index}", accessor.count, _SHAPES.get(accessor.type, ())
    if accessor.type not in kinds:
        raise InputError(document.path, f"{' or '.join(kinds)} in {what}", repr(accessor.type))
    dtype = _dtype(document, accessor.component_type, what)
    document.spend(8 * count * int(np.prod(shape)))
    if accessor.buffer_view is None:
        values = np.zeros((count, *shape), dtype)
    else:
        values = _elements(document, accessor.buffer_view, accessor.byte_offset, count, dtype, shape, what)
    if accessor.sparse is None:
        return values
    values = values.copy()
    _change(document, values, accessor.sparse, what)
    return values


def _change(document: Document, values: NDArray[Any], sparse: Sparse, what: str) -> None:
    """Put sparse values in their places."""
    document.spend(8 * sparse.count * (1 + int(np.prod(values.shape[1:]))))
    dtype = _dtype(document, sparse.indices.component_type, what)
    view, offset = sparse.indices.buffer_view, sparse.indices.byte_offset
    places = _elements(document, view, offset, sparse.count, dtype, (), what).astype(np.int64)
    if places.min() < 0 or places.max() >= len(values):
        expected = f"sparse indices from 0 to {len(values) - 1} in {what}"
        raise InputError(document.path, expected, f"{places.min()} to {places.max()}")
    view, offset = sparse.values.buffer_view, sparse.values.byte_offset
    values[places] = _elements(document, view, offset, sparse.count, values.dtype, values.shape[1:], what)


def _dtype(document: Document, code: int, what: str) -> np.dtype[Any]:
    if code not in _TYPES:
        raise InputError(document.path, f"a componentType of glTF in {what}", str(code))
    return np.dtype(_TYPES[code])


def _elements(
    document: Document,
    view_index: int,
    offset: int,
    count: int,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    what: str,
) -> NDArray[Any]:
    """`count` elements in a buffer view, which may lie further apart than they are long."""
    view = document.item(document.parts.buffer_views, view_index, "bufferViews")
    content = document.buffer(view.buffer)
    stop = view.byte_offset + view.byte_length
    if stop > len(content):
        expected = f"{stop} bytes in buffer {view.buffer} for bufferView {view_index}"
        raise InputError(document.path, expected, f"{len(content)}")
    size = dtype.itemsize * int(np.prod(shape))
    stride = view.byte_stride or size
    end = offset + stride * (count - 1) + size
    if stride < size or end > view.byte_length:
        expected = f"{max(end, count * size)} bytes for {what} in bufferView {view_index}"
        raise InputError(document.path, expected, f"{view.byte_length}, {stride} an element")
    within = np.empty(shape, dtype).strides
    return np.ndarray((count, *shape), dtype, content, view.byte_offset + offset, (stride, *within))
