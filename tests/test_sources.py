"""What the settings say about structure, read from files, videos and keyframes."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from makeyourvideo import DepthVideo
from makeyourvideo.errors import InputError
from makeyourvideo.media import write_video
from makeyourvideo.settings import Settings, parse_settings
from makeyourvideo.sources import read_curve, read_mask, read_structure
from makeyourvideo.structure.depth_file import DepthFile
from tiny_model import moving_disc


@pytest.fixture
def video(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(0, 256, (8, 30, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    frames = np.stack([wide[:, 2 * index : 2 * index + 64] for index in range(50)])
    write_video(tmp_path / "video.mp4", frames, 25.0)
    return tmp_path / "video.mp4"


def settings(**given: object) -> Settings:
    return parse_settings({"prompt": "a ball", **given})


def test_a_video_keeps_its_speed_unless_a_stride_is_given(video: Path) -> None:
    depth, notes = read_structure(settings(video=video), fps=5.0, num_frames=8, size=(32, 32))
    assert (depth.num_frames, depth.height, depth.width, depth.fps) == (8, 64, 64, 5.0)
    assert notes == ["8 frames of the video are used, one every 0.2 s", "their depth is estimated (bundled)"]
    for stride, count, told in ((3, 8, "one in 3"), (-1, 8, "one in 6"), (30, 8, "one in 6")):
        depth, notes = read_structure(
            settings(video=video, frame_stride=stride), fps=5.0, num_frames=8, size=(32, 32)
        )
        assert depth.num_frames == count
        assert notes[0].endswith(told)  # as the reference picks them
    short, _ = read_structure(settings(video=video), fps=2.0, num_frames=16, size=(32, 32))
    assert short.num_frames == 4


def test_without_estimating_a_video_has_its_shape_alone(video: Path) -> None:
    depth, notes = read_structure(settings(video=video), fps=5.0, num_frames=8, size=(32, 32), estimate=False)
    assert depth.values.shape == (8, 64, 64)
    assert len(notes) == 1


def test_a_long_video_is_not_held_to_learn_its_shape(tmp_path: Path) -> None:
    write_video(tmp_path / "long.mp4", np.zeros((300, 128, 128, 3), np.uint8), 8.0)
    tracemalloc.start()
    depth, _ = read_structure(
        settings(video=tmp_path / "long.mp4", frame_stride=1, num_frames=300),
        fps=8.0,
        num_frames=16,
        size=(32, 32),
        estimate=False,
        scratch=tmp_path,
    )
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(depth, DepthFile)
    assert (depth.num_frames, depth.height, depth.width) == (300, 128, 128)
    assert most < 300 * 128 * 128 * 3 / 4


def test_a_range_beside_saved_depth_is_refused_in_windows_too(tmp_path: Path) -> None:
    DepthVideo.from_inverse_depth(moving_disc(8, 32, 32)).save(tmp_path / "depth.npz")
    asked = settings(depth=tmp_path / "depth.npz", depth_far=5.0)
    for scratch in (None, tmp_path):
        with pytest.raises(InputError, match=r"depth\.npz"):
            read_structure(asked, fps=8.0, num_frames=8, size=(32, 32), scratch=scratch)


def test_keyframes_become_a_sequence_that_says_what_was_made_up(tmp_path: Path) -> None:
    for name, row in (("a", 4), ("b", 8)):
        picture = np.zeros((32, 32), np.uint16)
        picture[row : row + 12, 8:20] = 50_000
        picture[24:] += 10_000
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    given = ((0, tmp_path / "a.png"), (4, tmp_path / "b.png"))
    depth, notes = read_structure(settings(keyframes=given), fps=8.0, num_frames=16, size=(32, 32))
    assert depth.values.shape == (5, 32, 32)
    assert notes == ["depth is given at frames 0, 4; the other 3 of 5 are made up from motion"]
    held, _ = read_structure(settings(keyframes=given, num_frames=7), fps=8.0, num_frames=16, size=(32, 32))
    assert np.array_equal(held.values[4], held.values[6])


def test_keyframes_that_do_not_fit_are_named(tmp_path: Path) -> None:
    for name, size in (("a", 32), ("b", 16)):
        Image.fromarray(np.arange(size * size, dtype=np.uint16).reshape(size, size)).save(
            tmp_path / f"{name}.png"
        )
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    with pytest.raises(InputError, match=r"b\.png: expected 32x32 as in a\.png, found 16x16"):
        read_structure(settings(keyframes=((0, a), (4, b))), fps=8.0, num_frames=16, size=(32, 32))
    for asked in ({}, {"num_frames": 16}):
        given = settings(keyframes=((0, a), (40, a)), **asked)
        wanted = r"a\.png: keyframes: expected a frame from 0 to 15, or a num_frames of 41, found 40"
        with pytest.raises(InputError, match=wanted):
            read_structure(given, fps=8.0, num_frames=16, size=(32, 32))


def test_exactly_one_source_is_asked_for(video: Path) -> None:
    for given in ({}, {"depth": "a.npy", "video": video}):
        with pytest.raises(InputError) as caught:
            settings(**given)
        told = "structure: expected one of depth, video, scene, keyframes, found "
        assert str(caught.value) == told + (", ".join(given) or "none")


def test_strength_over_time_and_space(tmp_path: Path) -> None:
    curve = tmp_path / "curve.csv"
    curve.write_text("# fades out\n0, 1\n4, 0\n")
    assert read_curve(curve, 6).tolist() == [1, 0.75, 0.5, 0.25, 0, 0]
    left = np.zeros((8, 8), np.uint8)
    left[:, :4] = 255
    Image.fromarray(left).save(tmp_path / "mask.png")
    asked = settings(depth="d.npy", depth_curve=curve, depth_mask=tmp_path / "mask.png")
    mask = read_mask(asked, 6)
    assert mask is not None
    assert mask.shape == (6, 8, 8)
    assert mask[1, 0].tolist() == [0.75] * 4 + [0] * 4
    assert read_mask(settings(depth="d.npy"), 6) is None


@pytest.mark.parametrize("text", ["", "0 1", "0, 2", "3, 1\n2, 1", "a, b", "nan, 1", "0, nan"])
def test_a_wrong_curve_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "curve.csv").write_text(text)
    with pytest.raises(InputError, match=r"curve\.csv: expected") as caught:
        read_curve(tmp_path / "curve.csv", 4)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["video", "scene", "keyframes", "depth"])
def test_with_a_scratch_folder_depth_is_on_disk_and_the_same(tmp_path: Path, video: Path, kind: str) -> None:
    np.save(tmp_path / "a.npy", moving_disc(1, 32, 32))
    np.save(tmp_path / "depth.npy", moving_disc(8, 32, 32))
    (tmp_path / "scene.yaml").write_text("camera: orbit\nthings: [{shape: box, size: [1, 1, 1]}]\n")
    given: dict[str, Any] = {
        "video": {"video": video},
        "scene": {"scene": tmp_path / "scene.yaml"},
        "keyframes": {"keyframes": ((0, tmp_path / "a.npy"), (7, tmp_path / "a.npy"))},
        "depth": {"depth": tmp_path / "depth.npy"},
    }[kind]
    asked: dict[str, Any] = {"fps": 5.0, "num_frames": 8, "size": (32, 32)}
    (tmp_path / "scratch").mkdir()
    whole, notes = read_structure(settings(**given), **asked)
    stored, same_notes = read_structure(settings(**given), **asked, scratch=tmp_path / "scratch")
    assert isinstance(stored, DepthFile)
    assert same_notes == notes
    assert stored.about == whole.about
    frames = range(whole.num_frames)
    assert np.array_equal(stored.inverse_at(frames), whole.inverse_at(frames))
