"""The same frames give the same bytes, whatever else lies in memory."""

from pathlib import Path

import numpy as np
import pytest

from makeyourvideo.media import write_video


@pytest.mark.parametrize("size", [(50, 50), (37, 37), (66, 100)])
@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp"])
def test_writing_again_gives_the_same_bytes(tmp_path: Path, size: tuple[int, int], suffix: str) -> None:
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (4, *size, 3), dtype=np.uint8)
    seen = set()
    for attempt in range(8):
        clutter = [random.bytes(int(length)) for length in random.integers(1, 60_000, 40)]
        path = tmp_path / f"{attempt}{suffix}"
        write_video(path, frames.copy(), 6.0)
        seen.add(path.read_bytes())
        del clutter
    assert len(seen) == 1
