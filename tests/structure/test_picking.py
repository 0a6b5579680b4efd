"""What a video's depth is estimated of: pictures, not depth; counted without decoding."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from makeyourvideo.depth_job import Target, estimate_depth
from makeyourvideo.errors import InputError
from makeyourvideo.media import write_video
from makeyourvideo.structure import estimators, picking
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.structure.estimators import Estimator
from makeyourvideo.structure.export import write_depth
from makeyourvideo.structure.picking import check_pictures, count_frames, pick_from_video


@pytest.fixture
def depth() -> DepthVideo:
    return DepthVideo.from_inverse_depth(np.random.default_rng(0).random((3, 16, 16)).astype(np.float32))


@pytest.mark.parametrize(
    ("name", "frames_as", "found"),
    [
        ("a.npz", "png", ".npz, which may be"),
        ("a.npy", "png", "a.npy.depth.json, which says that it is"),
        ("a.mp4", "png", "a.mp4.depth.json, which says that it is"),
        ("folder", "png", "depth.json, which says that it is"),
        ("folder", "tif", "depth.json, which says that it is"),
    ],
)
def test_depth_as_we_write_it_is_no_video(
    tmp_path: Path, depth: DepthVideo, name: str, frames_as: str, found: str
) -> None:
    write_depth(depth, tmp_path / name, frames_as=frames_as)  # type: ignore[arg-type]
    with pytest.raises(
        InputError, match=rf"{name}: expected a video or .*, found {found} depth already \(depth"
    ):
        pick_from_video(tmp_path / name)


@pytest.mark.parametrize("suffix", ["png", "tif", "exr"])
def test_pictures_of_depth_are_no_video(tmp_path: Path, depth: DepthVideo, suffix: str) -> None:
    write_depth(depth, tmp_path / "z", frames_as=suffix)  # type: ignore[arg-type]
    (tmp_path / "z" / "depth.json").unlink()
    for path in (tmp_path / "z", tmp_path / "z" / f"00000.{suffix}"):
        with pytest.raises(InputError, match=rf"{path.name}: expected a video .* which may be depth already"):
            check_pictures(path)


def test_pictures_are_pictures(tmp_path: Path) -> None:
    for mode in ("L", "RGB"):
        (tmp_path / mode).mkdir()
        Image.new(mode, (16, 16), 7).save(tmp_path / mode / "0.png")
        assert len(list(pick_from_video(tmp_path / mode))) == 1


def test_other_files_are_told_what_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(
        InputError, match=r"expected \.mp4, .*\.webp, \.obj, a folder of PNG, or depth .*\.txt$"
    ):
        check_pictures(tmp_path / "a.txt", also=(".obj",))
    with pytest.raises(InputError, match=r"b\.txt: .* found No such file or directory"):
        check_pictures(tmp_path / "b.txt")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif", ""])
def test_how_many_frames_there_are_is_read_from_the_header(tmp_path: Path, suffix: str) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)
    path = tmp_path / f"video{suffix}"
    write_video(path.with_suffix(".mp4" if suffix == ".mkv" else suffix), frames, 10.0)
    if suffix == ".mkv":
        with av.open(path.with_suffix(".mp4")) as source, av.open(path, "w") as copy:
            stream = copy.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    copy.mux(packet)
    picked = pick_from_video(path)
    assert (picked.stated, picked.fps) == (12, None if suffix == "" else 10)
    fewer = pick_from_video(path, frame_stride=5)
    assert (fewer.stated, fewer.fps) == (3, None if suffix == "" else 2)
    assert len(list(fewer)) == 3
    if suffix:
        slower = pick_from_video(path, fps=5.0)
        assert (slower.stated, slower.fps, len(list(slower))) == (6, 5, 6)


def test_a_rate_and_a_stride_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.mp4: expected fps or frame_stride, found both"):
        pick_from_video(tmp_path / "a.mp4", fps=4.0, frame_stride=2)


def test_each_frame_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3)).astype(np.uint8)
    write_video(tmp_path / "a.mp4", frames, 8.0)
    decoded, iterate = [], picking.iterate_video

    def counting(path: Path) -> Iterator[tuple[float, np.ndarray]]:
        for item in iterate(path):
            decoded.append(item[0])
            yield item

    monkeypatch.setattr(picking, "iterate_video", counting)
    grey = Estimator("grey", "relative", lambda some: some.mean(axis=-1, dtype=np.float32))
    monkeypatch.setattr(estimators, "load_estimator", lambda _: grey)
    done = list(estimate_depth(pick_from_video(tmp_path / "a.mp4"), Target(tmp_path / "a.npz")))
    assert done == [(count, 9) for count in range(1, 10)]
    assert len(decoded) == 9
    assert count_frames(tmp_path / "a.mp4") == 9
