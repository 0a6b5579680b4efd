"""A video in pieces is the same video."""

from pathlib import Path

import numpy as np
import pytest

from makeyourvideo.media import read_video, write_video


def waves(count: int, height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    planes = [
        (np.sin((rows + 2 * f) / 7) * np.cos(columns / (5 + c)) + 1) * 127
        for f in range(count)
        for c in range(3)
    ]
    return np.stack(planes).reshape(count, 3, height, width).transpose(0, 2, 3, 1).astype(np.uint8)


@pytest.mark.parametrize("name", ["out.mp4", "out.gif", "out.webp", "out"])
def test_pieces_give_the_bytes_of_the_whole(tmp_path: Path, name: str) -> None:
    frames = waves(21, 36, 50)
    pieces = (frames[start : start + 8] for start in range(0, 21, 8))
    (tmp_path / "pieces").mkdir()
    write_video(tmp_path / name, frames, 8.0)
    write_video(tmp_path / "pieces" / name, pieces, 8.0)
    whole, parts = (
        [file.read_bytes() for file in sorted([folder / name, *(folder / name).glob("*")]) if file.is_file()]
        for folder in (tmp_path, tmp_path / "pieces")
    )
    assert whole == parts
    assert len(read_video(tmp_path / name)[0]) == 21
