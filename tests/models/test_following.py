"""Objects followed through clips, against how the renderer turns them."""

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from makeyourvideo.models.camera import CameraEstimator, Cameras
from makeyourvideo.models.following import Followed, Follower, headings_of
from makeyourvideo.models.segments import segmented
from makeyourvideo.pipeline import BUNDLED_MODEL
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.training.camera import cameras_of
from makeyourvideo.world.render import Clip, render
from makeyourvideo.world.scene import Scene, WorldConfig, sample_scene


@cache
def clips(family: str, move: str, count: int = 3) -> list[Clip]:
    """The first scenes of one such thing that moves so, before a camera that stands or goes round it."""
    world = WorldConfig(objects={1: 1.0}, families={family: 1.0}, num_frames=8)
    scenes = (sample_scene(seed, world) for seed in range(400))
    chosen = [
        scene
        for scene in scenes
        if scene.things[0].move == move and scene.camera_move in ("orbit", "stand") and not scene.hills
    ]
    return [render(scene, 64) for scene in chosen[:count]]


def depth_of(clip: Clip) -> Tensor:
    return torch.from_numpy(DepthVideo.from_metric_depth(clip.depth).values)[None]


def standing(frames: int) -> Cameras:
    """What is told where nobody knows how the camera moves."""
    return Cameras.moved(
        *(torch.full((1, frames), part) for part in (1.5, 0.4, 1.0)), torch.zeros(1, frames, 3)
    )


def followed(clip: Clip, cameras: Cameras | None = None) -> Followed:
    follower, depth = Follower(), depth_of(clip)
    list(follower.watch(depth.split(3, dim=1)))
    return follower.followed(cameras or standing(depth.shape[1]))


def true_turn(scene: Scene) -> float:
    """How far the camera has turned to the right, as the object has it, from the first to the last frame."""
    poses, heading = scene.things[0].poses, cameras_of(scene).heading[0].numpy()
    yaw = np.arctan2(-poses[:, 2, 0], poses[:, 0, 0])
    return float(np.unwrap(heading - yaw)[-1] - (heading - yaw)[0])


@pytest.mark.parametrize("family", ["cube", "star"])
@pytest.mark.parametrize("move", ["spin", "still"])
def test_the_camera_heads_as_an_object_has_it(family: str, move: str) -> None:
    """Though the camera is told to stand."""
    assert len(clips(family, move)) == 3
    for clip in clips(family, move):
        turn = followed(clip).turn[0, :, 0]
        assert turn[0] == 0
        true = true_turn(clip.scene)
        assert turn[-1].item() == pytest.approx(true, abs=0.1 + 0.4 * abs(true))


@torch.no_grad()
def test_what_is_round_turns_as_the_camera_is_told_to() -> None:
    """Nobody could tell that it spins."""
    bundled = CameraEstimator.from_pretrained(BUNDLED_MODEL / "camera", torch_dtype=torch.float32)
    strayed = []
    for family in ("ball", "cylinder", "cone"):
        for clip in clips(family, "spin"):
            cameras = bundled(depth_of(clip))
            strayed.append(followed(clip, cameras).turn[0, :, 0].abs().max())
            assert abs(true_turn(clip.scene)) > 0.3
    assert torch.stack(strayed).median() < 0.05
    assert max(strayed) < 0.2


def test_parts_of_a_clip_are_followed_as_the_whole() -> None:
    (clip,) = clips("cube", "spin", 1)
    whole, parts = Follower(), Follower()
    depth = depth_of(clip)
    assert torch.equal(next(iter(whole.watch([depth]))), depth)
    list(parts.watch(depth.split([1, 4, 3], dim=1)))
    for one, other in zip(*(seen.followed(standing(8)) for seen in (whole, parts)), strict=True):
        torch.testing.assert_close(one, other)


def test_one_frame_alone_is_seen_as_it_stands() -> None:
    (clip,) = clips("cube", "spin", 1)
    found = followed(clip.at(slice(1)))
    assert found.turn.shape == found.size.shape == (1, 1, 8)
    assert not found.turn.any()


def test_samples_of_a_batch_are_followed_each_as_alone() -> None:
    depths = [depth_of(clip) for clip in clips("cube", "spin", 2)]
    together = Follower()
    list(together.watch(torch.cat(depths).split(3, dim=1)))
    cameras = standing(8)
    found = together.followed(Cameras.joined([cameras, cameras]))
    for sample, clip in enumerate(clips("cube", "spin", 2)):
        for one, other in zip(found, followed(clip), strict=True):
            torch.testing.assert_close(one[sample : sample + 1], other, atol=1e-4, rtol=1e-3)


def test_an_object_that_is_lost_begins_anew_and_one_that_is_hidden_in_part_goes_on() -> None:
    (clip,) = clips("cube", "spin", 1)
    depth = depth_of(clip).clone()
    floor = depth.amin(dim=(1, 3), keepdim=True)[0].expand(1, 64, 64)[0]
    whole = followed(clip).turn[0, :, 0]
    columns = (clip.surfaces[4] == 1).any(axis=0).nonzero()[0]
    half = depth.clone()
    half[0, 4, :, columns.mean().astype(int) :] = floor[:, columns.mean().astype(int) :]
    depth[0, 4] = floor
    for some, least, most in ((depth, 0.0, 0.7), (half, 0.55, 1.0)):
        follower = Follower()
        list(follower.watch([some]))
        found = follower.followed(standing(8)).turn[0, -1, 0]
        assert least * whole[-1].abs() <= found.abs() <= most * whole[-1].abs()


def test_a_face_that_looks_straight_at_the_camera_tells_nothing_but_breaks_nothing() -> None:
    up = (63 - 2 * torch.arange(64)) / 64
    near = (0.1 * (0.5 - up)).clamp(min=0)[:, None].repeat(1, 64)
    near[10:50, 8:56] = 0.9
    follower = Follower()
    list(follower.watch([(2 * near - 1)[None, None].expand(1, 4, -1, -1)]))
    assert follower.followed(standing(4)).turn.abs().max() < 1e-3


def test_pixels_are_turned_as_the_nearest_followed_object() -> None:
    objects = torch.zeros(1, 2, 8, 8)
    objects[0, 0, 4:6, 0:2] = 1
    objects[0, 1, 4:6, 6:8] = 1
    place = torch.tensor([[[-0.2, 0.76], [-0.2, 0.0], [-0.25, -0.75]]])
    tracks = Followed(place, torch.tensor([[4.0, 4.0, 0.0]]), torch.tensor([[0.5, 7.0, 8.0]]))
    found = headings_of(objects, tracks, torch.tensor([0.1]))[0]
    assert found[4, 6].item() == found[3, 7].item() == pytest.approx(0.6)  # and beside it
    assert found[4, 0].item() == pytest.approx(0.1)  # what was followed there is gone
    assert found[0, 0].item() == pytest.approx(0.1)


def test_followed_frames_without_contents_have_their_shapes() -> None:
    follower = Follower()
    list(follower.watch([torch.empty(1, 3, 128, 128, device="meta")]))
    cameras = standing(3).mapped(lambda value: value.to("meta"))
    found = follower.followed(cameras)
    assert found.turn.shape == (1, 3, 8)
    objects = segmented(torch.empty(3, 1, 64, 64, device="meta")).objects
    own = Followed(*(part[0] for part in found))
    assert headings_of(objects, own, cameras.heading[0]).shape == (3, 64, 64)
