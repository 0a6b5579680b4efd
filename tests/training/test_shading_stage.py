import pytest
import torch

from makeyourvideo.training.config import read_config
from makeyourvideo.training.shading import SHADING, ShadingStage


@pytest.fixture
def stage(trained, write_config):
    config = read_config(write_config("shading", batch_size=4, prompt_dropout=0.0), "shading")
    return ShadingStage(config, trained / "data", trained / "sketcher" / "model")


def test_shading_is_learnt_and_nothing_else_moves(stage, assert_learns):
    with torch.no_grad():
        stage.sketcher.colors.bias += 1  # it has forgotten how bright things are
    before = {name: tensor.clone() for name, tensor in stage.sketcher.state_dict().items()}
    assert_learns(stage)
    after = stage.sketcher.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == set(SHADING)
