"""PyTorch files read as data: nothing in them is imported or run, tensors are read when asked for.

The format is torch's own since 1.6: an uncompressed zip with one pickle that refers to raw storages.
"""

import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from makeyourvideo.errors import InputError, unreadable_unless

MAX_PICKLE_BYTES = 16 << 20  # a full-size checkpoint's pickle, without the storages, is under 1 MB

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_BYSTANDING_PACKAGES = ("pytorch_lightning", "lightning", "lightning_fabric", "deepspeed")
_BYSTANDERS = (
    "torch.device",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "_codecs.encode",  # how protocol 2 spells the bytes of a numpy scalar
    *(f"torch.{dtype}" for dtype in ("float16", "bfloat16", "float32", "float64", "int64")),
)


@dataclass(frozen=True)
class LazyTensor:
    """A tensor that is read or made when asked for, so that a whole model never sits in memory."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    load: Callable[[], Tensor]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what the file holds: plain values, containers, and a `LazyTensor` for each tensor.

    Lightning's and DeepSpeed's objects and numpy's scalars become inert placeholders.

    Raises:
        InputError: not such a file, cut short, or it names anything else to import.
    """
    expected = "a checkpoint in torch's zip format"
    with unreadable_unless(path, expected):
        with path.open("rb") as file:
            if file.read(4) != b"PK\3\4":
                raise InputError(path, expected, "another format (torch.save of torch >= 1.6 writes a zip)")
        with zipfile.ZipFile(path) as archive:
            held = _Unpickler(path, archive).load()
    if not isinstance(held, dict):
        raise InputError(path, "a dictionary", f"a pickled {type(held).__name__}")
    return held


class _Inert:
    """Whatever a pickle does to it has no effect."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Ignore attributes that the pickle would set."""


class _Mapping(dict[Any, Any]):
    """Stands for OrderedDict, without the attributes that a pickle may set on one."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Ignore attributes, such as a state dict's `_metadata`."""


class _Bystander(_Inert):
    """Stands for any object or function that a training framework left in the file."""

    __slots__ = ()

    def __new__(cls, *_args: object, **_kwargs: object) -> "_Bystander":
        return super().__new__(cls)

    def __init__(self, *_args: object, **_kwargs: object) -> None: ...

    def __call__(self, *_args: object) -> "_Bystander":
        return self

    def __setitem__(self, key: object, value: object) -> None: ...

    def append(self, item: object) -> None:
        """Ignore an item that the pickle would add."""

    def extend(self, items: Iterable[object]) -> None:
        """Ignore items that the pickle would add."""

    add = append


@dataclass(frozen=True)
class _StorageType(_Inert):
    dtype: torch.dtype


@dataclass(frozen=True)
class _Storage(_Inert):
    path: Path
    dtype: torch.dtype
    start: int  # in bytes, in the file
    length: int  # in elements

    def view(self, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> LazyTensor:
        """The tensor of these sizes, strides and offset, in elements, which must lie within the storage."""
        if not all(type(n) is int and n >= 0 for n in (offset, *size, *stride)) or len(size) != len(stride):
            raise ValueError("a tensor with impossible sizes or strides")
        empty = math.prod(size) == 0
        extent = 0 if empty else 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if offset + extent > self.length:
            raise ValueError(
                f"a tensor that reaches {offset + extent - self.length} elements past its storage"
            )

        def load() -> Tensor:
            if empty:
                return torch.empty(size, dtype=self.dtype)
            content = bytearray(extent * self.dtype.itemsize)
            with self.path.open("rb") as file:
                file.seek(self.start + offset * self.dtype.itemsize)
                if file.readinto(content) != len(content):
                    raise InputError(self.path, f"{len(content)} more bytes of a tensor", "the file's end")
            return torch.frombuffer(content, dtype=self.dtype).as_strided(size, stride)

        return LazyTensor(tuple(size), self.dtype, load)


class _RebuildTensor(_Inert):
    """Stands for `torch._utils._rebuild_tensor` and `_v2`, whose further arguments concern training."""

    __slots__ = ()

    def __call__(
        self, storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_rest: object
    ) -> LazyTensor:
        return storage.view(offset, size, stride)


class _RebuildParameter(_Inert):
    """Stands for `torch._utils._rebuild_parameter`."""

    __slots__ = ()

    def __call__(self, tensor: LazyTensor, *_rest: object) -> LazyTensor:
        return tensor


_ALLOWED: dict[str, Any] = {
    "collections.OrderedDict": _Mapping,
    "torch.Size": tuple,
    **{
        f"{module}.{kind.__name__}": kind
        for module in ("builtins", "__builtin__")
        for kind in (set, frozenset)
    },
    "torch._utils._rebuild_tensor": _RebuildTensor(),
    "torch._utils._rebuild_tensor_v2": _RebuildTensor(),
    "torch._utils._rebuild_parameter": _RebuildParameter(),
    **{f"torch.{name}": _StorageType(dtype) for name, dtype in _DTYPES.items()},
    **dict.fromkeys(_BYSTANDERS, _Bystander),
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive
        pickles = [entry for entry in archive.infolist() if entry.filename.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1 or pickles[0].file_size > MAX_PICKLE_BYTES:
            found = "none" if not pickles else f"{len(pickles)} of {pickles[0].file_size} bytes"
            raise InputError(path, f"one data.pkl of at most {MAX_PICKLE_BYTES} bytes", found)
        self._root = pickles[0].filename.split("/")[0]
        if f"{self._root}/byteorder" in archive.namelist():
            order = archive.read(f"{self._root}/byteorder")
            if order != b"little":
                raise InputError(path, "little-endian storages", repr(order))
        super().__init__(io.BytesIO(archive.read(pickles[0])))

    def find_class(self, module: str, name: str) -> Any:
        known = _ALLOWED.get(f"{module}.{name}")
        if known is not None:
            return known
        if module.split(".")[0] in _BYSTANDING_PACKAGES:
            return _Bystander
        raise self._refusal(f"a reference to {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_type, key, _location, length = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise self._refusal("a reference to something other than a storage")
        entry = self._archive.getinfo(f"{self._root}/data/{key}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise InputError(
                self._path, "plainly stored tensors", f"{entry.filename} compressed or encrypted"
            )
        if type(length) is not int or not 0 <= length * storage_type.dtype.itemsize <= entry.file_size:
            raise InputError(self._path, f"{entry.file_size} bytes in {entry.filename}", f"{length} elements")
        return _Storage(self._path, storage_type.dtype, self._start_of(entry), length)

    def _start_of(self, entry: zipfile.ZipInfo) -> int:
        with self._path.open("rb") as file:
            file.seek(entry.header_offset)
            header = file.read(30)
            name_length, extra_length = struct.unpack("<HH", header[26:30])
            start: int = entry.header_offset + 30 + name_length + extra_length
            if header[:4] != b"PK\3\4" or start + entry.file_size > file.seek(0, io.SEEK_END):
                raise InputError(self._path, f"all of {entry.filename}", "a damaged or shortened file")
        return start

    def _refusal(self, found: str) -> InputError:
        printable = "".join(character if character.isprintable() else "?" for character in found[:200])
        return InputError(self._path, "tensors and plain containers only", printable)
