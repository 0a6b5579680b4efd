import numpy as np
import torch
from torch.nn.functional import cross_entropy

from makeyourvideo.models.judge import CROP, turned
from makeyourvideo.training.config import read_config
from makeyourvideo.training.judges import _IGNORED, JudgesStage, _looked_at, _wrong


def test_objects_are_turned_moved_and_resized_a_little():
    rows, columns = torch.meshgrid(*[torch.linspace(-1, 1, CROP)] * 2, indexing="ij")
    inside = ((rows.abs() < 0.6) & (columns.abs() < 0.2)).float()
    crops = torch.stack([inside, inside, inside, inside]).repeat(50, 1, 1, 1) * 2 - 1
    found = _looked_at(crops, np.random.default_rng(0))
    masks = found[:, 3] > 0
    areas = masks.sum(dim=(1, 2)) / inside.sum()
    assert areas.min() > 0.6
    assert areas.max() < 1.45
    assert areas.std() > 0.1
    places = torch.stack([rows, columns])[:, None]
    middles = (masks * places).sum(dim=(2, 3)) / masks.sum(dim=(1, 2))
    assert middles.abs().max() < 0.15
    assert (middles.std(dim=1) > 0.03).all()
    down, across = masks * (places - middles[..., None, None])
    spread = (down * down - across * across).sum(dim=(1, 2)), 2 * (down * across).sum(dim=(1, 2))
    turns = torch.atan2(spread[1], spread[0]) / 2  # of the axis that it is long along
    assert 0.05 < turns.std() < 0.35
    assert turns.abs().max() < np.deg2rad(22)
    assert torch.equal(found[:, :, 0, 0], torch.full((50, 4), -1.0))
    assert found[:, 0][masks].median() > 0.95  # the picture goes where its mask goes


def test_crops_are_looked_at_as_asked():
    crops, half = torch.rand(1, 4, CROP, CROP) * 2 - 1, torch.full((1,), 0.5)
    none, straight = torch.zeros(1), torch.zeros(1, 2)
    torch.testing.assert_close(turned(crops, none, 2 * half, straight), crops, atol=1e-4, rtol=0)
    quarter = turned(crops, torch.full((1,), np.pi / 2), 2 * half, straight)
    torch.testing.assert_close(quarter, crops.rot90(1, (2, 3)), atol=1e-4, rtol=0)
    near = turned(crops, none, half, straight)
    torch.testing.assert_close(near[..., ::2, ::2].mean(), crops[..., 16:48, 16:48].mean(), atol=0.02, rtol=0)
    aside = turned(crops, none, 2 * half, torch.tensor([[0.5, 0.0]]))
    torch.testing.assert_close(aside[..., :48], crops[..., 16:], atol=1e-4, rtol=0)
    assert torch.equal(aside[..., 49:], torch.full((1, 4, CROP, 15), -1.0))
    with torch.autocast("cpu", torch.bfloat16):
        in_training = turned(crops, half, half, straight)
    assert torch.equal(in_training, turned(crops, half, half, straight))


def test_one_picture_in_three_is_asked_about_as_a_whole_and_some_have_no_answer(
    trained, write_config, monkeypatch
):
    config = read_config(write_config("judges", batch_size=6, scene_batch_size=2), "judges")
    stage = JudgesStage(config, trained / "data")
    asked = []
    stage.judges["scenes"].register_forward_hook(lambda _, given, __: asked.append(given[0].shape))
    with_answers = stage.loss(0)
    assert asked == [(2, 3, 32, 32)]
    monkeypatch.setattr(
        "makeyourvideo.training.judges.scene_answers",
        lambda _: {"floor": _IGNORED, "sky": _IGNORED, "style": 0},
    )
    without = stage.loss(0)
    assert torch.isfinite(without)
    assert without < with_answers
    logits = torch.randn(3, 5)
    assert _wrong(logits, torch.tensor([_IGNORED] * 3)) == 0
    some = torch.tensor([4, _IGNORED, 0])
    torch.testing.assert_close(_wrong(logits, some), cross_entropy(logits[::2], some[::2]))


def test_a_config_says_how_wide_and_deep_the_judges_are(trained, write_config):
    config = read_config(
        write_config("judges", objects={"widths": [8, 16], "depth": 2, "dropout": 0.5}), "judges"
    )
    stage = JudgesStage(config, trained / "data")
    objects, scenes = stage.judges["objects"], stage.judges["scenes"]
    assert [len(part) for part in objects.branches] == [2, 2]
    assert len(scenes.branches) == 4
    pictures = torch.rand(2, 4, CROP, CROP)
    assert not torch.equal(objects(pictures)["finish"], objects(pictures)["finish"])
    objects.eval()
    assert torch.equal(objects(pictures)["finish"], objects(pictures)["finish"])
