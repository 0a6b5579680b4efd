"""What geometry tells of a camera: against the world's exact cameras."""

import math
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from makeyourvideo.models.camera import Cameras, turned
from makeyourvideo.models.parallax import FOCAL, FloorLine, floor_line, parallax
from makeyourvideo.training.camera import cameras_of
from makeyourvideo.world.render import Clip, render
from makeyourvideo.world.scene import sample_scene

TELLING = {"orbit": 116, "pan": 150, "shake": 115}
"""Seeds of scenes where something that is not round stands still before a moving camera."""


BOUNCING = 266
"""Of a scene where all that there is bounces."""


@cache
def filmed(seed: int) -> Clip:
    return render(sample_scene(seed).at(slice(3)), 64)


def inverse(clip: Clip) -> Tensor:
    return torch.from_numpy(clip.depth).reciprocal()[None] * clip.depth.min().item()


def true_moves(cameras: Cameras) -> Tensor:
    """A turn, and steps to the right and ahead in heights of the camera, to each next frame."""
    steps = turned(cameras.place.diff(dim=1), -cameras.heading[:, :-1]) / cameras.height[:, :-1, None]
    return torch.cat([cameras.heading.diff(dim=1)[..., None], steps], dim=-1)[0]


def plain(pitch: Tensor, height: Tensor, focal: float = FOCAL, size: int = 64) -> Tensor:
    """Inverse depth of nothing but a floor, `1 f y x`."""
    up = (size - 1 - 2 * torch.arange(size)) / size / focal
    fall = pitch.sin()[:, None] - up * pitch.cos()[:, None]
    return (fall.clamp(min=0) / height[:, None])[None, :, :, None].expand(-1, -1, -1, size)


@pytest.mark.parametrize("seed", range(4))
def test_the_horizon_of_the_world_is_found(seed: int) -> None:
    clip = filmed(seed)
    line, cameras = floor_line(inverse(clip)), cameras_of(clip.scene)
    assert line.found.all()
    pitch, scale = line.seen_with(clip.scene.focal)
    torch.testing.assert_close(pitch, cameras.pitch, atol=2e-3, rtol=0)
    heights = (scale * cameras.height)[0]
    torch.testing.assert_close(heights, heights[:1].expand_as(heights), atol=0, rtol=5e-3)


def test_a_wall_or_nothing_is_no_floor() -> None:
    for depth in (torch.full((1, 2, 64, 64), 0.5), torch.zeros(1, 2, 64, 64)):
        line = floor_line(depth)
        assert not line.found.any()
        assert all(part.isfinite().all() for part in line)


def test_the_floor_is_found_behind_what_stands_on_it() -> None:
    depth = plain(torch.tensor([0.4]), torch.tensor([1.0])).clone()
    depth[..., 20:50, 5:60] = 0.9
    line = floor_line(depth)
    assert line.found.all()
    assert line.horizon.item() == pytest.approx(FOCAL * math.tan(0.4), abs=1e-4)


def test_a_floor_that_is_lost_is_the_last_one_found() -> None:
    horizon, found = torch.tensor([[1.0, 2, 3, 4, 5]]), torch.tensor([[False, True, False, False, True]])
    held = FloorLine(horizon, 10 * horizon, found).held()
    assert held.horizon.tolist() == [[2, 2, 2, 2, 5]]
    assert held.steepness.tolist() == [[20, 20, 20, 20, 50]]
    assert held.found.all()
    assert not FloorLine(horizon, horizon, found & False).held().found.any()


def test_a_floor_that_is_lost_is_no_move() -> None:
    depth = plain(torch.tensor([0.4, 0.4]), torch.tensor([1.0, 1.0]))
    line = floor_line(depth)
    lost = FloorLine(torch.tensor([[line.horizon[0, 0], 0.5]]), line.steepness, torch.tensor([[True, False]]))
    assert parallax(depth, lost).change.abs().max() == 0


@pytest.mark.parametrize("seed", TELLING.values(), ids=TELLING)
def test_a_move_before_what_stands_still_is_solved_for(seed: int) -> None:
    clip = filmed(seed)
    assert {thing.move for thing in clip.scene.things} == {"still"}
    depth = inverse(clip)
    hints = parallax(depth, floor_line(depth))
    found, _ = hints.guess(torch.ones_like(hints.weight))
    found = found[:, :3]
    true = true_moves(cameras_of(clip.scene))
    turns, aside, ahead = (found - true).abs().mean(dim=0) / true.abs().mean(dim=0).clamp(min=0.01)
    assert turns < 0.25
    assert aside < 0.5
    assert ahead < 0.5


def test_what_bounces_tells_of_the_camera_all_the_same() -> None:
    clip = filmed(BOUNCING)
    assert {thing.move for thing in clip.scene.things} == {"bounce"}
    depth = inverse(clip)
    hints = parallax(depth, floor_line(depth))
    found, _ = hints.guess(torch.ones_like(hints.weight))
    cameras = cameras_of(clip.scene)
    torch.testing.assert_close(found[0, :3], true_moves(cameras)[0], atol=2e-3, rtol=0)
    fallen = -np.diff(clip.scene.things[0].poses[:2, 1, 3]) / cameras.height[0, 0].item()
    assert found[0, 3].item() == pytest.approx(fallen.item(), abs=5e-3)
    assert fallen > 0.05


def test_a_nod_or_a_rise_above_the_floor_is_no_move() -> None:
    depth = plain(torch.tensor([0.35, 0.37, 0.37]), torch.tensor([1.0, 1.0, 1.03]))
    hints = parallax(depth, floor_line(depth))
    assert hints.change.abs().mean() < 0.06 * depth.diff(dim=1).abs().mean()


def test_of_two_moves_the_trusted_one_is_told() -> None:
    clip = filmed(TELLING["orbit"])
    moving = inverse(clip)
    standing = moving[:, :1].expand(-1, 3, -1, -1)
    depth = torch.cat([moving, standing], dim=3)
    hints = parallax(depth, floor_line(depth))
    left = (torch.arange(128) < 64).float().expand(64, 128).reshape(1, -1).expand(2, -1)
    (there, _), (still, _) = hints.guess(left), hints.guess(1 - left)
    assert still[:, 0].abs().max() < 0.1 * there[:, 0].abs().min()
    assert there[:, 4].min() > 5  # surely


def test_what_is_trusted_can_be_learnt() -> None:
    depth = inverse(filmed(TELLING["shake"]))
    pixels = parallax(depth, floor_line(depth))
    weight = torch.ones_like(pixels.weight, requires_grad=True)
    guess, equations = pixels.guess(weight)
    for learnt in (guess[:, :4], equations):
        weight.grad = None
        learnt.square().sum().backward(retain_graph=True)
        assert weight.grad is not None
        assert weight.grad.abs().max() > 0


def test_a_guess_begins_with_the_equations_of_what_is_trusted() -> None:
    depth = inverse(filmed(TELLING["orbit"]))
    pixels = parallax(depth, floor_line(depth))
    trust = torch.rand_like(pixels.weight)
    _, equations = pixels.guess(trust)
    matrix, vector = pixels.normal_equations(pixels.weight * trust)
    assert torch.equal(equations, torch.cat([matrix, vector[..., None]], dim=2))


def test_where_nothing_is_seen_nothing_is_told() -> None:
    depth = plain(torch.tensor([0.4, 0.4]), torch.tensor([1.0, 1.0]))
    guess, _ = parallax(depth, floor_line(depth)).guess(torch.ones(1, 64 * 64))
    torch.testing.assert_close(guess[:, :4], torch.zeros(1, 4), atol=1e-4, rtol=0)
    assert guess.isfinite().all()
