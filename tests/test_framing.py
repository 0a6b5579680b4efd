"""Sizes are met exactly and nothing is ever stretched."""

import numpy as np
import pytest

from makeyourvideo.errors import InputError
from makeyourvideo.framing import Framing, plan_framing
from makeyourvideo.structure.depth import DepthVideo, resample


def plan(source: tuple[int, int], height: int | None = None, width: int | None = None) -> Framing:
    return plan_framing(source, height, width, native_size=(256, 256), multiple=64)


def disc(height: int, width: int) -> DepthVideo:
    """A round thing in the middle, its radius an eighth of the shorter side."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    near = np.hypot(rows - height / 2, columns - width / 2) < min(height, width) / 8
    return DepthVideo.from_inverse_depth(near[None].astype(np.float32))


def placed(framing: Framing, depth: DepthVideo, grid: tuple[int, int]) -> DepthVideo:
    return DepthVideo.from_inverse_depth(framing.place(depth.inverse_depth(), grid, depth.units))


@pytest.mark.parametrize(
    ("source", "result", "padded"),
    [
        ((384, 384), (256, 256), (256, 256)),
        ((480, 854), (192, 342), (192, 384)),
        ((1920, 1080), (342, 192), (384, 192)),
        ((1, 3000), (4, 12000), None),
    ],
)
def test_without_a_size_the_native_area_at_the_aspect_ratio_of_the_input(
    source: tuple[int, int], result: tuple[int, int], padded: tuple[int, int] | None
) -> None:
    if padded is None:
        with pytest.raises(InputError, match="width: expected between 1 and 8192 pixels, found 12000"):
            plan(source)
        return
    framing = plan(source)
    assert (framing.height, framing.width) == result
    assert (framing.padded_height, framing.padded_width) == padded


def test_one_side_brings_the_other_along() -> None:
    assert plan((480, 854), height=96).width == 171
    assert plan((480, 854), width=427).height == 240


@pytest.mark.parametrize("size", [(1, 1), (63, 65), (125, 187), (256, 256)])
def test_odd_sizes_are_padded_up_to_what_the_network_needs(size: tuple[int, int]) -> None:
    framing = plan((100, 100), *size)
    assert (framing.height, framing.width) == size
    assert framing.padded_height % 64 == framing.padded_width % 64 == 0
    assert 0 <= framing.padded_height - size[0] < 64
    assert 0 <= framing.padded_width - size[1] < 64


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (9000, 5)])
def test_impossible_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="between 1 and 8192"):
        plan((100, 100), *size)


@pytest.mark.parametrize("source", [(60, 60), (90, 160), (200, 120), (31, 47)])
@pytest.mark.parametrize("size", [(250, 333), (128, 128), (333, 200), (200, 256)])
def test_round_things_stay_round_and_centred(source: tuple[int, int], size: tuple[int, int]) -> None:
    framing = plan(source, *size)
    grid = (framing.padded_height, framing.padded_width)
    near = placed(framing, disc(*source), grid).values[0] > 0
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    assert abs(len(rows) - len(columns)) <= 2
    assert abs(rows.mean() + 0.5 - size[0] / 2) <= 1.5
    assert abs(columns.mean() + 0.5 - size[1] / 2) <= 1.5


def test_where_everything_fits_the_depth_is_resized_at_once() -> None:
    depth = disc(384, 384)
    inverse = plan((384, 384)).place(depth.inverse_depth(), (32, 32), "relative")
    assert np.array_equal(inverse, resample(depth.inverse_depth(), 32, 32, "relative"))
    assert plan((384, 384)).notes == []


def test_the_surplus_repeats_the_last_row_and_column() -> None:
    framing = plan((125, 187), 125, 187)
    values = placed(framing, disc(125, 187), (128, 192)).values[0]
    assert (values[125:] == values[124]).all()
    assert (values[:, 187:] == values[:, 186:187]).all()


def test_what_is_left_out_and_what_is_cropped_is_said() -> None:
    wide, padded = plan((90, 160), 125, 125).notes
    assert wide == (
        "the depth (90x160) has another shape than the video (125x125): "
        "scaled to cover it, its outer 97 columns are left out"
    )
    assert padded == "made at 128x128, as the network needs, and cropped to 125x125"


def test_nothing_lies_beyond_infinity_in_metres() -> None:
    depth = DepthVideo.from_metric_depth(1 + np.random.default_rng(0).random((2, 30, 40)))
    inverse = plan((30, 40), 50, 50).place(depth.inverse_depth(), (64, 64), depth.units)
    assert 1 / inverse.max() > 0.8
    edges = np.kron([[[0.0, 1.0], [1.0, 0.0]]], np.ones((1, 8, 8))).astype(np.float32)
    assert plan((16, 16), 64, 64).place(edges, (64, 64), "relative").min() < 0
    assert plan((16, 16), 64, 64).place(edges, (64, 64), "metric").min() == 0


def test_a_stretch_of_a_clip_is_placed_as_in_the_whole() -> None:
    inverse = np.random.default_rng(0).random((9, 31, 47), np.float32)
    framing = plan((31, 47), 100, 70)
    whole = framing.place(inverse, (32, 32), "relative")
    for start, stop in ((0, 1), (3, 8), (8, 9)):
        assert np.array_equal(framing.place(inverse[start:stop], (32, 32), "relative"), whole[start:stop])
