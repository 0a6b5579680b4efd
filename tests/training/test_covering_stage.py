import shutil

import numpy as np
import pytest
import torch

from makeyourvideo.errors import InputError
from makeyourvideo.models.segments import Segments
from makeyourvideo.models.sketcher import KINDS, Sketcher
from makeyourvideo.training.config import read_config
from makeyourvideo.training.covering import (
    COVERINGS,
    CoveringStage,
    Surfaces,
    spread_over_shapes,
    without_name,
)
from makeyourvideo.training.run import run_stage
from makeyourvideo.training.shading import SHADING, ShadingStage
from makeyourvideo.training.sketcher import miscovered, surfaces_of, told_of
from makeyourvideo.training.stills import SEEN, answers_of
from makeyourvideo.training.sun import READING, SunStage
from makeyourvideo.world.captions import GENERIC
from makeyourvideo.world.geometry import FAMILIES
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


def kinds(*names):
    return {SEEN.index(name) for name in names}


def test_reading_and_coverings_learn_and_nothing_else_moves(stage, assert_learns):
    for part in ("cover", "pave"):
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
        ("shading", ShadingStage, SHADING),
        ("sun", SunStage, READING),
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
    shutil.copytree(model, tmp_path, dirs_exist_ok=True)
    other.save_pretrained(tmp_path / "sketcher")
    config = read_config(write_config(name), name)
    begun = kind(config, trained / "data", model, tmp_path).sketcher.state_dict()
    for name, weight in begun.items():
        wanted = other if name.split(".")[0] in parts else before
        assert torch.equal(weight, wanted.state_dict()[name]), name


def test_segments_are_asked_about_as_they_are_seen_and_surfaces_as_they_are(stage):
    _, drawn, _ = stage.draw(0)
    asked = stage.surfaces(drawn)
    assert asked.still.unique().tolist() == list(range(len(drawn)))
    exact = asked.kinds.softmax(dim=1).max(dim=1)
    is_exact = exact.values > 1 - 1e-6
    torch.testing.assert_close(exact.indices[is_exact], asked.told[is_exact, 0])
    answers = [stage.stills.answers(name, scene) for name, scene, _ in drawn]
    assert is_exact.sum() == sum(map(len, answers))
    assert (~is_exact).sum() > len(drawn)  # most have a floor and an object that are seen
    for still, known in enumerate(answers):
        own = asked.told[asked.still == still].tolist()
        assert all(one in own for one in known.tolist())
        assert all(one in known.tolist() for one in own)


def test_a_segment_of_several_surfaces_is_not_asked_about(stage, monkeypatch):
    _, drawn, _ = stage.draw(0)
    whole = torch.ones(len(drawn), 1, *stage.data["stills"].depth[0].shape[1:])
    monkeypatch.setattr(
        "makeyourvideo.training.covering.segmented",
        lambda _: Segments(whole.expand(-1, 8, -1, -1) * 0, whole, 0 * whole),
    )
    asked = stage.surfaces(drawn)
    several = len(asked.kinds) - sum(len(stage.stills.answers(name, scene)) for name, scene, _ in drawn)
    assert 0 <= several < len(drawn)


def test_the_only_thing_may_be_any_shape_when_its_name_is_gone():
    said, taken_for = without_name("an orange armchair on a brick floor at night", np.random.default_rng(0))
    assert said in {f"an orange {word} on a brick floor at night" for word in GENERIC}
    assert set(taken_for) == kinds(*FAMILIES)
    said, _ = without_name("an armchair on snow", np.random.default_rng(0))
    assert said in {"an object on snow", "a shape on snow", "a thing on snow"}
    assert without_name("on a stone floor at night", np.random.default_rng(0)) == (
        "on a stone floor at night",
        (),
    )


def test_of_several_things_one_loses_its_name_and_that_one_is_meant():
    caption, rng = "a red cube and a stone lantern on grass", np.random.default_rng(0)
    found = {without_name(caption, rng) for _ in range(60)}
    assert {said: set(taken_for) for said, taken_for in found} == {
        **{f"a red {word} and a stone lantern on grass": kinds("cube") for word in GENERIC},
        **{
            f"a red cube and {word} on grass": kinds("lantern")
            for word in ("an object", "a shape", "a thing")
        },
    }


def test_what_is_seen_of_a_thing_without_a_name_is_spread_over_shapes(stage):
    names = ["cube", "lantern", "floor"]
    told = torch.full((6, 6), -1)
    told[:, 0] = torch.tensor([SEEN.index(name) for name in names] * 2)
    asked = Surfaces(torch.randn(6, KINDS), told, torch.tensor([0, 0, 0, 1, 1, 1]))
    captions = ["a red cube and a stone lantern on grass", "on grass"]
    stage.config = stage.config.model_copy(update={"unnamed": 1.0})
    changed, spread = stage.unnamed(np.random.default_rng(0), captions, asked)
    meant = 1 if "cube" in changed[0] else 0
    assert names[meant] not in changed[0]
    assert changed[1] == captions[1]
    others = [row for row in range(6) if row != meant]
    assert torch.equal(spread.kinds[others], asked.kinds[others])
    likely = spread.kinds[meant].softmax(dim=0)
    assert likely[sorted(kinds(*FAMILIES))].sum() > 0.999
    assert likely.max() < 0.9
    stage.config = stage.config.model_copy(update={"unnamed": 0.0})
    kept, same = stage.unnamed(np.random.default_rng(0), captions, asked)
    assert kept == captions
    assert torch.equal(same.kinds, asked.kinds)


def test_shapes_are_spread_as_sharply_as_is_asked():
    dull, sharp = (
        spread_over_shapes(np.random.default_rng(0), 40, (least, least)).softmax(dim=1)
        for least in (1.0, 4.0)
    )
    assert dull.shape == sharp.shape == (40, KINDS)
    assert dull.amax(dim=1).mean() < 0.3 < 0.5 < sharp.amax(dim=1).mean()


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
    assert stage.strayed(found, found, told, np.random.default_rng(0)) < 1e-9
    with torch.no_grad():
        stage.sketcher.pave.albedo.bias += 0.2  # of floors alone
        stage.sketcher.cover.albedo.bias += 0.1
    strayed = stage.strayed(found, found, told, np.random.default_rng(0)).item()
    assert strayed == pytest.approx(0.01, rel=1e-3)


def test_a_model_without_a_sketcher_is_refused(trained, write_config, tmp_path):
    with pytest.raises(InputError, match="a model with a sketcher"):
        list(
            run_stage(
                "covering", write_config("covering"), tmp_path, trained / "data", trained / "camera" / "model"
            )
        )
