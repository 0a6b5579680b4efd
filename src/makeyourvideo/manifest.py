"""The manifest beside a video: what was asked, what it was made from, and how to tell it again."""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from makeyourvideo.errors import unreadable_unless
from makeyourvideo.settings import Settings, anchored, parse

LIBRARIES = ("makeyourvideo", "torch", "diffusers", "transformers", "numpy", "av")


class Manifest(BaseModel):
    """All it takes to make a video again; paths are relative to the manifest's own folder.

    Attributes:
        settings: what was asked for, every number filled in.
        inputs_sha256: fingerprints of the model and of everything else that was read, by its setting, see
            `fingerprint`.
        depth: what the depth is: units, the nearest and the farthest of it (inverse depth), over what it is
            normalised, and where it comes from.
        video, strip, preview, latents: names of the results beside the manifest; of a streamed video the
            latents of its windows are a folder.
        drift: how a long video holds over time (see `drift.meter.DriftReport`, without the series).
        video_sha256, latents_sha256: fingerprints of the video and of that folder.
        versions: of Python and the libraries that compute.
        processor: what it ran on; another kind may differ in the last bits.
        created: when it was finished.
        seconds: time taken by each stage.
        notes: what was padded, cropped, picked or ignored, and warnings, a sentence each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: Settings
    inputs_sha256: Mapping[str, str]
    depth: Mapping[str, str | float]
    video: str
    strip: str
    preview: str | None = None
    latents: str | None = None
    drift: Mapping[str, Any] | None = None
    video_sha256: str
    latents_sha256: str | None = None
    versions: Mapping[str, str]
    processor: str
    created: datetime
    seconds: Mapping[str, float]
    notes: tuple[str, ...]

    def dumps(self, home: Path) -> str:
        """As JSON for a file in the absolute folder `home`: paths below it are written relative to it."""
        settings = self.settings.with_paths(
            lambda path: path.relative_to(home) if path.is_relative_to(home) else path
        )
        content = self.model_copy(update={"settings": settings}).model_dump(mode="json")
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, its paths made absolute.

    Raises:
        InputError: unreadable, not JSON, or with missing, unknown or impossible entries.
    """
    with unreadable_unless(path, "a manifest in JSON"):
        content = json.loads(path.read_text(encoding="utf-8"))
        manifest = parse(Manifest, content, path)
    return manifest.model_copy(update={"settings": anchored(manifest.settings, path.parent)})


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of a folder: of the names and contents of all files in it but hidden ones."""
    if path.is_file():
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file in sorted(_visible_files(path)):
        digest.update(f"{file.relative_to(path).as_posix()}\0{fingerprint(file)}\n".encode())
    return digest.hexdigest()


def _visible_files(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.is_file() and not any(name.startswith(".") for name in file.relative_to(folder).parts):
            yield file


def current_versions() -> dict[str, str]:
    """Versions of Python and of everything that computes."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
