import numpy as np
import torch

from makeyourvideo.models.judge import CROP
from makeyourvideo.training.config import read_config
from makeyourvideo.training.judges import _IGNORED, JudgesStage, _looked_at


def test_objects_are_turned_moved_and_resized_a_little():
    rows, columns = torch.meshgrid(*[torch.linspace(-1, 1, CROP)] * 2, indexing="ij")
    inside = ((rows.abs() < 0.6) & (columns.abs() < 0.2)).float()
    crops = torch.stack([inside, -rows * inside, columns * inside, inside * 2 - 1]).repeat(50, 1, 1, 1)
    crops[:, :3] -= 1 - inside
    found = _looked_at(crops, np.random.default_rng(0))
    masks = found[:, 3] > 0
    areas = masks.sum(dim=(1, 2)) / inside.sum()
    assert areas.min() > 0.6
    assert areas.max() < 1.45
    assert areas.std() > 0.1
    middles = torch.stack(
        [(masks * part).sum(dim=(1, 2)) / masks.sum(dim=(1, 2)) for part in (rows, columns)]
    )
    assert middles.abs().max() < 0.15
    assert (middles.std(dim=1) > 0.03).all()
    spread = torch.stack([(masks * part.square()).sum(dim=(1, 2)) for part in (rows, columns)])
    assert (spread[0] > 2 * spread[1]).all()  # none lies on its side
    assert torch.equal(found[:, :, 0, 0], torch.full((50, 4), -1.0))
    colors = found[:, 0][masks]
    assert colors.median() > 0.95  # the picture goes where its mask goes


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
