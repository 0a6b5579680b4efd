import numpy as np
import pytest
import torch

from makeyourvideo.errors import InputError
from makeyourvideo.models.sketcher import Sketcher, upright
from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.training.config import read_config
from makeyourvideo.training.data import step_generator
from makeyourvideo.training.run import run_stage
from makeyourvideo.training.sketcher import (
    LOOKS,
    SEEN,
    Placed,
    SketcherStage,
    _turns,
    _upright_turns,
    standing_in,
)
from makeyourvideo.world.scene import sample_scene


@pytest.fixture
def stage(trained, write_config):
    config = read_config(write_config("sketcher", batch_size=6, prompt_dropout=0.0), "sketcher")
    return SketcherStage(config, trained / "data", trained / "camera" / "model")


def test_the_sketcher_is_told_what_stands_where(stage):
    for scene in range(len(stage.data["stills"])):
        things, surfaces = stage.data["stills"].scene(scene).things, stage.data["stills"].surfaces[scene][0]
        labels = stage._labels("stills", scene)
        world = stage.data["stills"].scene(scene)
        assert labels.shape == (6, 4, 4)
        for row, column in np.ndindex(4, 4):
            patch = surfaces[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            shares = [(patch == number).mean() for number in range(1, len(things) + 1)]
            what, *looks = labels[:, row, column]
            said = {
                question: known[answer]
                for (question, known), answer in zip(LOOKS.items(), looks, strict=True)
                if answer != -100
            }
            if max(shares) > 0.35:
                thing = things[int(np.argmax(shares))]
                assert SEEN[what] == thing.family
                assert said == {"color": thing.color, "finish": thing.finish, "style": world.style}
            else:
                is_sky = (patch == -1).mean() > (patch == 0).mean()
                name = "sky" if is_sky else "floor"
                assert SEEN[what] == name
                assert said == {name: getattr(world, name), "style": world.style}


def test_the_sketcher_learns(stage, assert_learns):
    assert_learns(stage)


def test_a_right_picture_costs_nothing_and_objects_count_more(stage):
    pictures, objects = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    objects[..., 0, 0] = True
    assert stage._mispainted(pictures, pictures, objects) == 0
    object_off, floor_off = pictures.clone(), pictures.clone()
    object_off[..., :8, :8] += 1
    floor_off[..., -8:, -8:] += 1
    on_object, on_floor = (stage._mispainted(off, pictures, objects) for off in (object_off, floor_off))
    torch.testing.assert_close(on_object - on_floor, torch.tensor(stage.config.object_weight / 16))


def test_points_are_told_in_the_same_quarter_turn_from_everywhere():
    """As a camera goes round a cube, whose sides look alike, and a ball, all of whose sides do."""
    tilt = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    found = []
    for around in np.linspace(0, 6, 9):
        poses = _upright_turns(np.array([0.3, 2.0]) - around)
        poses[1] = poses[1] @ tilt  # it has rolled
        turns = _turns(poses, np.array([False, True]), np.float64(around))
        seen = torch.from_numpy(turns @ [1.0, 0.5, 0.2])[..., None, None]
        found.append(upright(seen, torch.full((2, 1, 1), around, dtype=torch.double)))
    cube, ball = torch.stack(found)[..., 0, 0].unbind(dim=1)
    torch.testing.assert_close(cube, torch.tensor([[1.0, 0.5, 0.2]]).double().expand_as(cube))
    torch.testing.assert_close(ball, ball[:1].expand_as(ball))


def test_points_in_the_world_are_told_as_the_camera_sees_them():
    scene = sample_scene(3)
    standing = standing_in(scene)
    offset = scene.things[0].poses[0, :3, :3] @ [1.0, 0.5, 0.2]
    right = scene.cameras[0, :3, 0]
    ahead = np.cross(right, [0, 1, 0])
    np.testing.assert_allclose(
        standing.poses[0] @ [1.0, 0.5, 0.2], [offset @ right, offset[1], offset @ ahead], atol=1e-6
    )
    sun = np.array([np.cos(scene.sun_azimuth), 0, np.sin(scene.sun_azimuth)])
    np.testing.assert_allclose(standing.sun, [sun @ right, sun @ ahead], atol=1e-6)


def test_a_mirrored_still_has_its_patterns_in_the_mirror_and_all_else_the_right_way_round():
    points, wanted = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    floor, surfaces = torch.rand(2, 2, 4, 4), torch.arange(32).view(2, 1, 4, 4)
    placed = Placed(points, wanted, floor, surfaces, heading=torch.rand(2), sun=torch.rand(2, 2))
    found = placed.mirrored(torch.tensor([True, False])[:, None, None, None])
    for ours, theirs in zip(found, placed, strict=True):
        assert torch.equal(ours[1], theirs[1])
    for ours, theirs in zip(found[:4], placed[:4], strict=True):
        side = torch.tensor([-1, 1, 1])[:, None, None] if theirs is wanted else 1
        assert torch.equal(ours[0], theirs[0].flip(2) * side)
    assert found.heading[0] == -placed.heading[0]
    assert torch.equal(found.sun[0], placed.sun[0] * torch.tensor([-1, 1]))


def test_sentences_are_read_without_their_pictures(stage, monkeypatch):
    monkeypatch.setattr("makeyourvideo.training.sketcher.depth_of", None)  # it may not be asked for
    losses = [stage._reading(step_generator(stage.config, step)) for step in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    losses[0].backward()
    sketcher = stage.sketcher
    assert sketcher.names.weight.grad.any()
    assert sketcher.words.weight.grad.any()
    unasked = (sketcher.look, sketcher.kinds, sketcher.paint, sketcher.locate, sketcher.light)
    assert all(parameter.grad is None for part in unasked for parameter in part.parameters())


def test_the_sketcher_is_added_and_nothing_else_moves(trained):
    before, after = trained / "camera" / "model", trained / "sketcher" / "model"
    for file in before.rglob("*.safetensors"):
        assert file.read_bytes() == (after / file.relative_to(before)).read_bytes()
    assert MakeYourVideoPipeline.from_pretrained(before).sketcher is None
    assert MakeYourVideoPipeline.from_pretrained(after).sketcher is not None


def test_a_sketcher_needs_a_camera_beside_it(trained, write_config, tmp_path):
    config = write_config("sketcher", steps=1)
    with pytest.raises(InputError, match="a model with a camera"):
        list(run_stage("sketcher", config, tmp_path, trained / "data", trained / "refiner" / "model"))


def test_it_goes_on_from_another_one(trained, write_config):
    config = read_config(write_config("sketcher"), "sketcher")
    model = trained / "sketcher" / "model"
    stage = SketcherStage(config, trained / "data", trained / "camera" / "model", start=model)
    known = Sketcher.from_pretrained(model / "sketcher").state_dict()
    assert all(torch.equal(tensor, known[name]) for name, tensor in stage.sketcher.state_dict().items())
