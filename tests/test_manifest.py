"""The manifest says everything, and can be read back from wherever it was moved."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from makeyourvideo.errors import InputError
from makeyourvideo.manifest import Manifest, current_versions, fingerprint, read_manifest
from makeyourvideo.settings import Settings, parse_settings


def manifest(depth: Path, model: Path | None = None) -> Manifest:
    return Manifest(
        settings=Settings(prompt="a red ball", depth=depth, model=model, seed=7),
        inputs_sha256={"model": "aa", "depth": "bb"},
        depth={"units": "metric", "nearest_inverse_depth": 2.0},
        video="out.mp4",
        strip="out.png",
        video_sha256="cc",
        versions=current_versions(),
        processor="some",
        created=datetime(2024, 2, 3, tzinfo=UTC),
        seconds={"sampling": 1.5},
        notes=("cropped",),
    )


def test_it_reads_back_as_it_was_written(tmp_path: Path) -> None:
    original = manifest(Path("/elsewhere/depth.npy"), Path("/models/big"))
    file = tmp_path / "out.json"
    file.write_text(original.dumps(home=tmp_path))
    assert read_manifest(file) == original


def test_what_lies_beside_it_moves_with_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    original = manifest(first / "in" / "depth.npy", first / "model")
    first.mkdir()
    (first / "out.json").write_text(original.dumps(home=first))
    content = json.loads((first / "out.json").read_text())
    assert content["settings"]["depth"] == "in/depth.npy"
    first.rename(second)
    settings = read_manifest(second / "out.json").settings
    assert settings.depth == second / "in" / "depth.npy"
    assert settings.model == second / "model"


def without_a_seed_that_counts(content: dict[str, Any]) -> None:
    content["settings"]["seed"] = -1


def with_an_unknown_setting(content: dict[str, Any]) -> None:
    content["settings"]["sead"] = 1


def without_a_hash(content: dict[str, Any]) -> None:
    del content["inputs_sha256"]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (without_a_seed_that_counts, "settings.seed: expected greater than or equal to 0, found -1"),
        (with_an_unknown_setting, "settings.sead: expected no entry of that name, found one"),
        (without_a_hash, "inputs_sha256: expected an entry, found none"),
    ],
)
def test_what_is_wrong_with_it_is_named(tmp_path: Path, spoil: Any, complaint: str) -> None:
    content = json.loads(manifest(Path("/depth.npy")).dumps(home=tmp_path))
    spoil(content)
    (tmp_path / "out.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"out.json: {complaint}"):
        read_manifest(tmp_path / "out.json")


@pytest.mark.parametrize("text", ["", "[]", '{"settings": 5}', "\x00", "not json"])
def test_other_files_are_no_manifests(tmp_path: Path, text: str) -> None:
    (tmp_path / "out.json").write_text(text)
    with pytest.raises(InputError, match=r"out\.json"):
        read_manifest(tmp_path / "out.json")


def test_a_file_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a manifest in JSON, found No such file"):
        read_manifest(tmp_path / "out.json")


def test_settings_from_a_file_have_paths_relative_to_it(tmp_path: Path) -> None:
    settings = parse_settings({"prompt": "a ball", "depth": "d.npz"}, tmp_path / "jobs.json")
    assert settings.depth == tmp_path / "d.npz"
    assert parse_settings({"prompt": "a ball", "depth": "d.npz"}).depth == Path("d.npz")


def test_fingerprints_see_contents_and_names_but_no_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    seen = {fingerprint(tmp_path)}
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "y").write_text("1")
    assert fingerprint(tmp_path) in seen
    (tmp_path / "a" / "x").write_text("2")
    seen.add(fingerprint(tmp_path))
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "z")
    seen.add(fingerprint(tmp_path))
    (tmp_path / "a" / "w").write_text("")
    seen.add(fingerprint(tmp_path))
    assert len(seen) == 4
