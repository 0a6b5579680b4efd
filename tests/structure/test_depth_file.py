"""Depth on disk, read as it is needed."""

from pathlib import Path

import numpy as np
import pytest

from makeyourvideo.errors import InputError
from makeyourvideo.structure.depth import DepthClip, DepthVideo
from makeyourvideo.structure.depth_file import DepthFile
from makeyourvideo.structure.streaming import save_streamed


@pytest.fixture
def clip() -> DepthVideo:
    inverse = np.random.default_rng(0).random((40, 7, 9), np.float32) * np.arange(1, 41)[:, None, None]
    return DepthVideo.from_inverse_depth(inverse.astype(np.float32), source="dice", fps=12)


@pytest.mark.parametrize("normalization", ["clip", "frame"])
def test_any_frames_in_any_order_are_those_of_the_clip(
    clip: DepthVideo, tmp_path: Path, normalization: str
) -> None:
    clip = clip.normalized(normalization)  # type: ignore[arg-type]
    clip.save(tmp_path / "depth.npz")
    stored = DepthFile(tmp_path / "depth.npz")
    assert isinstance(stored, DepthClip)
    assert isinstance(clip, DepthClip)
    assert (stored.num_frames, stored.height, stored.width) == (40, 7, 9)
    assert (stored.units, stored.source, stored.fps) == ("relative", "dice", 12)
    assert stored.about == clip.about
    for frames in ([0], range(10), range(6, 18), [17, 17, 3], range(39, -1, -1), [0] * 5, []):
        assert np.array_equal(stored.inverse_at(frames), clip.inverse_at(frames))


def test_depth_that_was_streamed_to_disk_is_the_same(clip: DepthVideo, tmp_path: Path) -> None:
    list(save_streamed(tmp_path / "depth.npz", iter(clip.inverse_depth())))
    whole = DepthVideo.from_inverse_depth(clip.inverse_depth())
    assert np.array_equal(DepthFile(tmp_path / "depth.npz").inverse_at(range(40)), whole.inverse_depth())


def test_windows_that_go_forwards_unpack_every_frame_once(clip: DepthVideo, tmp_path: Path) -> None:
    clip.save(tmp_path / "depth.npz")
    stored, read = DepthFile(tmp_path / "depth.npz"), []
    original = stored._read
    stored._read = lambda frame: read.append(frame) or original(frame)  # type: ignore[method-assign, func-returns-value]
    for start in range(0, 40, 8):
        stored.inverse_at(range(max(start - 4, 0), min(start + 10, 40)))
        assert len(stored._kept) <= 14
        for piece in range(start, start + 8, 2):  # as they are decoded
            stored.inverse_at(range(piece, piece + 2))
    assert read == list(range(40))


def test_damage_is_one_line(clip: DepthVideo, tmp_path: Path) -> None:
    path = tmp_path / "depth.npz"
    np.savez(path, depth=clip.values)
    with pytest.raises(InputError, match="a depth video as this program saves it, found other arrays"):
        DepthFile(path)
    path.write_text("nothing")
    with pytest.raises(InputError, match=r"depth\.npz: expected an \.npz archive"):
        DepthFile(path)
    clip.save(path, force=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 40] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"depth\.npz"):
        DepthFile(path).inverse_at(range(40))
