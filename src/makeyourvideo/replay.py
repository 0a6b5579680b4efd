"""Making a manifest's video again: are the inputs the same, and was the result?"""

from collections.abc import Iterator
from pathlib import Path

from makeyourvideo.errors import InputError
from makeyourvideo.manifest import Manifest, current_versions, fingerprint
from makeyourvideo.pipeline import BUNDLED_MODEL
from makeyourvideo.run import Finished, processor
from makeyourvideo.settings import Settings


def check_inputs(manifest: Manifest) -> None:
    """Refuse to replay with another model or other depth than the video was made from.

    Raises:
        InputError: an input is missing or its contents have changed.
    """
    inputs = {"model": BUNDLED_MODEL} | manifest.settings.inputs
    for name, recorded in manifest.inputs_sha256.items():
        path = inputs.get(name, Path(name))
        if not path.exists():
            raise InputError(path, "what the video was made from", "nothing there")
        found = fingerprint(path)
        if found != recorded:
            raise InputError(path, f"the contents with SHA-256 {recorded[:12]}...", f"{found[:12]}...")


def differences(manifest: Manifest) -> Iterator[str]:
    """What is not as it was when the video was made, and may change the last bits of the result."""
    now = current_versions() | {"processor": processor(manifest.settings.device)}
    for name, then in ({**manifest.versions, "processor": manifest.processor}).items():
        if now.get(name) != then:
            yield f"the video was made with {name} {then}; this is {now.get(name, 'missing')}"


def check_same(manifest: Manifest, finished: Finished) -> None:
    """Refuse to call a video the same when its bytes are not.

    Raises:
        InputError: the new video differs from the manifest's.
    """
    found = finished.manifest.video_sha256
    if found != manifest.video_sha256:
        raise InputError(
            finished.video,
            f"the bytes of {manifest.video}, SHA-256 {manifest.video_sha256[:12]}...",
            f"{found[:12]}...",
        )


def with_window_redone(
    manifest: Manifest, home: Path, window: int, seed: int | None
) -> tuple[Settings, Path]:
    """What makes a streamed video with one window made again, and where the latents of the others are.

    Args:
        manifest: of the video.
        home: the folder it stands in.
        window: which, from 0.
        seed: of the window's new noise; by default one that was not used yet.

    Raises:
        InputError: the video was not streamed, has no such window, or its latents are missing or others.
    """
    settings = manifest.settings
    if manifest.latents is None:
        raise InputError("redo_window", "a video made with --stream", f"{manifest.video}, made in one pass")
    assert settings.num_frames is not None, "manifests have every number filled in"
    assert settings.window is not None, "those of streamed videos have this, too"
    windows = -(-settings.num_frames // settings.window)
    if not 0 <= window < windows:
        raise InputError("redo_window", f"between 0 and {windows - 1}", str(window))
    latents = home / manifest.latents
    if not latents.is_dir():
        raise InputError(latents, "the latents of the video's windows", "nothing there")
    if fingerprint(latents) != manifest.latents_sha256:
        raise InputError(latents, f"the latents of {manifest.video}", "others")
    used = (settings.seed, *(seed for _, seed in settings.redone))
    redone = (*settings.redone, (window, max(used) + 1 if seed is None else seed))
    return settings.model_copy(update={"redone": redone}), latents
