import numpy as np
import pytest

from makeyourvideo.evaluation.intervals import mean_with_interval, ratio_with_interval
from makeyourvideo.evaluation.measures import MEASURES
from makeyourvideo.evaluation.suite import Part, Score
from makeyourvideo.evaluation.tables import DEPTH_RATIO, cell, columns_of, tables_of


def score(scene, system, num_frames=16, start=0, **values):
    asked = dict.fromkeys(MEASURES, ()) | {name.replace("_", " "): value for name, value in values.items()}
    return Score(scene, system, num_frames, start, "a ball", {name: list(asked[name]) for name in MEASURES})


def of(part, scores, folder):
    (folder / "features").mkdir()
    for one in scores:
        np.save(folder / "features" / f"{one.name}.npy", np.zeros(3, np.float32))
    return tables_of(part, columns_of(part, scores), folder)


def test_the_interval_is_that_of_the_mean_over_scenes():
    ones = mean_with_interval([[float(scene % 2)] for scene in range(100)])
    assert ones["mean"] == 0.5
    assert ones["low"] == pytest.approx(0.5 - 1.96 * 0.05, abs=0.015)
    assert mean_with_interval([[0.5]] * 9) == {"mean": 0.5, "low": 0.5, "high": 0.5, "count": 9}
    uneven = mean_with_interval([[1.0, 1.0, 1.0], [0.0], []] * 20)
    assert uneven["mean"] == 0.75
    assert uneven["low"] < 0.75 < uneven["high"]
    assert uneven["count"] == 80


def test_scenes_that_are_not_asked_do_not_count_as_wrong():
    assert mean_with_interval([[1.0], *[[]] * 20]) == {"mean": 1, "low": 1, "high": 1, "count": 1}


def test_a_ratio_is_taken_over_the_same_scenes():
    rng = np.random.default_rng(0)
    own = [[value] for value in rng.uniform(1, 9, 50)]
    twice = [[2 * value] for (value,) in own]
    assert ratio_with_interval(twice, own) == pytest.approx({"mean": 2, "low": 2, "high": 2})
    near = ratio_with_interval([[value + 0.1 * rng.normal()] for (value,) in own], own)
    assert near["low"] < near["mean"] < near["high"]
    assert near["high"] - near["low"] < 0.03
    alone = ratio_with_interval([[1.0], *[[]] * 20], [[0.5], *[[]] * 20])
    assert alone == {"mean": 2, "low": 2, "high": 2}
    for below in ([[0.0]], [[1.0], [0.0], [0.0]]):  # of the second, scenes may be drawn that are all 0
        with pytest.raises(ZeroDivisionError):
            ratio_with_interval([[1.0]] * len(below), below)


def test_what_is_compared_is_told_as_multiples_of_the_other(tmp_path):
    part = Part("scenes", dict.fromkeys(("model", "off")), 2, compared=[("model", "off")])
    scores = [
        score(
            0,
            "model",
            warping_error=[1],
            color=[1],
            sky=[1],
            psnr=[20],
            depth_error=[2],
            other_depth_error=[6],
        ),
        score(1, "model", warping_error=[2], color=[1, 1], depth_error=[1], other_depth_error=[3]),
        score(
            0, "off", warping_error=[4], color=[1], sky=[0], psnr=[10], depth_error=[1], other_depth_error=[1]
        ),
        score(1, "off", warping_error=[8], color=[1, 0], depth_error=[1], other_depth_error=[1]),
        score(2, "off", warping_error=[800]),  # not of this part
    ]
    tables = of(part, scores, tmp_path)
    assert list(tables) == ["scenes", "scenes: ratios"]
    ratios = tables["scenes: ratios"]["model / off"]
    assert {name: value["mean"] for name, value in ratios.items()} == pytest.approx(
        {"warping error": 0.25, "color": 1.5, "depth error": 1.5, "other depth error": 4.5}
    )  # neither decibels nor what may be none
    assert ratios["warping error"]["low"] == ratios["warping error"]["high"] == 0.25
    assert tables["scenes"]["model"][DEPTH_RATIO]["mean"] == 3
    assert tables["scenes"]["off"][DEPTH_RATIO]["mean"] == 1


def test_the_end_of_long_clips_is_told_as_a_multiple_of_their_start(tmp_path):
    part = Part("64 frames", dict.fromkeys(("model",)), 1, 64)
    scores = [
        score(0, "model", 64, 0, depth_error=[2], other_depth_error=[6]),
        score(0, "model", 64, 48, depth_error=[3], other_depth_error=[6]),
        score(0, "model", depth_error=[9], other_depth_error=[9]),
    ]
    tables = of(part, scores, tmp_path)
    assert list(tables["64 frames"]) == ["model, first 16", "model, last 16"]
    assert list(tables["64 frames: ratios"]) == ["model, last 16 / model, first 16"]
    ratios = tables["64 frames: ratios"]["model, last 16 / model, first 16"]
    assert ratios["depth error"]["mean"] == 1.5
    assert ratios["other depth error"]["mean"] == 1


def test_shapes_held_out_are_told_from_known_ones(tmp_path):
    part = Part("scenes", dict.fromkeys(("ground truth", "model")), 8)
    scores = [
        score(scene, name, color=[float(name == "model" and scene % 4 == 3)])
        for scene in range(8)
        for name in ("ground truth", "model")
    ]
    table = of(part, scores, tmp_path)["scenes: shapes"]
    assert {name: (column["color"]["mean"], column["color"]["count"]) for name, column in table.items()} == {
        "ground truth, known shapes": (0, 6),
        "ground truth, shapes held out": (0, 2),
        "model, known shapes": (0, 6),
        "model, shapes held out": (1, 2),
    }
    few = tables_of(part, columns_of(Part("scenes", part.systems, 2), scores), tmp_path)["scenes: shapes"]
    assert list(few) == ["ground truth, known shapes", "model, known shapes"]


def test_a_cell_reads_as_mean_and_interval():
    assert cell({"mean": 0.5, "low": 0.4, "high": 0.6}, "color") == "0.5 [0.4, 0.6]"
    assert cell(None, "color") == ""
