from pathlib import Path

import numpy as np
import pytest
import torch

from makeyourvideo.errors import InputError
from makeyourvideo.structure.depth import DepthVideo, Normalization, pick_frames
from makeyourvideo.structure.files import read_depth

BOTH = pytest.mark.parametrize("normalization", ["clip", "frame"])


def distances(seed: int, shape: tuple[int, int, int] = (5, 12, 16)) -> np.ndarray:
    """Metres between 0.1 and 1000, infinite at the top, and another range in every frame."""
    rng = np.random.default_rng(seed)
    metres = 10 ** rng.uniform(-1, 3, shape) * rng.uniform(0.5, 2, (shape[0], 1, 1))
    metres[:, :3] = np.inf
    return metres.astype(np.float32)


@BOTH
@pytest.mark.parametrize("seed", range(6))
def test_normalisation_is_min_max_of_inverse_depth_and_can_be_undone(
    normalization: Normalization, seed: int
) -> None:
    metres = distances(seed)
    depth = DepthVideo.from_metric_depth(metres, normalization=normalization)
    assert depth.values.dtype == np.float32
    assert (depth.units, depth.normalization) == ("metric", normalization)
    axes = (1, 2) if normalization == "frame" else None
    assert (depth.values.min(axis=axes) == -1).all()
    assert (depth.values.max(axis=axes) == 1).all()
    nearest = np.unravel_index(metres.argmin(), metres.shape)
    assert depth.values[nearest] == 1
    assert (depth.values[:, :2] == -1).all(), "infinity is the farthest"
    # A float32 in [-1, 1] resolves 2^-24; undone, that is 2^-24 of the range.
    resolution = 2.0**-23 * depth.scale[:, None, None]
    assert (np.abs(depth.inverse_depth() - 1 / metres) <= resolution).all()
    assert np.isinf(depth.metric_depth()[:, :2]).all()
    near = np.isfinite(metres) & (metres < 10)
    np.testing.assert_allclose(depth.metric_depth()[near], metres[near], rtol=1e-4)


def test_the_clip_keeps_a_frames_brightness_and_the_frame_does_not() -> None:
    inverse = np.stack([np.linspace(0, 1, 12), np.linspace(0, 0.5, 12)]).reshape(2, 3, 4)
    clip = DepthVideo.from_inverse_depth(inverse)
    assert clip.values.max(axis=(1, 2)).tolist() == [1, 0]
    frame = clip.normalized("frame")
    assert frame.values.max(axis=(1, 2)).tolist() == [1, 1]
    np.testing.assert_allclose(frame.inverse_depth(), inverse, atol=1e-7)
    np.testing.assert_allclose(frame.normalized("clip").values, clip.values, atol=1e-6)
    assert clip.normalized("clip") is clip


def test_scale_and_shift_of_relative_depth_do_not_matter() -> None:
    inverse = np.random.default_rng(0).random((3, 5, 7))
    one, other = (DepthVideo.from_inverse_depth(a * inverse + b) for a, b in ((1, 0), (312.5, -40)))
    np.testing.assert_allclose(one.values, other.values, atol=1e-6)


@BOTH
def test_resizing_happens_before_min_max_as_in_the_reference(normalization: Normalization) -> None:
    inverse = np.random.default_rng(1).random((3, 16, 24)).astype(np.float32)
    small = DepthVideo.from_inverse_depth(inverse, normalization=normalization).resized(8, 12)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(inverse)[:, None], size=(8, 12), mode="bicubic", align_corners=False
    )[:, 0]
    low, high = (
        (expected.amin((1, 2), keepdim=True), expected.amax((1, 2), keepdim=True))
        if normalization == "frame"
        else (expected.min(), expected.max())
    )
    np.testing.assert_allclose(small.values, 2 * (expected - low) / (high - low) - 1, atol=2e-6)
    assert small.normalization == normalization


@pytest.mark.parametrize("mode", ["bicubic", "bilinear", "area", "nearest-exact"])
def test_resized_metric_depth_stays_at_infinity_where_it_was(mode: str) -> None:
    depth = DepthVideo.from_metric_depth(distances(2, (2, 32, 32)), fps=12.5, source="z.exr")
    small = depth.resized(16, 16, mode)  # type: ignore[arg-type]
    assert (small.num_frames, small.height, small.width) == (2, 16, 16)
    assert (small.units, small.fps, small.source) == ("metric", 12.5, "z.exr")
    assert small.inverse_depth().min() >= 0
    assert np.isinf(small.metric_depth()[:, 0]).all()
    assert depth.resized(32, 32) is depth


NAN = np.full((2, 3, 4), 1.0)
NAN[1, 2, 3] = np.nan
HALF_CONSTANT = np.stack([np.arange(12.0).reshape(3, 4), np.full((3, 4), 7.0)])


@pytest.mark.parametrize(
    ("inverse", "normalization", "message"),
    [
        (np.zeros((0, 3, 4)), "clip", r"shape \(frames, height, width\), found shape \(0, 3, 4\)"),
        (np.zeros((3, 4)), "clip", r"found shape \(3, 4\)"),
        (NAN, "clip", "finite inverse depth, found NaN or infinity in frame 1"),
        (np.full((2, 3, 4), np.inf), "clip", "infinity in frame 0"),
        (np.full((2, 3, 4), 0.25), "clip", "depth that varies, found the constant 0.25 in the whole clip"),
        (HALF_CONSTANT, "frame", "found the constant 7 in frame 1"),
    ],
)
def test_what_cannot_be_normalised_is_refused(
    inverse: np.ndarray, normalization: Normalization, message: str
) -> None:
    with pytest.raises(InputError, match=rf"^clip\.npy: expected .*{message}"):
        DepthVideo.from_inverse_depth(inverse, normalization=normalization, source="clip.npy")


def test_one_constant_frame_is_fine_where_the_clip_is_normalised() -> None:
    assert DepthVideo.from_inverse_depth(HALF_CONSTANT).values[1].min() < 1


@pytest.mark.parametrize(("value", "found"), [(0.0, "0"), (-2.5, "-2.5"), (np.nan, "NaN")])
def test_distances_must_be_above_0(value: float, found: str) -> None:
    metres = distances(3)
    metres[1, 5, 5] = value
    with pytest.raises(InputError, match=f"expected metric depth above 0, found {found}$"):
        DepthVideo.from_metric_depth(metres)


def test_relative_depth_has_no_metres_and_metric_inverse_depth_no_sign() -> None:
    inverse = np.linspace(-1, 1, 12).reshape(1, 3, 4)
    with pytest.raises(InputError, match="scale is unknown"):
        DepthVideo.from_inverse_depth(inverse).metric_depth()
    with pytest.raises(InputError, match="found -1"):
        DepthVideo.from_inverse_depth(inverse, units="metric")


@BOTH
@pytest.mark.parametrize("fps", [None, 24000 / 1001])
def test_saved_depth_comes_back_exactly(
    tmp_path: Path, normalization: Normalization, fps: float | None
) -> None:
    depth = DepthVideo.from_metric_depth(
        distances(4), normalization=normalization, source="Ansicht/tief é.exr", fps=fps
    )
    depth.save(tmp_path / "depth.npz")
    again = read_depth(tmp_path / "depth.npz")
    for name in ("values", "scale", "offset"):
        saved, restored = getattr(depth, name), getattr(again, name)
        assert restored.dtype == saved.dtype
        assert (restored == saved).all()
    for name in ("normalization", "units", "source", "fps"):
        assert getattr(again, name) == getattr(depth, name)
    assert type(again.normalization) is str
    before = (tmp_path / "depth.npz").read_bytes()
    with pytest.raises(InputError, match="--force"):
        depth.save(tmp_path / "depth.npz")
    again.save(tmp_path / "depth.npz", force=True)
    assert (tmp_path / "depth.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("length", "num_frames", "stride", "picked"),
    [
        (32, 16, 2, range(0, 32, 2)),
        (31, 16, 2, range(0, 31, 2)),  # the last is frame 30, which is there
        (30, 16, 2, range(16)),  # too short by one: 30 // 16 = 1
        (100, 16, -1, range(0, 96, 6)),
        (16, 16, 8, range(16)),
        (5, 1, 3, [0]),
    ],
)
def test_frames_are_picked_as_the_reference_picks_them(
    length: int, num_frames: int, stride: int, picked: list[int]
) -> None:
    assert pick_frames(length, num_frames, stride) == list(picked)


@pytest.mark.parametrize(
    ("length", "num_frames", "stride"), [(15, 16, 1), (16, 0, 1), (16, 4, 0), (16, 4, -2)]
)
def test_frames_that_are_not_there_are_refused(length: int, num_frames: int, stride: int) -> None:
    with pytest.raises(InputError):
        pick_frames(length, num_frames, stride)
