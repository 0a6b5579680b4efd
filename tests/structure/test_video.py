"""Depth of videos: which frames, at which scale, without flicker, in bounded memory."""

import itertools

import numpy as np
import pytest

from makeyourvideo.errors import InputError
from makeyourvideo.media import write_video
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.structure.estimators import Estimator
from makeyourvideo.structure.files import read_depth
from makeyourvideo.structure.picking import count_frames, pick_from_video
from makeyourvideo.structure.steadying import ScaleKeeper, steadied
from makeyourvideo.structure.streaming import save_streamed
from makeyourvideo.structure.video import WINDOW, estimate_frames


def moving_picture(count, height=96, width=128):
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(0, 256, (height // 8, 32, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return np.stack([wide[:, 2 * index : 2 * index + width] for index in range(count)])


@pytest.fixture
def video(tmp_path):
    frames = np.stack([np.full((32, 32, 3), 8 * index, np.uint8) for index in range(25)])
    write_video(tmp_path / "video.mp4", frames, 25.0)
    return tmp_path / "video.mp4"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, range(25)),
        ({"frame_stride": 4}, range(0, 25, 4)),
        ({"fps": 5.0}, range(0, 25, 5)),
        ({"fps": 10.0}, [0, 2, 5, 7, 10, 12, 15, 17, 20, 22]),
        ({"fps": 50.0}, [index // 2 for index in range(50)]),
    ],
)
def test_frames_are_picked_by_stride_or_so_that_the_speed_stays(video, asked, expected):
    shown = [round(float(frame.mean()) / 8) for frame in pick_from_video(video, **asked)]
    assert shown == list(expected)
    assert count_frames(video) == 25


@pytest.mark.parametrize("asked", [{"fps": 0.0}, {"fps": -1.0}, {"fps": float("nan")}, {"frame_stride": 0}])
def test_odd_numbers_are_refused(video, asked):
    with pytest.raises(InputError, match=f"{next(iter(asked))}: expected"):
        pick_from_video(video, **asked)


def test_a_folder_has_no_rate(tmp_path):
    write_video(tmp_path / "folder", moving_picture(3), 8.0)
    assert len(list(pick_from_video(tmp_path / "folder", frame_stride=2))) == 2
    with pytest.raises(InputError, match="folder: expected a video with a frame rate"):
        list(pick_from_video(tmp_path / "folder", fps=4.0))


def test_scale_and_shift_of_each_frame_are_undone():
    frames, rng = moving_picture(1)[0], np.random.default_rng(1)
    true = rng.random((96, 128)).astype(np.float32)
    keeper = ScaleKeeper(pull=0.0)
    first = keeper(frames, 2 * true + 1)
    for scale, shift in ((0.5, 3.0), (4.0, -2.0)):
        assert np.allclose(keeper(frames, scale * true + shift), first, atol=1e-3)


def test_noise_is_averaged_along_the_motion_and_edges_stay():
    frames = moving_picture(12)
    columns = np.arange(128)[None, :] + 2 * np.arange(12)[:, None]
    true = np.where(columns // 16 % 2, 1.0, 0.2)[:, None, :].repeat(96, axis=1).astype(np.float32)
    noisy = true + np.random.default_rng(0).normal(0, 0.05, true.shape).astype(np.float32)
    steady = np.stack(list(steadied(zip(frames, noisy, strict=True))))
    assert steady.shape == true.shape
    inside = np.s_[3:-3, 8:-8, 20:-20]
    assert np.abs(steady - true)[inside].mean() < 0.6 * np.abs(noisy - true)[inside].mean()


def test_frames_come_out_one_by_one_before_all_have_come_in():
    seen = []

    def estimate(frames):
        seen.append(len(frames))
        return frames.mean(axis=-1, dtype=np.float32)

    endless = itertools.cycle(moving_picture(4))
    depth = estimate_frames(endless, Estimator("grey", "relative", estimate))
    assert len(list(itertools.islice(depth, 20))) == 20
    assert set(seen) == {WINDOW}
    assert len(seen) <= 4


def test_streamed_depth_is_what_a_clip_in_memory_saves(tmp_path):
    inverse = np.random.default_rng(0).random((7, 12, 10)).astype(np.float32)
    assert list(save_streamed(tmp_path / "depth.npz", iter(inverse), source="a", fps=8.0)) == list(
        range(1, 8)
    )
    streamed, whole = (
        read_depth(tmp_path / "depth.npz"),
        DepthVideo.from_inverse_depth(inverse, source="a", fps=8.0),
    )
    for name in ("values", "scale", "offset"):
        assert np.array_equal(getattr(streamed, name), getattr(whole, name))
    assert (streamed.units, streamed.source, streamed.fps) == ("relative", "a", 8.0)
    assert [path.name for path in tmp_path.iterdir()] == ["depth.npz"]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([], "at least one frame"),
        ([np.ones((4, 4), np.float32)], "depth that varies"),
        ([np.full((4, 4), np.nan, np.float32)], "finite inverse depth"),
        ([np.eye(4, dtype=np.float32), np.eye(5, dtype=np.float32)], "frames of one shape"),
    ],
)
def test_streamed_depth_is_refused_like_any_other_and_leaves_nothing(tmp_path, frames, expected):
    with pytest.raises(InputError, match=expected):
        list(save_streamed(tmp_path / "depth.npz", iter(frames), source="a"))
    assert not list(tmp_path.iterdir())
