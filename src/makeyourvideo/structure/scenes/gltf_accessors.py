"""glTF accessors -> arrays: strides, sparse values, whole numbers that mean fractions (glTF 2.0, 3.6.2)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.structure.scenes.gltf_file import Document, whole

_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_SHAPES: dict[str, tuple[int, ...]] = {
    "SCALAR": (), "VEC2": (2,), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4),
}  # fmt: skip


def read_floats(document: Document, index: object, *kinds: str) -> NDArray[np.float64]:
    """Read numbers `(count, …)`; normalised whole numbers become fractions, matrices are `(count, 4, 4)`.

    Raises:
        InputError: another type than one of `kinds`, out of range, or not finite.
    """
    stored = _read(document, index, kinds)
    values = stored.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(document.path, f"finite numbers in accessor {index}", "NaN or infinity")
    if document.item("accessors", index).normalized and stored.dtype.kind in "iu":
        values = np.maximum(values / np.iinfo(stored.dtype).max, -1)
    return values.transpose(0, 2, 1) if values.ndim == 3 else values


def read_numbers(document: Document, index: object, *kinds: str) -> NDArray[np.int64]:
    """Read whole numbers `(count, …)`, as they point to vertices and joints.

    Raises:
        InputError: another type, or out of range.
    """
    stored = _read(document, index, kinds)
    if stored.dtype.kind != "u":
        raise InputError(document.path, f"unsigned whole numbers in accessor {index}", stored.dtype.name)
    return stored.astype(np.int64)


def _read(document: Document, index: object, kinds: tuple[str, ...]) -> NDArray[Any]:
    accessor = document.item("accessors", index)
    what = f"accessor {index}"
    if accessor.type not in kinds:
        raise InputError(document.path, f"{' or '.join(kinds)} in {what}", repr(accessor.type))
    count = whole(document.path, accessor.count, f"count of {what}", 1)
    dtype, shape = _dtype(document, accessor.componentType, what), _SHAPES[accessor.type]
    document.spend(8 * count * int(np.prod(shape)))
    if accessor.bufferView is None:
        values = np.zeros((count, *shape), dtype)
    else:
        values = _elements(document, accessor.bufferView, accessor.byteOffset, count, dtype, shape, what)
    if accessor.sparse is None:
        return values
    sparse = accessor.sparse
    changed = whole(document.path, sparse.count, f"sparse.count of {what}", 1)
    document.spend(8 * changed * (1 + int(np.prod(shape))))
    places = _elements(
        document, sparse.indices.bufferView, sparse.indices.byteOffset, changed,
        _dtype(document, sparse.indices.componentType, what), (), what,
    ).astype(np.int64)  # fmt: skip
    if places.min() < 0 or places.max() >= count:
        found = f"{places.max() if places.min() >= 0 else places.min()}"
        raise InputError(document.path, f"sparse indices below {count} in {what}", found)
    values = values.copy()
    values[places] = _elements(
        document, sparse.values.bufferView, sparse.values.byteOffset, changed, dtype, shape, what
    )
    return values


def _dtype(document: Document, code: object, what: str) -> np.dtype[Any]:
    if not isinstance(code, int) or code not in _TYPES:
        raise InputError(document.path, f"a componentType of glTF in {what}", repr(code))
    return np.dtype(_TYPES[code])


def _elements(
    document: Document,
    view_index: object,
    offset: object,
    count: int,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    what: str,
) -> NDArray[Any]:
    """`count` elements in a buffer view, which may lie further apart than they are long."""
    view = document.item("bufferViews", view_index)
    name = f"of bufferView {view_index}"
    content = document.buffer(view.buffer)
    start = whole(document.path, view.byteOffset or 0, f"byteOffset {name}")
    length = whole(document.path, view.byteLength, f"byteLength {name}")
    if start + length > len(content):
        raise InputError(
            document.path, f"at least {start + length} bytes in buffer {view.buffer}", f"{len(content)}"
        )
    size = dtype.itemsize * int(np.prod(shape))
    stride = whole(document.path, view.byteStride or size, f"byteStride {name}", size)
    first = whole(document.path, offset or 0, f"byteOffset of {what}")
    end = first + stride * (count - 1) + size
    if end > length:
        raise InputError(document.path, f"{end} bytes for {what} in bufferView {view_index}", f"{length}")
    within = tuple(int(step) for step in np.empty(shape, dtype).strides)
    return np.ndarray((count, *shape), dtype, content, start + first, (stride, *within))
