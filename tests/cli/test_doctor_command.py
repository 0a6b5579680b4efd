import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from makeyourvideo.cli import app
from makeyourvideo.errors import InputError


@pytest.fixture
def upside_down(tmp_path: Path) -> Path:
    """A floor that nears towards the top."""
    y, x = np.mgrid[:64, :64].astype(np.float32)
    frames = np.stack([1 - np.maximum(y - 20, 0) / 44 - 0.001 * x * (y > 20) for _ in range(4)])
    np.save(tmp_path / "depth.npy", frames)
    return tmp_path / "depth.npy"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["doctor", "depth", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_faults_are_named_and_mended(upside_down: Path, tmp_path: Path) -> None:
    output = run(upside_down, "--repair", tmp_path / "out.npz", "--plot", tmp_path / "out.png")
    assert output.startswith("polarity (1.00): near and far swapped")
    assert "mended polarity" in output
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "no fault found" in run(tmp_path / "out.npz")
    with pytest.raises(InputError, match="does not exist yet"):
        run(upside_down, "--repair", tmp_path / "out.npz")


def test_where_nothing_can_be_mended_nothing_is_written(upside_down: Path, tmp_path: Path) -> None:
    output = run(upside_down, "--inverted", "--repair", tmp_path / "out.npz")
    assert output.splitlines()[-1] == f"nothing to mend: {tmp_path / 'out.npz'} is not written"
    told = json.loads(run(upside_down, "--inverted", "--repair", tmp_path / "out.npz", "--json"))
    assert (told["mended"], told["output"]) == ({}, None)
    assert [path.name for path in tmp_path.iterdir()] == ["depth.npy"]


def test_what_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    for option, name, suffix in (("--plot", "f.jpg", ".png"), ("--repair", "f.npy", ".npz")):
        with pytest.raises(InputError, match=rf"{name}: expected a path that ends in \{suffix}, found"):
            run("missing.npy", option, tmp_path / name)


def test_json_is_json_and_nothing_else(upside_down: Path) -> None:
    told = json.loads(run(upside_down, "--json"))
    assert [finding["fault"] for finding in told["findings"]] == ["polarity"]
    assert told["findings"][0]["means"].startswith("near and far swapped")
    assert json.loads(run(upside_down, "--json", "--inverted"))["findings"] == []


def test_without_matplotlib_the_extra_is_named(
    upside_down: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install 'makeyourvideo\[evaluate\]'"):
        run(upside_down, "--plot", tmp_path / "a.png")
