"""Making a manifest's video again: are the inputs the same, and was the result?"""

from collections.abc import Iterator
from pathlib import Path

from makeyourvideo.errors import InputError
from makeyourvideo.manifest import Manifest, current_versions, fingerprint
from makeyourvideo.pipeline import BUNDLED_MODEL
from makeyourvideo.run import Finished, processor


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
    now = current_versions() | {"processor": processor()}
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
