import pytest
import torch
from torch.nn.functional import pad

from makeyourvideo.models.camera import Cameras
from makeyourvideo.training.camera import (
    CameraStage,
    _from_first,
    _misanswered,
    _misplaced,
    _reordered,
    cameras_of,
)
from makeyourvideo.training.config import read_config
from makeyourvideo.world.scene import sample_scene


@pytest.fixture
def stage(trained, write_config):
    config = read_config(write_config("camera", batch_size=3), "camera")
    return CameraStage(config, trained / "data", trained / "refiner" / "model")


def moving():
    """The cameras of a scene that orbits."""
    seed = next(seed for seed in range(99) if sample_scene(seed).camera_move == "orbit")
    return cameras_of(sample_scene(seed))


def test_the_camera_estimator_learns(stage, assert_learns):
    assert_learns(stage)


def test_true_cameras_cost_nothing_and_those_that_stand_something():
    true = _from_first(moving())
    floor = torch.ones(1, len(true.heading[0]), 64, 64, dtype=torch.bool)
    assert all(error < 1e-5 for error in (*_misplaced(true, true, floor), _misanswered(true, true)))
    stands = Cameras.moved(true.focal, true.pitch, true.height, torch.zeros(1, len(true.heading[0]), 3))
    assert all(error > 0.01 for error in (*_misplaced(stands, true, floor), _misanswered(stands, true)))
    assert _misplaced(stands, true, ~floor) == (0, 0)


def test_the_first_camera_is_where_the_floor_begins():
    told = moving()
    found = _from_first(told)
    assert found.heading[0, 0] == 0
    steps, theirs = (cameras.place.diff(dim=1).norm(dim=-1) for cameras in (found, told))
    torch.testing.assert_close(steps, theirs)
    moves = torch.cat([found.heading.diff(dim=1)[..., None], torch.zeros(1, 15, 2)], dim=-1)
    turns = Cameras.moved(found.focal, found.pitch, found.height, pad(moves, (0, 0, 0, 1)))
    torch.testing.assert_close(turns.heading, found.heading)
    torch.testing.assert_close(turns.place[:, 0], found.place[:, 0])


def test_a_clip_in_a_mirror_or_backward_is_seen_by_other_cameras():
    told = moving()
    as_is = _from_first(told)
    mirrored, backward = (
        _from_first(_reordered(told, torch.tensor([[back]]), torch.tensor([[side]])))
        for back, side in ((False, True), (True, False))
    )
    torch.testing.assert_close(mirrored.heading, -as_is.heading)
    torch.testing.assert_close(mirrored.place, as_is.place * torch.tensor([-1, 1]), atol=1e-4, rtol=0)
    torch.testing.assert_close(backward.heading[:, -1], -as_is.heading[:, -1])
    torch.testing.assert_close(backward.pitch, as_is.pitch.flip(1))


def test_the_camera_estimator_is_added_and_nothing_else_moves(trained):
    before, after = trained / "refiner" / "model", trained / "camera" / "model"
    for file in before.rglob("*.safetensors"):
        assert file.read_bytes() == (after / file.relative_to(before)).read_bytes()
    assert (after / "camera" / "config.json").is_file()


def test_it_goes_on_from_another_one(trained, write_config):
    config = read_config(write_config("camera"), "camera")
    model = trained / "camera" / "model"
    stage = CameraStage(config, trained / "data", trained / "refiner" / "model", start=model)
    fresh = CameraStage(config, trained / "data", trained / "refiner" / "model")
    ours, theirs = (one.camera.state_dict() for one in (stage, fresh))
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)
