"""What a run keeps can always be gone on with."""

import errno
from pathlib import Path

import pytest

from makeyourvideo.kept_work import KeptWork


def test_a_full_disk_leaves_no_number_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptWork(tmp_path / "out.mp4", {}, 0)

    def full(path: Path, _text: str) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space"):
            kept.as_it_began("memory_rung", 3)
    assert kept.as_it_began("memory_rung", 2) == 2
    assert KeptWork(tmp_path / "out.mp4", {}, 0).as_it_began("memory_rung", 5) == 2
