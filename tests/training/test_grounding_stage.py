import numpy as np
import pytest
import torch

from makeyourvideo.errors import InputError
from makeyourvideo.training.config import read_config
from makeyourvideo.training.data import step_generator
from makeyourvideo.training.grounding import GroundingStage
from makeyourvideo.world.colors import COLORS
from makeyourvideo.world.finishes import FINISHES
from makeyourvideo.world.geometry import FAMILIES


def test_the_grounding_is_told_what_stands_where(trained, write_config):
    config = read_config(write_config("grounding"), "grounding")
    stage = GroundingStage(config, trained / "data", trained / "autoencoder" / "model")
    for scene in range(len(stage.data["stills"])):
        things, surfaces = stage.data["stills"].scene(scene).things, stage.data["stills"].surfaces[scene][0]
        labels = stage._labels("stills", scene)
        assert labels.shape == (3, 4, 4)
        for row, column in np.ndindex(4, 4):
            patch = surfaces[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            shares = [(patch == number).mean() for number in range(1, len(things) + 1)]
            family, color, finish = labels[:, row, column]
            if max(shares) <= 0.35:
                assert (family, color, finish) == (0, -100, -100)
                continue
            thing = things[int(np.argmax(shares))]
            assert [None, *FAMILIES][family] == thing.family
            assert [None, *COLORS][color] == thing.color
            assert FINISHES[finish] == thing.finish


def test_the_grounding_learns(trained, write_config):
    config = read_config(write_config("grounding", batch_size=6, prompt_dropout=0.0), "grounding")
    stage = GroundingStage(config, trained / "data", trained / "autoencoder" / "model")
    optimizer = torch.optim.Adam([one for one in stage.modules.parameters() if one.requires_grad], lr=1e-2)
    losses = []
    for _ in range(30):
        loss = stage.loss(0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_sentences_are_read_without_their_pictures(trained, write_config):
    config = read_config(write_config("grounding", prompt_dropout=0.0), "grounding")
    stage = GroundingStage(config, trained / "data", trained / "autoencoder" / "model")
    stage._depth = None  # it may not be asked for
    losses = [stage._reading(step_generator(config, step)) for step in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    losses[0].backward()
    grounding = stage.unet.grounding
    assert grounding.names.weight.grad.any()
    assert grounding.words.weight.grad.any()
    assert all(
        parameter.grad is None for parameter in (*grounding.look.parameters(), *grounding.kinds.parameters())
    )


def test_a_grounding_needs_a_network_that_has_one(trained, write_config):
    unet = read_config(write_config("grounding"), "grounding").unet | {"grounding_channels": 0}
    config = read_config(write_config("grounding", unet=unet, trains=["unet"]), "grounding")
    with pytest.raises(InputError, match="grounding_channels"):
        GroundingStage(config, trained / "data", trained / "autoencoder" / "model")
