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


def test_half_precision_is_answered_in_single() -> None:
    depth, sun = torch.rand(1, 1, 16, 16).bfloat16(), torch.rand(1, 2).bfloat16()
    assert lit(depth, sun).dtype == torch.float32
