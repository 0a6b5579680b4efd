import numpy as np
import pytest
import torch

from makeyourvideo.errors import InputError
from makeyourvideo.models.sketcher import Sketcher
from makeyourvideo.training.config import read_config
from makeyourvideo.training.covering import COVERINGS, CoveringStage
from makeyourvideo.training.reading import READING, ReadingStage
from makeyourvideo.training.run import run_stage
from makeyourvideo.training.shading import SHADING, ShadingStage
from makeyourvideo.training.sketcher import miscovered, surfaces_of, told_of
from makeyourvideo.training.stills import answers_of
from makeyourvideo.world.scene import WorldConfig, sample_scene


@pytest.fixture
def stage(trained, write_config):
    settings = {"batch_size": 6, "prompt_dropout": 0.0, "points": 64, "held_weight": 1.0}
    config = read_config(write_config("covering", **settings), "covering")
    return CoveringStage(config, trained / "data", trained / "sketcher" / "model")


@pytest.fixture
def surfaces(stage):
    """What a wooden, a plain and a striped thing are, their skies and floors, and what is read about them."""
    scenes = [sample_scene(seed, WorldConfig(objects={1: 1.0}), 1) for seed in range(60)]
    chosen = [
        next(s for s in scenes if s.things[0].finish == name) for name in ("wooden", "plain", "striped")
    ]
    told, kinds, context = told_of([answers_of(scene) for scene in chosen], torch.zeros(3, 4, 32))
    with torch.no_grad():
        return told, stage.sketcher.about(kinds, context)


def test_the_coverings_learn_and_nothing_else_moves(stage, assert_learns):
    for part in COVERINGS:
        torch.nn.init.normal_(stage.sketcher.get_submodule(part).albedo.weight)  # it has forgotten them
    before = {name: tensor.clone() for name, tensor in stage.sketcher.state_dict().items()}
    assert_learns(stage)
    after = stage.sketcher.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == set(COVERINGS)


@pytest.mark.parametrize(
    ("name", "kind", "parts"),
    [
        ("covering", CoveringStage, COVERINGS),
        ("reading", ReadingStage, READING),
        ("shading", ShadingStage, SHADING),
    ],
)
def test_it_begins_with_another_one_s_trained_parts_and_with_no_others(
    trained, write_config, tmp_path, name, kind, parts
):
    model = trained / "sketcher" / "model"
    before = Sketcher.from_pretrained(model / "sketcher")
    other = Sketcher.from_pretrained(model / "sketcher")
    with torch.no_grad():
        for weight in other.parameters():
            weight += 1
    other.save_pretrained(tmp_path / "sketcher")
    config = read_config(write_config(name), name)
    begun = kind(config, trained / "data", model, tmp_path).sketcher.state_dict()
    for name, weight in begun.items():
        wanted = other if name.split(".")[0] in parts else before
        assert torch.equal(weight, wanted.state_dict()[name]), name


def test_objects_and_floors_are_told_apart(surfaces):
    told, _ = surfaces
    things, floors = surfaces_of(told)
    assert things.tolist() == [False, False, True] * 3  # sky, floor, thing
    assert floors.tolist() == [False, True, False] * 3


def test_errors_are_each_surface_s_own_and_so_is_how_much_it_varies(stage, surfaces):
    told, found = surfaces
    with torch.no_grad():
        (errors, varies), (paved, _) = miscovered(stage.sketcher, found, told, np.random.default_rng(0), 200)
        alone, _ = miscovered(stage.sketcher, found[:3], told[:3], np.random.default_rng(0), 200)
    assert errors.shape == varies.shape == paved.shape == (3,)
    torch.testing.assert_close(errors[:1], alone[0])
    wooden, plain, striped = varies.tolist()
    assert plain < 1e-9 < 0.003 < wooden < 0.05 < 0.2 < striped


def test_what_covers_the_sky_is_held(stage, surfaces):
    told, found = surfaces
    assert stage._strayed(found, told, np.random.default_rng(0)) < 1e-9
    with torch.no_grad():
        stage.sketcher.pave.albedo.bias += 0.2  # of floors alone
        stage.sketcher.cover.albedo.bias += 0.1
    strayed = stage._strayed(found, told, np.random.default_rng(0)).item()
    assert strayed == pytest.approx(0.01, rel=1e-3)


def test_a_model_without_a_sketcher_is_refused(trained, write_config, tmp_path):
    with pytest.raises(InputError, match="a model with a sketcher"):
        list(
            run_stage(
                "covering", write_config("covering"), tmp_path, trained / "data", trained / "camera" / "model"
            )
        )
