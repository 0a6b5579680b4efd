"""`training.json` in a model folder: what made it, stage by stage, and the words it was trained on."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from diffusers import ModelMixin

from makeyourvideo.model_folder import TRAINING_RECORD, add_to_index
from makeyourvideo.training.config import StageConfig


def write_record(
    model: Path, previous: Path | None, config: StageConfig, start: Path | None = None, **added: Any
) -> None:
    """Write the record of the stage before, with this stage's config and code, and what is `added`.

    A stage that started from the weights of another model keeps what that one's record says of it.
    """
    record = _read(previous)
    begun = {"start": _read(start).get("stages", {}).get(config.stage, {})} if start else {}
    stages = {
        **record.get("stages", {}),
        config.stage: {"config": config.model_dump(mode="json"), **_code(), **begun},
    }
    record = {**record, **added, "stages": stages}
    record.pop("weights_sha256", None)  # of the weights before
    _write(model, record)


def write_part(
    model: Path,
    previous: Path,
    part: str,
    network: ModelMixin,
    config: StageConfig,
    start: Path | None = None,
    **added: Any,
) -> None:
    """Write the model before with `network` as one of its parts, and the record with what is `added`."""
    shutil.copytree(previous, model, dirs_exist_ok=True)
    network.save_pretrained(model / part)
    add_to_index(model, part)
    write_record(model, previous, config, start, **added)


def _read(model: Path | None) -> dict[str, Any]:
    file = model / TRAINING_RECORD if model else None
    return dict(json.loads(file.read_text())) if file and file.exists() else {}


def _write(model: Path, record: dict[str, Any]) -> None:
    """An entry a line, without indentation, which is a third of a record of many stages."""
    (model / TRAINING_RECORD).write_text(json.dumps(record, indent=0, sort_keys=True) + "\n")


def record_weights(model: Path, **added: Any) -> None:
    """Add the SHA-256 of every file of weights to the record, and what is `added`."""
    record = _read(model) | added
    record["weights_sha256"] = {
        file.relative_to(model).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(model.rglob("*.safetensors"))
    }
    _write(model, record)


def words_of(captions: Iterable[str]) -> list[str]:
    """Return every word of the captions once, in order."""
    return sorted({word for caption in captions for word in re.findall(r"[a-z]+", caption.lower())})


def _code() -> dict[str, str]:
    """Say which code runs: the version, and the commit where it is run from a checkout."""
    asked = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    commit = {"commit": asked.stdout.strip()} if asked.returncode == 0 else {}
    return {"version": version("makeyourvideo"), **commit}
