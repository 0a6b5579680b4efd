import numpy as np
import pytest
import torch

from makeyourvideo.errors import InputError
from makeyourvideo.models.sketcher import KINDS
from makeyourvideo.training.config import read_config
from makeyourvideo.training.reading import READING, ReadingStage, blur, without_name
from makeyourvideo.training.run import run_stage
from makeyourvideo.training.stills import SEEN
from makeyourvideo.world.captions import GENERIC
from makeyourvideo.world.geometry import FAMILIES


@pytest.fixture
def stage(trained, write_config):
    config = read_config(write_config("reading", batch_size=6, prompt_dropout=0.0), "reading")
    return ReadingStage(config, trained / "data", trained / "sketcher" / "model")


def kinds(*names):
    return {SEEN.index(name) for name in names}


def test_the_reading_learns_and_nothing_else_moves(stage, assert_learns):
    torch.nn.init.normal_(stage.sketcher.names.weight)  # it has forgotten what it said before
    before = {name: tensor.clone() for name, tensor in stage.sketcher.state_dict().items()}
    assert_learns(stage)
    after = stage.sketcher.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == set(READING)


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


def test_what_is_seen_of_a_thing_is_spread_over_shapes_and_all_else_stays():
    seen = torch.rand(2, KINDS, 8, 8).softmax(dim=1)
    seen[:, len(SEEN) :] = 0
    seen /= seen.sum(dim=1, keepdim=True)
    cube, every = tuple(kinds("cube")), tuple(kinds(*FAMILIES))
    blurred, share = blur(seen, (cube, every), np.random.default_rng(0), (1.0, 4.0))
    torch.testing.assert_close(blurred.sum(dim=1), torch.ones(2, 8, 8))
    torch.testing.assert_close(share[0], seen[0, list(cube)])
    torch.testing.assert_close(share[1], seen[1, list(every)].sum(dim=0, keepdim=True))
    outside = [SEEN.index("floor"), SEEN.index("sky")]
    torch.testing.assert_close(blurred[:, outside], seen[:, outside])
    others = [kind for kind in every if kind not in cube]
    assert (blurred[0, others] >= seen[0, others]).all()
    assert blurred[1].std(dim=(1, 2))[list(every)].min() > 0  # it changes from place to place
    kept, nothing = blur(seen, ((), ()), np.random.default_rng(0), (1.0, 4.0))
    assert torch.equal(kept, seen)
    assert not nothing.any()


def test_a_model_without_a_sketcher_is_refused(trained, write_config, tmp_path):
    with pytest.raises(InputError, match="a model with a sketcher"):
        list(
            run_stage(
                "reading", write_config("reading"), tmp_path, trained / "data", trained / "camera" / "model"
            )
        )
