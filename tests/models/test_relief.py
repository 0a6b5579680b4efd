"""What depth says of the light, against the renderer's."""

import math
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from makeyourvideo.models.relief import RELIEF, relief
from makeyourvideo.models.segments import segmented
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.training.stills import standing_in
from makeyourvideo.world.render import FLOOR, Clip, render
from makeyourvideo.world.scene import WorldConfig, sample_scene
from makeyourvideo.world.skies import SKIES

SEEDS = range(4)
FACING, FRONTAL, MIRRORED, SUNNY = slice(0, 3), 3, 4, 7  # the last of a sun that stands high


@cache
def filmed(seed: int) -> Clip:
    world = WorldConfig(
        objects={1: 1.0},
        families={"cube": 1.0, "cone": 1.0, "ball": 1.0},
        skies=("clear blue",),
        styles={"realistic": 1.0},
        hills=0.0,
    )
    return render(sample_scene(seed, world).at(slice(1)))


def depth_of(clip: Clip) -> Tensor:
    return torch.from_numpy(DepthVideo.from_metric_depth(clip.depth).values)[:, None]


def lit(depth: Tensor, sun: Tensor) -> Tensor:
    return relief(depth, sun, segmented(depth[:, :, ::2, ::2]).objects)


def told(clip: Clip, sun: Tensor | None = None) -> Tensor:
    return lit(depth_of(clip), (standing_in(clip.scene).sun if sun is None else sun)[None])[0]


def only(clip: Clip, surface: int) -> Tensor:
    """Places of half the size that show nothing else."""
    return avg_pool2d(torch.from_numpy(clip.surfaces == surface).float(), 2)[0] == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_floors_face_up(seed: int) -> None:
    clip = filmed(seed)
    facing = told(clip)[FACING, only(clip, FLOOR)]
    assert (facing - torch.tensor([0.0, 1.0, 0.0])[:, None]).abs().quantile(0.95) < 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_the_sun_falls_where_it_does(seed: int) -> None:
    """Where the renderer's does, shadows on the floor among it; a lens other than it takes bends a little."""
    clip, sky = filmed(seed), SKIES["clear blue"]
    found = told(clip)
    light = avg_pool2d(torch.from_numpy(clip.light).movedim(-1, 1), 2)[0, 0]
    sunny = (light - (0.75 + 0.25 * found[1]) * float(sky.ambient[0])) / float(sky.sun[0])
    for surface in (FLOOR, 1):
        error = (found[SUNNY] - sunny)[only(clip, surface)].abs()
        assert error.mean() < 0.1
        assert error.median() < 0.07
    floor = only(clip, FLOOR)
    dark, bright = floor & (sunny < 0.1), floor & (sunny > 0.7)
    assert found[SUNNY][bright].mean() > 0.65
    assert seed or dark.sum() > 50  # one of them has a shadow in sight
    if dark.sum() > 50:
        assert found[SUNNY][dark].mean() < 0.3


def test_a_wall_is_seen_from_straight_ahead_and_mirrors_what_is_behind_the_camera() -> None:
    found = lit(torch.zeros(1, 1, 32, 32), torch.zeros(1, 2))
    assert found.shape == (1, RELIEF, 16, 16)
    middle = found[0, :, 7:9, 7:9].mean(dim=(1, 2))
    pitch = math.atan(0.5 / 1.5)  # no floor tells another
    expected = torch.tensor([0, math.sin(pitch), -math.cos(pitch), 1, math.sin(pitch)])
    torch.testing.assert_close(middle[:5], expected, atol=0.01, rtol=0)


def test_sides_change_with_the_mirror_image() -> None:
    clip = filmed(1)
    sun = torch.tensor([0.6, -0.8])
    depth = depth_of(clip)
    objects = segmented(depth[:, :, ::2, ::2]).objects
    one = relief(depth, sun[None], objects)
    other = relief(depth.flip(3), torch.tensor([[-0.6, -0.8]]), objects.flip(3))
    sides = torch.ones(RELIEF)
    sides[0] = -1
    apart = (one - other.flip(3) * sides.view(1, -1, 1, 1)).abs()
    assert apart.mean() < 0.02  # of four pixels one decides what is in the shade
    assert apart[:, :3].mean() < 1e-5


def test_what_faces_away_from_the_sun_gets_nothing() -> None:
    clip = filmed(0)
    ahead = told(clip, torch.tensor([0.0, 1.0]))  # from behind what is seen
    towards = only(clip, 1) & (ahead[1] < 0.1) & (ahead[2] < -0.5)
    assert towards.any()
    assert not ahead[5:, towards].any()


@pytest.mark.parametrize("values", ["flat", "far", "noise"])
def test_all_of_it_is_finite_and_bounded(values: str) -> None:
    depth = {
        "flat": torch.ones(2, 1, 24, 40),
        "far": -torch.ones(2, 1, 24, 40),
        "noise": torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (2, 1, 24, 40))).float(),
    }[values]
    found = lit(depth, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    assert found.shape == (2, RELIEF, 12, 20)
    assert torch.isfinite(found).all()
    assert found.abs().max() <= 1 + 1e-5


def test_half_precision_is_answered_in_single_and_nearly_alike() -> None:
    depth, sun = depth_of(filmed(0)), torch.tensor([[0.6, -0.8]])
    found = lit(depth.half(), sun.half())
    assert found.dtype == torch.float32
    assert (found - lit(depth, sun)).abs().mean() < 0.02


def test_depth_that_has_steps_does_not_bend_large_floors() -> None:
    """Of 8 bits, 512 pixels high: from pixel to pixel most of it would face the camera."""
    up = (511 - 2 * torch.arange(512)) / 512
    near = (0.6 * (0.5 - up)).clamp(min=0)[:, None].expand(1, 1, 512, 512)
    stepped = torch.round(near * 255) / 255
    facing = lit(2 * stepped - 1, torch.zeros(1, 2))[0, 1, 150:]
    assert facing.mean() > 0.95


def test_a_sun_that_stands_higher_gives_no_less_light() -> None:
    """Of half the length it is of length 1 all the same: what faces it gets all of it."""
    for length in (1.0, 0.5):
        sun = torch.tensor([0.0, -length])
        rise = math.sin(math.radians(50)) / math.hypot(
            math.sin(math.radians(50)), length * math.cos(math.radians(50))
        )
        found = told(filmed(2), sun)
        floor = found[SUNNY, only(filmed(2), FLOOR)]
        assert floor.max() == pytest.approx(rise, abs=0.02)


def test_samples_of_a_batch_are_each_as_alone() -> None:
    depth = torch.cat([depth_of(filmed(seed)) for seed in (0, 1)])
    sun = torch.tensor([[0.6, -0.8], [1.0, 0.0]])
    whole = lit(depth, sun)
    for sample in range(2):
        alone = lit(depth[sample : sample + 1], sun[sample : sample + 1])[0]
        torch.testing.assert_close(whole[sample], alone, atol=1e-4, rtol=0)


def test_frames_without_contents_pass() -> None:
    assert lit(torch.zeros(1, 1, 16, 24, device="meta"), torch.zeros(1, 2, device="meta")).shape[2:] == (
        8,
        12,
    )
