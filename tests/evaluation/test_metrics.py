import numpy as np
import pytest

from makeyourvideo.evaluation.metrics import (
    boundary_f1,
    color_is_right,
    depth_error,
    kernel_distance,
    largest_thing,
    object_masks,
    psnr,
    seen_color,
    visible_things,
    warping_error,
)
from makeyourvideo.world.finishes import PATTERNS
from makeyourvideo.world.geometry import HELD_OUT_FAMILIES
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import WorldConfig, sample_scene
from makeyourvideo.world.styles import COLORLESS, STYLES

SCENES = range(10_000_100, 10_000_112)


@pytest.fixture(scope="module")
def clips():
    world = WorldConfig(
        finishes=dict.fromkeys(PATTERNS, 1.0),
        styles={name: 1.0 for name in STYLES if name not in COLORLESS},
    )
    return [render(sample_scene(seed, world)) for seed in SCENES]


def test_the_truth_shows_its_named_colours(clips):
    assert all(color_is_right(clip.frames, clip, largest_thing(clip)) for clip in clips)


def test_the_truth_shows_colours_of_thin_things_in_neon():
    """Most of such things are lines in the style's own colour."""
    world = WorldConfig(styles={"neon": 1}, finishes=dict.fromkeys(PATTERNS, 1.0), objects={1: 1})
    world = world.model_copy(update={"families": dict.fromkeys(HELD_OUT_FAMILIES, 1.0)})
    clips = [render(sample_scene(seed, world).at(slice(4))) for seed in SCENES]
    assert all(color_is_right(clip.frames, clip, 0) for clip in clips)


def test_another_colour_is_seen_as_another(clips):
    """Turning the picture's channels round turns the colour named, except for gray tones."""
    for clip in clips:
        thing = largest_thing(clip)
        if clip.scene.things[thing].color in ("white", "black", "gray"):
            continue
        turned = np.roll(clip.frames, 1, axis=-1)
        assert seen_color(turned, clip, thing) != clip.scene.things[thing].color


def test_a_frozen_video_cannot_pass_for_a_moving_one(clips):
    truth = [boundary_f1(clip.frames, clip, largest_thing(clip)) for clip in clips]
    frozen = [np.repeat(clip.frames[:1], 16, axis=0) for clip in clips]
    still = [boundary_f1(video, clip, largest_thing(clip)) for video, clip in zip(frozen, clips, strict=True)]
    assert np.mean(truth) > 0.85
    assert np.mean(still) < 0.6


def test_flicker_raises_the_warping_error_by_its_own_size(clips):
    clip = clips[0]
    flicker = np.where(np.arange(16) % 2, 8, 0)[:, None, None, None].astype(np.uint8)
    video = np.clip(clip.frames, 0, 247)
    steady = warping_error(video, clip)
    assert 8 - steady < warping_error(video + flicker, clip) <= 8 + steady


def test_warping_error_of_a_still_picture_of_one_colour_is_zero(clips):
    assert warping_error(np.full_like(clips[0].frames, 77), clips[0]) == 0


def test_depth_error_forgives_one_scale_and_shift_a_clip_and_nothing_else():
    exact = np.random.default_rng(0).normal(size=(4, 8, 8)).astype(np.float32)
    assert depth_error(3 * exact - 7, exact) < 1e-5
    drifting = exact * np.array([1, 2, 3, 4], dtype=np.float32)[:, None, None]
    assert depth_error(drifting, exact) > 0.1
    unrelated = np.random.default_rng(1).normal(size=exact.shape).astype(np.float32)
    assert depth_error(unrelated, exact) == pytest.approx(1, abs=0.02)


def test_psnr_is_the_closed_form():
    truth = np.full((2, 4, 4, 3), 100, np.uint8)
    assert psnr(truth + 10, truth) == pytest.approx(20 * np.log10(25.5))


def test_kernel_distance_is_zero_in_the_mean_for_equal_distributions_and_not_for_others():
    rng = np.random.default_rng(0)
    draws = [kernel_distance(rng.normal(size=(40, 6)), rng.normal(size=(40, 6))) for _ in range(60)]
    assert abs(np.mean(draws)) < 3 * np.std(draws) / np.sqrt(60)
    assert kernel_distance(rng.normal(size=(40, 6)), rng.normal(1, 1, size=(40, 6))) > 5 * np.std(draws)


def test_visible_things_come_largest_first(clips):
    for clip in clips:
        areas = [object_masks(clip, thing).mean() for thing in visible_things(clip, 0.02)]
        assert areas == sorted(areas, reverse=True)
        assert all(area >= 0.02 for area in areas)
