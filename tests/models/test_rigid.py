"""Points on objects, against where the renderer has them."""

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from makeyourvideo.models.rigid import agreed
from makeyourvideo.models.segments import segmented
from makeyourvideo.models.sketcher import upright
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.training.camera import cameras_of
from makeyourvideo.world.render import Clip, render
from makeyourvideo.world.scene import WorldConfig, sample_scene

SEEDS = (0, 1, 4, 5)


@cache
def filmed(seed: int, objects: int = 1) -> Clip:
    families = {"cube": 1.0, "cone": 1.0, "cylinder": 1.0, "star": 1.0}
    world = WorldConfig(objects={objects: 1.0}, families=families)
    return render(sample_scene(seed, world).at(slice(1)), 64)


def depth_of(clip: Clip) -> Tensor:
    return torch.from_numpy(DepthVideo.from_metric_depth(clip.depth).values)[None]


def points_of(clip: Clip) -> Tensor:
    """The truth, and beside objects what means nothing."""
    points = torch.from_numpy(clip.points).movedim(-1, 1).clamp(-1, 1)
    return torch.where(torch.from_numpy(clip.surfaces > 0)[:, None], points, torch.rand(1, 3, 64, 64))


def agreeing(points: Tensor, depth: Tensor) -> Tensor:
    return agreed(
        points, depth, segmented(depth).objects, torch.zeros(len(points), 1, 1, device=points.device)
    )


@cache
def clip_of(seed: int) -> Clip:
    """An object that slides or stands before a camera that pans or goes round it."""
    world = WorldConfig(objects={1: 1.0}, families={"cube": 1.0, "star": 1.0}, num_frames=4)
    chosen = [
        scene
        for scene in (sample_scene(number, world) for number in range(60))
        if scene.things[0].move in ("still", "slide") and scene.camera_move in ("orbit", "pan")
    ]
    return render(chosen[seed], 64)


def inside(clip: Clip, thing: int = 1) -> Tensor:
    return torch.from_numpy(clip.surfaces[0] == thing)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_told_a_little_off_agrees(seed: int) -> None:
    clip = filmed(seed)
    true, mask = points_of(clip), inside(clip)
    told = true + 0.1 * torch.randn(true.shape, generator=torch.Generator().manual_seed(seed))
    found = agreeing(told, depth_of(clip))
    before, after = (((one - true)[0, :, mask]).abs().mean() for one in (told, found))
    assert after < 0.5 * before


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_right_stays_so(seed: int) -> None:
    clip = filmed(seed)
    true = points_of(clip)
    found = agreeing(true, depth_of(clip))
    assert (found - true)[0, :, inside(clip)].abs().mean() < 0.01


def test_each_object_has_points_of_its_own() -> None:
    clip = next(
        clip
        for clip in (filmed(seed, objects=2) for seed in range(50))
        if min((clip.surfaces == thing).mean() for thing in (1, 2)) > 0.03
    )
    true = points_of(clip)
    found = agreeing(true, depth_of(clip))
    for thing in (1, 2):
        assert (found - true)[0, :, inside(clip, thing)].abs().mean() < 0.02


def test_outside_of_objects_and_where_nothing_agrees_all_stays_as_it_is() -> None:
    clip = filmed(0)
    random = torch.rand(1, 3, 64, 64) * 2 - 1
    changed = (agreeing(random, depth_of(clip)) != random)[0].any(dim=0)
    assert not changed.any()
    true = points_of(clip)
    changed = (agreeing(true, depth_of(clip)) != true)[0].any(dim=0)
    assert changed[inside(clip)].float().mean() > 0.9
    assert not changed[inside(clip, thing=-1)].any()
    assert changed[inside(clip, thing=0)].float().mean() < 0.01  # where an object stands on it


def standing(columns: slice, near: float, depth: Tensor) -> None:
    """Stand a box of that depth before a floor."""
    depth[..., 20:46, columns] = depth[..., 20:46, columns].clamp(min=near)


def test_of_two_that_touch_the_smaller_is_left_alone() -> None:
    """They look like one, which most of its points agree with."""
    up = (63 - 2 * torch.arange(64)) / 64
    near = (0.3 * (0.5 - up)).clamp(min=0)[:, None].expand(1, 1, 64, 96).clone()
    standing(slice(10, 50), 0.5, near)
    standing(slice(50, 64), 0.49, near)
    grid = torch.stack(torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 96), indexing="ij"))
    points = torch.cat([3 * grid, 0 * grid[:1]])[None]
    points[..., 50:64] = 1.5 - 2 * points[..., 50:64]
    told = points + 0.05 * torch.randn(points.shape, generator=torch.Generator().manual_seed(0))
    found = agreeing(told, 2 * near - 1)
    large, small = (
        (one[..., 22:44, columns] - points[..., 22:44, columns]).abs().mean()
        for columns in (slice(12, 48), slice(52, 62))
        for one in (found,)
    )
    before = (told - points).abs().mean()
    assert large < 0.4 * before
    assert small < 1.2 * before


def told_of(clip: Clip, spread: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points of a clip that are each frame's own way off, as a whole; the truth; depth and headings."""
    true = torch.from_numpy(clip.points).movedim(-1, 1).clamp(-1, 1)
    generator = torch.Generator().manual_seed(0)
    bend = torch.eye(3) + spread * torch.randn(len(true), 3, 3, generator=generator)
    moved = spread * torch.randn(len(true), 3, 1, 1, generator=generator)
    told = torch.einsum("fij,fjyx->fiyx", bend, true) + moved
    depth = torch.from_numpy(DepthVideo.from_metric_depth(clip.depth).values)[:, None]
    return told, true, depth, cameras_of(clip.scene).heading[0, :, None, None]


@pytest.mark.parametrize("seed", range(4))
def test_frames_in_a_row_agree_about_an_object_that_moves(seed: int) -> None:
    clip = clip_of(seed)
    told, true, depth, heading = told_of(clip, 0.08)
    objects = segmented(depth).objects
    alone, together = (agreed(told, depth, objects, heading, in_a_row=some) for some in (False, True))
    mask = torch.from_numpy(clip.surfaces == 1)[:, None].expand(-1, 3, -1, -1)
    errors = [(found - true) for found in (alone, together)]
    jumps = [error.diff(dim=0)[mask[1:] & mask[:-1]].abs().mean() for error in errors]
    assert jumps[1] < 0.8 * jumps[0]
    assert errors[1][mask].abs().mean() < errors[0][mask].abs().mean()


@pytest.mark.parametrize("turn", [0.1, 0.17])
def test_what_spins_stays_right(turn: float) -> None:
    """In radians a frame; the world's go up to 0.15."""
    clip = clip_of(0)
    depth = torch.from_numpy(DepthVideo.from_metric_depth(clip.depth[:1]).values)[None].expand(5, -1, -1, -1)
    true = torch.from_numpy(clip.points[:1]).movedim(-1, 1).clamp(-1, 1)
    angles = turn * torch.arange(5)[:, None, None]
    told = upright(true.expand(5, -1, -1, -1), angles)  # as if it turned under its own outline
    found = agreed(told, depth, segmented(depth).objects, torch.zeros(5, 1, 1), in_a_row=True)
    mask = torch.from_numpy(clip.surfaces[:1] == 1)[:, None].expand(5, 3, -1, -1)
    assert (found - told)[mask].abs().mean() < 0.01


def test_what_is_not_in_both_neighbours_is_left_to_its_own_frame() -> None:
    told, _, depth, heading = told_of(clip_of(0), 0.08)
    objects = segmented(depth).objects
    objects[2] = 0
    alone, together = (agreed(told, depth, objects, heading, in_a_row=some) for some in (False, True))
    assert torch.equal(together, alone)
    pair = agreed(told[:2], depth[:2], objects[:2], heading[:2], in_a_row=True)
    torch.testing.assert_close(pair, alone[:2])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_right_stays_so_in_a_row_too(seed: int) -> None:
    clip = clip_of(seed)
    told, true, depth, heading = told_of(clip, 0.0)
    found = agreed(told, depth, segmented(depth).objects, heading, in_a_row=True)
    mask = torch.from_numpy(clip.surfaces == 1)[:, None].expand(-1, 3, -1, -1)
    assert (found - true)[mask].abs().mean() < 0.02


def test_another_side_of_an_object_in_the_next_frame_changes_nothing() -> None:
    told, _, depth, heading = told_of(clip_of(0), 0.0)
    objects = segmented(depth).objects
    told[1] = told[1, [2, 1, 0]] * torch.tensor([1, 1, -1])[:, None, None]  # a quarter turn
    alone, together = (agreed(told, depth, objects, heading, in_a_row=some) for some in (False, True))
    torch.testing.assert_close(together[1], alone[1], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(together[0], alone[0], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", ["flat", "noise", "sky"])
def test_without_a_floor_nothing_changes(kind: str) -> None:
    depth = {
        "flat": torch.zeros(1, 1, 24, 40),
        "noise": torch.rand(1, 1, 24, 40),
        "sky": -torch.ones(1, 1, 24, 40),
    }
    points = torch.rand(1, 3, 24, 40)
    assert torch.equal(agreeing(points, depth[kind]), points)


def test_samples_of_a_batch_are_each_as_alone() -> None:
    clips = [filmed(seed) for seed in SEEDS]
    points, depth = (torch.cat([of(clip) for clip in clips]) for of in (points_of, depth_of))
    points = points + 0.05 * torch.randn(points.shape)
    whole = agreeing(points, depth)
    for sample in range(len(clips)):
        alone = agreeing(points[sample : sample + 1], depth[sample : sample + 1])
        torch.testing.assert_close(whole[sample : sample + 1], alone, atol=1e-5, rtol=0)


def test_half_precision_and_frames_without_contents_pass() -> None:
    clip = filmed(0)
    points, depth = points_of(clip), depth_of(clip)
    whole = agreeing(points, depth)
    half = agreeing(points.bfloat16(), depth.bfloat16())
    assert half.dtype == torch.float32
    assert (half - whole).abs().mean() < 0.02
    assert agreeing(points.to("meta"), depth.to("meta")).shape == points.shape
    assert np.isfinite(whole.numpy()).all()
