"""Cameras above the floor, and the network that tells them from depth."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from makeyourvideo.models.camera import CameraEstimator, Cameras, _Answers, _summed, _turned_back, turned
from makeyourvideo.pipeline import BUNDLED_MODEL
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.training.camera import cameras_of
from makeyourvideo.world.render import FLOOR, flow, render
from makeyourvideo.world.scene import WorldConfig, sample_scene


@pytest.fixture
def estimator() -> CameraEstimator:
    torch.manual_seed(0)
    return CameraEstimator(channels=16, frame_channels=24).eval()


def cameras(moves: Tensor, pitch: float = 0.5, height: float = 1.0) -> Cameras:
    frames = torch.ones(moves.shape[:2])
    return Cameras.moved(1.5 * frames, pitch * frames, height * frames, moves)


def test_the_floor_is_where_the_renderer_finds_it() -> None:
    seeds = (seed for seed in range(100) if not sample_scene(seed).hills)
    for seed in (next(seeds) for _ in range(3)):
        clip = render(sample_scene(seed, WorldConfig(num_frames=2)), 32)
        found = cameras_of(clip.scene).floor(32, 32)[0].movedim(1, -1).numpy()
        near = (clip.surfaces == FLOOR) & (clip.depth < 20)
        assert near.any()
        np.testing.assert_allclose(found[near], clip.points[near][:, [0, 2]], atol=2e-3)


def test_the_floor_moves_on_the_picture_as_the_renderer_says() -> None:
    for seed, move in {8: "orbit", 15: "dolly", 37: "shake"}.items():
        clip = render(sample_scene(seed).at(slice(3)), 32)
        assert clip.scene.camera_move == move
        exact, seen = flow(clip)
        found = cameras_of(clip.scene).flow(32, 32)[0].movedim(1, -1).numpy() * [16, -16]
        near = seen & (clip.surfaces[:-1] == FLOOR) & (clip.depth[:-1] < 15)
        near &= np.abs(clip.points[:-1, ..., 1]) < 1e-3  # no hills
        assert near.any()
        np.testing.assert_allclose(found[near], exact[near], atol=2e-2)
        assert np.abs(exact[near]).max() > 0.1


def test_a_camera_that_turns_and_steps_goes_round() -> None:
    moves = torch.tensor([math.pi / 2, 0.0, 1.0]).expand(1, 5, 3)  # a step ahead, then a quarter to the right
    found = cameras(moves)
    torch.testing.assert_close(found.heading[0], torch.arange(5) * math.pi / 2)
    places = found.place[0] - found.place[0, 0]
    torch.testing.assert_close(
        places, torch.tensor([[0, 0], [0, 1], [1, 1], [1, 0], [0, 0.0]]), atol=1e-6, rtol=0
    )


def test_the_floor_begins_where_the_first_camera_looks() -> None:
    middle = cameras(torch.zeros(1, 2, 3)).floor(33, 49)[0, :, :, 16, 24]
    torch.testing.assert_close(middle, torch.zeros(2, 2), atol=1e-6, rtol=0)


def test_what_is_seen_turns_against_the_camera() -> None:
    ahead = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(turned(ahead, torch.tensor(math.pi / 2)), torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(turned(turned(ahead, torch.tensor(0.3)), torch.tensor(-0.3)), ahead)


def test_above_the_horizon_the_floor_ends_without_a_number_that_is_none() -> None:
    for pitch in (0.0, -0.4):
        assert cameras(torch.zeros(1, 2, 3), pitch=pitch).floor(16, 16).isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (96, 128), (32, 40)])
def test_parts_of_a_clip_give_what_the_whole_gives(estimator: CameraEstimator, size: tuple[int, int]) -> None:
    floor = torch.linspace(-3, 1, size[0]).clamp(min=-1)[:, None]
    depth = torch.maximum(floor, torch.linspace(-1, 1, size[1]) * torch.rand(2, 7, 1, 1))
    whole = estimator(depth)
    for sizes in ([3, 4], [1, 5, 1], [1] * 7):
        parted = estimator.cameras(depth.split(sizes, dim=1))
        for name, value in vars(whole).items():
            torch.testing.assert_close(getattr(parted, name), value, atol=1e-3, rtol=1e-3)
    assert whole.place.shape == (2, 7, 2)
    assert len(whole.focal[0].unique()) == 1
    assert not torch.allclose(estimator(depth.flip(1)).heading, whole.heading)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["flat", "tilted", "sky", "noise", "a wall over a floor"])
def test_odd_depth_gives_cameras(estimator: CameraEstimator, kind: str) -> None:
    across, down = torch.linspace(0.5, 0.6, 64).expand(64, -1), torch.linspace(-1, 1, 64)[:, None]
    frame = {
        "flat": torch.full((64, 64), 0.42),
        "tilted": across,
        "sky": torch.zeros(64, 64),
        "noise": torch.rand(64, 64),
        "a wall over a floor": down.clamp(min=0.36).expand(64, 64),
    }[kind]
    found = estimator(2 * frame.expand(1, 3, -1, -1) - 1)
    assert all(part.isfinite().all() for part in vars(found).values())


@torch.no_grad()
@pytest.mark.parametrize("side", [64, 72, 80, 100, 128, 136, 200])
def test_the_pitch_is_told_at_any_size(estimator: CameraEstimator, side: int) -> None:
    up = (side - 1 - 2 * torch.arange(side)) / side / 1.5
    for pitch in (0.15, 0.3, 0.45):
        floor = (math.sin(pitch) - up * math.cos(pitch)).clamp(min=0)
        depth = 2 * (floor / floor.max())[:, None].expand(1, 2, side, side) - 1
        found = estimator(depth)
        assert (1.5 * math.tan(pitch) / found.focal).atan() == pytest.approx(found.pitch, abs=3e-3)


@torch.no_grad()
def test_the_camera_rises_as_the_floor_says(estimator: CameraEstimator) -> None:
    up = (63 - 2 * torch.arange(64)) / 64 / 1.5
    floors = [(math.sin(0.4) - up * math.cos(0.4)).clamp(min=0) / height for height in (1.0, 1.1, 1.2)]
    found = estimator(2 * torch.stack(floors)[None, :, :, None].expand(-1, -1, -1, 64) - 1)
    ratios = found.height[0] / found.height[0, 0]
    torch.testing.assert_close(ratios, torch.tensor([1.0, 1.1, 1.2]), atol=1e-3, rtol=0)


@torch.no_grad()
def test_half_as_precise_layers_leave_geometry_as_it_is(estimator: CameraEstimator) -> None:
    depth = torch.linspace(-2, 1, 64).clamp(min=-1)[:, None].expand(1, 2, 64, 64)
    _, whole, _ = estimator.seen(depth)
    with torch.autocast("cpu", torch.bfloat16):
        _, rounded, equations = estimator.seen(depth)
    assert rounded.dtype == equations.dtype == torch.float32
    torch.testing.assert_close(rounded[..., :3], whole[..., :3])


@torch.no_grad()
def test_a_move_that_goes_on_is_solved_for_by_all_frames_around(estimator: CameraEstimator) -> None:
    """An orbit of a cone and of stairs far behind it."""
    guesses = estimator.config.guesses
    estimator.answer.weight.zero_()
    errors = {}
    clip = render(sample_scene(151), 64)
    depth = torch.from_numpy(DepthVideo.from_metric_depth(clip.depth).values)[None]
    true = cameras_of(clip.scene).heading.diff(dim=1)
    for which, chosen in (("alone", 6), ("around", 6 + guesses)):
        estimator.answer.bias.zero_()
        estimator.answer.bias[chosen] = 50
        told = estimator(depth).heading.diff(dim=1)
        errors[which] = ((told - true).abs().mean() / true.abs().mean()).item()
    assert errors["around"] < 0.05
    assert errors["around"] < 0.5 * errors["alone"]


def test_equations_of_frames_around_are_added_up_as_far_as_there_are_any() -> None:
    equations = torch.ones(2, 30, 3, 4, 5)
    equations[:, 20:] = 0
    found = _summed(equations)
    assert found.shape == equations.shape
    counts = found[0, :, 0, 0, 0].round().int().tolist()
    assert counts[:9] == [8, 9, 10, 11, 12, 13, 14, 15, 15]
    assert counts[19:] == [8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]


@torch.no_grad()
def test_after_the_last_frame_the_camera_does_not_stand(estimator: CameraEstimator) -> None:
    seen: list[Tensor] = []
    answered = estimator.answered

    def noted(known: Tensor, told: Tensor, equations: Tensor) -> _Answers:
        seen.append(equations)
        return answered(known, told, equations)

    estimator.answered = noted  # type: ignore[method-assign]
    estimator(torch.rand(1, 4, 64, 64))
    assert len(seen) == 2  # there and back
    for equations in seen:
        assert equations[:, -1].abs().sum() == 0
        assert equations[:, :-1].abs().sum(dim=(0, 2, 3, 4)).min() > 0


@torch.no_grad()
def test_a_clip_seen_backwards_is_the_same_clip(estimator: CameraEstimator) -> None:
    depth = torch.rand(2, 5, 64, 64)
    there, back = estimator(depth), estimator(depth.flip(1)).mapped(lambda value: value.flip(1))
    begun = back.heading[:, :1]
    torch.testing.assert_close(back.heading - begun, there.heading, atol=1e-4, rtol=1e-3)
    steps = turned(back.place.diff(dim=1), -begun)
    torch.testing.assert_close(steps, there.place.diff(dim=1), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(back.height, there.height)


@torch.no_grad()
def test_the_mirror_image_of_a_clip_is_told_as_such(estimator: CameraEstimator) -> None:
    depth = torch.rand(2, 5, 64, 64)
    seen, mirrored = estimator(depth), estimator(depth.flip(3))
    torch.testing.assert_close(mirrored.heading, -seen.heading, atol=1e-4, rtol=1e-3)
    side = torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(mirrored.place * side, seen.place, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(mirrored.focal, seen.focal)


def test_moves_told_backwards_lead_back() -> None:
    standing, moves = torch.full((2, 6), 1.0), 0.3 * torch.randn(2, 6, 3)
    told = _Answers(standing, standing, standing, moves)
    there, back = Cameras.moved(*told), Cameras.moved(*_turned_back(told))
    torch.testing.assert_close(_turned_back(_turned_back(told)).moves[:, :-1], moves[:, :-1])
    steps = turned(back.place.flip(1).diff(dim=1), -back.heading[:, -1:])
    torch.testing.assert_close(steps, there.place.diff(dim=1))


@torch.no_grad()
def test_the_bundled_one_tells_better_than_to_stand_still() -> None:
    bundled = CameraEstimator.from_pretrained(BUNDLED_MODEL / "camera", torch_dtype=torch.float32)
    wrong, moved = [], []
    for seed in (8, 15, 37, 116, 150):
        clip = render(sample_scene(10_000_000 + seed), 64)
        found = bundled(torch.from_numpy(DepthVideo.from_metric_depth(clip.depth).values)[None])
        true = cameras_of(clip.scene).flow(32, 32)
        floor = torch.from_numpy((clip.surfaces[:-1, ::2, ::2] == FLOOR) & (clip.depth[:-1, ::2, ::2] < 10))[
            None
        ]
        wrong.append((found.flow(32, 32) - true).norm(dim=2)[floor].mean().item())
        moved.append(true.norm(dim=2)[floor].mean().item())
    assert np.mean(wrong) < 0.7 * np.mean(moved)


@torch.no_grad()
def test_one_frame_is_a_clip(estimator: CameraEstimator) -> None:
    assert estimator(torch.rand(1, 1, 64, 64)).floor(8, 8).shape == (1, 1, 2, 8, 8)
