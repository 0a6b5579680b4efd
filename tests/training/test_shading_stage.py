import pytest
import torch

from makeyourvideo.training.config import read_config
from makeyourvideo.training.shading import SHADING, ShadingStage


@pytest.fixture
def stage(trained, write_config):
    config = read_config(write_config("shading", batch_size=4, prompt_dropout=0.0), "shading")
    return ShadingStage(config, trained / "data", trained / "sketcher" / "model")


def test_shading_is_learnt_and_nothing_else_moves(stage):
    with torch.no_grad():
        stage.sketcher.colors.bias += 1  # it has forgotten how bright things are
    before = {name: tensor.clone() for name, tensor in stage.sketcher.state_dict().items()}
    trained = [one for one in stage.modules.parameters() if one.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-2)
    losses = []
    for _ in range(30):
        loss = stage.loss(0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    after = stage.sketcher.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == set(SHADING)
