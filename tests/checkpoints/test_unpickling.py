"""Files of torch.save read as data, and files that try something."""

import contextlib
import io
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from makeyourvideo.checkpoints.unpickling import LazyTensor, read_checkpoint
from makeyourvideo.errors import InputError


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def saved(path: Path, held: Any) -> Path:
    torch.save(held, path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def with_pickle(path: Path, pickled: bytes, **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", bytes(16))
    return path


def test_tensors_as_torch_loads_them(tmp_path: Path) -> None:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    held = {
        "base": base,
        "transposed": base.T,
        "slice": base[1:3, ::2],
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.empty(0, 3),
        "expanded": torch.ones(1, 4).expand(3, 4),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        **{str(dtype): base.to(dtype) for dtype in (torch.float16, torch.bfloat16, torch.int64, torch.bool)},
    }
    read = read_checkpoint(
        saved(tmp_path / "model.ckpt", {"nested": OrderedDict(held), "steps": [1, (2.5, None), {4}]})
    )
    assert read["steps"] == [1, (2.5, None), {4}]
    for name, tensor in held.items():
        assert read["nested"][name].shape == tensor.shape
        assert read["nested"][name].dtype == tensor.dtype
        assert torch.equal(read["nested"][name].load(), tensor.detach())


def test_a_state_dict_with_metadata_is_a_plain_mapping(tmp_path: Path) -> None:
    read = read_checkpoint(saved(tmp_path / "model.ckpt", {"state": torch.nn.Linear(2, 2).state_dict()}))
    assert set(read["state"]) == {"weight", "bias"}
    assert not hasattr(read["state"], "_metadata")


def test_bystanders_become_placeholders_and_are_not_imported(tmp_path: Path) -> None:
    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    callback = type("ModelCheckpoint", (), {"__module__": module.__name__})
    attributes = type("AttributeDict", (dict,), {"__module__": module.__name__})
    module.ModelCheckpoint, module.AttributeDict = callback, attributes
    parents = ["pytorch_lightning", "pytorch_lightning.callbacks"]
    sys.modules |= {name: types.ModuleType(name) for name in parents} | {module.__name__: module}
    instance = callback()
    instance.best = 1
    held = {
        "callbacks": {callback: {"best_model_score": np.float64(0.5), "score": torch.ones(2)}},
        "instance": instance,
        "hyper_parameters": attributes(width=3),
        "metric": np.float32(1.5),
        "dtype": torch.float16,
        "size": torch.Size([2, 3]),
    }
    saved(tmp_path / "model.ckpt", held)
    for name in (*parents, module.__name__):
        del sys.modules[name]
    read = read_checkpoint(tmp_path / "model.ckpt")
    assert not any("lightning" in name for name in sys.modules)
    assert read["size"] == (2, 3)
    (score,) = [entry["score"] for entry in read["callbacks"].values()]
    assert isinstance(score, LazyTensor)
    assert type(read["metric"]) is type(read["instance"])


@pytest.mark.parametrize("protocol", [2, 4])
def test_code_is_refused_by_name_and_not_run(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "ran"
    held = {"state_dict": {"a": torch.ones(2)}, "extra": Calls(os.system, f"touch {mark}")}
    torch.save(held, tmp_path / "model.ckpt", pickle_protocol=protocol)
    assert "posix.system" in refusal(tmp_path / "model.ckpt")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("torch", "load"),
        ("torch.storage", "_load_from_bytes"),
        ("torch._utils", "_rebuild_device_tensor_from_numpy"),
        ("collections", "OrderedDict.__init_subclass__"),
        ("lightning_evil", "callback"),
        ("makeyourvideo.cli", "main"),
        ("odd\x1b[31m", "name"),
    ],
)
def test_any_other_global_is_refused_by_name(tmp_path: Path, module: str, name: str) -> None:
    pickled = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    line = refusal(with_pickle(tmp_path / "model.ckpt", pickled + b"\x93."))
    assert f"{module}.{name}".replace("\x1b", "?") in line


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (5,), (1,)),
        (3, (2,), (1,)),
        (0, (2, 2), (3, 1)),
        (-1, (2,), (1,)),
        (0, (-2,), (1,)),
        (0, (2,), (-1,)),
        (0, (2, 2), (1,)),
        (0, (2.0,), (1,)),
        (10**30, (1,), (1,)),
        (0, "ab", "cd"),
    ],
)
def test_a_view_beyond_its_storage_is_refused(tmp_path: Path, offset: Any, size: Any, stride: Any) -> None:
    untyped = torch.zeros(4).untyped_storage()
    storage = torch.storage.TypedStorage(wrap_storage=untyped, dtype=torch.float32, _internal=True)
    view = Calls(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, None)
    refusal(saved(tmp_path / "model.ckpt", {"view": view}))


def test_a_storage_longer_than_its_bytes_is_refused(tmp_path: Path) -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, item: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", 5) if item is storage else None

    storage, pickled = object(), io.BytesIO()
    rebuilt = Calls(torch._utils._rebuild_tensor_v2, storage, 0, (4,), (1,), False, None)
    Pickler(pickled, 2).dump({"tensor": rebuilt})
    assert "5 elements" in refusal(with_pickle(tmp_path / "model.ckpt", pickled.getvalue()))


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    whole = saved(tmp_path / "model.ckpt", {"state_dict": {"a": torch.ones(300)}}).read_bytes()
    for length in [0, 1, 3, 4, *range(30, len(whole), 97), len(whole) - 1]:
        (tmp_path / "cut.ckpt").write_bytes(whole[:length])
        refusal(tmp_path / "cut.ckpt")


def test_damaged_files_raise_nothing_else(tmp_path: Path) -> None:
    whole = saved(tmp_path / "model.ckpt", {"state_dict": {"a": torch.ones(30)}}).read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        for position in generator.integers(len(whole), size=3):
            damaged[position] = generator.integers(256)
        (tmp_path / "damaged.ckpt").write_bytes(damaged)
        with contextlib.suppress(InputError):
            read_checkpoint(tmp_path / "damaged.ckpt")


def test_other_formats_are_refused(tmp_path: Path) -> None:
    held = {"state_dict": {"a": torch.ones(2)}}
    torch.save(held, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    assert "zip" in refusal(tmp_path / "old.ckpt")
    (tmp_path / "raw.ckpt").write_bytes(pickle.dumps(held))
    refusal(tmp_path / "raw.ckpt")
    refusal(tmp_path / "absent.ckpt")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    assert "data.pkl" in refusal(tmp_path / "other.zip")
    assert "dictionary" in refusal(saved(tmp_path / "list.ckpt", [1, 2]))


def test_a_huge_pickle_is_not_unpacked(tmp_path: Path) -> None:
    bomb = with_pickle(tmp_path / "bomb.ckpt", bytes(64 << 20), compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1 << 20
    assert "at most" in refusal(bomb)
