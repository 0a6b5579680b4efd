"""The bundled experts see the world's truth right on scenes that they were not trained on."""

import itertools

import numpy as np
import pytest
import torch

from makeyourvideo.errors import InputError
from makeyourvideo.evaluation.experts import Experts
from makeyourvideo.evaluation.measures import measure
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import sample_scene


@pytest.fixture(scope="module")
def values():
    experts = Experts.load()
    clips = [render(sample_scene(10_000_200 + index).at(slice(4, 6))) for index in range(13)]
    measured = [measure(a.frames, a, b.depth, experts) for a, b in itertools.pairwise(clips)]
    return {name: [value for values in measured for value in values[name]] for name in measured[0]}


@pytest.mark.parametrize("question", ["floor", "sky", "style", "color", "both colors"])
def test_surroundings_and_colours_are_seen_right(values, question):
    assert len(values[question]) >= 3
    assert np.mean(values[question]) > 0.8


def test_finishes_are_mostly_seen_right(values):
    assert np.mean(values["finish"]) > 0.85


def test_an_object_is_looked_at_from_three_distances(monkeypatch):
    """By a judge that says what fills most of what it is shown."""
    experts, shown = Experts.load(), []
    answers = experts.objects.config.questions["finish"]

    def judged(crops):
        shown.append((crops[:, 3] > 0).float().mean(dim=(1, 2)))
        return {"finish": torch.nn.functional.one_hot(torch.full((len(crops),), 2), len(answers)).float()}

    monkeypatch.setattr(experts.objects, "forward", judged)
    frames, masks = np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 64, 64), bool)
    masks[0, 10:50, 20:60], masks[1, 20:40, 20:40] = True, True
    assert experts.finish(frames, masks) == answers[2]
    far, own, near = shown[0].view(3, 2)[[2, 1, 0]]
    assert (far < own).all()
    assert (own < near).all()
    torch.testing.assert_close(near / far, torch.full((2,), (1.15 / 0.88) ** 2), rtol=0.1, atol=0)


def test_the_depth_seen_is_this_scenes_and_not_anothers(values):
    assert np.mean(values["depth error"]) < 0.2
    assert np.mean(values["other depth error"]) > 3 * np.mean(values["depth error"])


def test_missing_experts_are_one_line(tmp_path):
    with pytest.raises(InputError, match="judges"):
        Experts.load(tmp_path)
