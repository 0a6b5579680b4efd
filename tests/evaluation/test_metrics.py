import numpy as np
import pytest

from makeyourvideo.evaluation.metrics import (
    boundary_f1,
    color_is_right,
    largest_thing,
    seen_color,
    warping_error,
)
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import sample_scene

SCENES = range(10_000_100, 10_000_112)


@pytest.fixture(scope="module")
def clips():
    return [render(sample_scene(seed)) for seed in SCENES]


def test_the_truth_shows_its_named_colours(clips):
    assert all(color_is_right(clip.frames, clip, largest_thing(clip)) for clip in clips)


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
