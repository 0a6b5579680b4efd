import numpy as np
import pytest
import torch

from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.training.config import read_config
from makeyourvideo.training.data import step_generator
from makeyourvideo.training.sketcher import LOOKS, SEEN, SketcherStage, _mirrored, _mislocated


@pytest.fixture
def stage(trained, write_config):
    config = read_config(write_config("sketcher", batch_size=6, prompt_dropout=0.0), "sketcher")
    return SketcherStage(config, trained / "data", trained / "refiner" / "model")


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


def test_the_sketcher_learns(stage):
    optimizer = torch.optim.Adam([one for one in stage.modules.parameters() if one.requires_grad], lr=1e-2)
    losses = []
    for _ in range(30):
        loss = stage.loss(0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_right_picture_costs_nothing_and_objects_count_more(stage):
    pictures, objects = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    objects[..., 0, 0] = True
    assert stage._mispainted(pictures, pictures, objects) == 0
    object_off, floor_off = pictures.clone(), pictures.clone()
    object_off[..., :8, :8] += 1
    floor_off[..., -8:, -8:] += 1
    on_object, on_floor = (stage._mispainted(off, pictures, objects) for off in (object_off, floor_off))
    torch.testing.assert_close(on_object - on_floor, torch.tensor(stage.config.object_weight / 16))


def test_points_are_right_up_to_quarter_turns_of_each_object():
    points, surfaces = torch.rand(2, 3, 4, 4) + 0.5, torch.ones(2, 1, 4, 4, dtype=torch.int8)
    surfaces[..., 2:] = 2
    turned = torch.stack([points[:, 2], points[:, 1], -points[:, 0]], dim=1)
    mixed = torch.where(surfaces == 1, points, turned)
    for right in (points, turned, mixed):
        assert _mislocated(right, points, surfaces) == 0
    turned_within = torch.where(surfaces == 1, points.roll(1, dims=0), points)
    upside_down = points * torch.tensor([1, -1, 1])[:, None, None]
    for wrong in (turned_within, upside_down, points.roll(1, dims=3)):
        assert _mislocated(wrong, points, surfaces) > 0.01
    nothing = torch.zeros_like(surfaces)
    for empty in (nothing, nothing - 1):
        assert _mislocated(torch.rand_like(points), points, empty) == 0


def test_a_mirrored_object_is_right_in_its_mirror_image():
    points = torch.rand(2, 3, 4, 4)
    some = torch.tensor([True, False])[:, None, None, None]
    mirrored = _mirrored(points, some)
    assert torch.equal(mirrored[0], points[0] * torch.tensor([-1, 1, 1])[:, None, None])
    assert torch.equal(mirrored[1], points[1])


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
    before, after = trained / "refiner" / "model", trained / "sketcher" / "model"
    for file in before.rglob("*.safetensors"):
        assert file.read_bytes() == (after / file.relative_to(before)).read_bytes()
    assert MakeYourVideoPipeline.from_pretrained(before).sketcher is None
    assert MakeYourVideoPipeline.from_pretrained(after).sketcher is not None


def test_it_goes_on_from_another_one(trained, write_config):
    config = read_config(write_config("sketcher"), "sketcher")
    model = trained / "sketcher" / "model"
    stage = SketcherStage(config, trained / "data", trained / "refiner" / "model", start=model)
    known = MakeYourVideoPipeline.from_pretrained(model).sketcher.state_dict()
    assert all(torch.equal(tensor, known[name]) for name, tensor in stage.sketcher.state_dict().items())
