import json

import numpy as np
import pytest

from makeyourvideo.errors import InputError
from makeyourvideo.evaluation.measures import MEASURES, measure
from makeyourvideo.evaluation.report import cell, read_summary, report
from makeyourvideo.evaluation.suite import mean_with_interval, read_scores, suite_scene
from makeyourvideo.world.geometry import HELD_OUT_FAMILIES
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import WorldConfig, sample_scene

SYSTEMS = ["ground truth", "through the autoencoder", "model", "temporal layers off"]


@pytest.mark.filterwarnings("ignore:the text is longer")  # the tiny model reads twelve tokens
def test_a_stopped_suite_goes_on_and_ends_with_the_same_scores(model_folder, experts, tmp_path):
    for _ in report(model_folder, 1, tmp_path / "whole", experts):
        pass
    running = report(model_folder, 1, tmp_path / "stopped", experts)
    assert [next(running) for _ in range(3)] == [(0, 4), (1, 4), (2, 4)]
    running.close()
    assert len(read_scores(tmp_path / "stopped" / "scores.jsonl")) == 2
    for _ in report(model_folder, 1, tmp_path / "stopped", experts):
        pass
    whole, stopped = (read_scores(tmp_path / name / "scores.jsonl") for name in ("whole", "stopped"))
    assert whole == stopped
    assert [score.system for score in whole] == SYSTEMS
    assert len(list((tmp_path / "whole" / "strips").iterdir())) == 4
    summary = json.loads((tmp_path / "whole" / "summary.json").read_text())
    assert summary["systems"] == read_summary(tmp_path / "whole")
    assert summary["sampler"]["scheduler"] == "DDIMScheduler"
    page = (tmp_path / "whole" / "index.html").read_text()
    for name in [*SYSTEMS, *summary["systems"]["model"], "measures.png", "strips/000-model.png"]:
        assert name in page


def test_the_interval_is_that_of_the_mean_over_scenes():
    ones = mean_with_interval([[float(scene % 2)] for scene in range(100)])
    assert ones["mean"] == 0.5
    assert ones["low"] == pytest.approx(0.5 - 1.96 * 0.05, abs=0.015)
    assert mean_with_interval([[0.5]] * 9) == {"mean": 0.5, "low": 0.5, "high": 0.5}
    uneven = mean_with_interval([[1.0, 1.0, 1.0], [0.0], []] * 20)
    assert uneven["mean"] == 0.75
    assert uneven["low"] < 0.75 < uneven["high"]


def test_a_broken_journal_is_one_line(tmp_path):
    (tmp_path / "scores.jsonl").write_text('{"scene": 1}\n')
    with pytest.raises(InputError, match=r"scores\.jsonl"):
        read_scores(tmp_path / "scores.jsonl")


def test_every_fourth_scene_is_of_shapes_held_out_of_training():
    for index in range(24):
        families = {thing.family for thing in suite_scene(index, WorldConfig()).things}
        assert bool(families & set(HELD_OUT_FAMILIES)) == (index % 4 == 3)
        assert len(families) == 1 or index % 4 != 3


def test_the_truth_measures_as_the_truth(experts):
    world = WorldConfig(styles={"realistic": 1}, objects={2: 1}, finishes={"plain": 1})
    clip, other = render(sample_scene(10_000_000, world)), render(sample_scene(10_000_001, world))
    values = measure(clip.frames, clip, other.depth, experts)
    assert set(values) == set(MEASURES)
    assert values["color"]
    assert all(values["color"])
    assert values["psnr"][0] > 100
    assert np.mean(values["boundary F1"]) > 0.8


def test_what_a_style_hides_is_not_asked(experts):
    for style, hidden in (("pencil", {"color", "both colors", "floor", "sky"}), ("neon", {"sky"})):
        world = WorldConfig(styles={style: 1}, objects={2: 1})
        clip = render(sample_scene(10_000_002, world).at(slice(0, 2)))
        values = measure(clip.frames, clip, clip.depth, experts)
        assert not any(values[name] for name in hidden)
        assert values["style"]


def test_a_cell_reads_as_mean_and_interval():
    assert cell({"mean": 0.5, "low": 0.4, "high": 0.6}, "color") == "0.5 [0.4, 0.6]"
    assert cell(None, "color") == ""
