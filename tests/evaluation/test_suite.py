import json

import pytest

from makeyourvideo.errors import InputError
from makeyourvideo.evaluation.report import read_summary, report
from makeyourvideo.evaluation.suite import MEASURES, Score, read_scores, summarize

SYSTEMS = ["ground truth", "through the autoencoder", "model", "temporal layers off"]


@pytest.mark.filterwarnings("ignore:the text is longer")  # the tiny model reads twelve tokens
def test_a_stopped_suite_goes_on_and_ends_with_the_same_scores(model_folder, tmp_path):
    for _ in report(model_folder, 1, tmp_path / "whole"):
        pass
    running = report(model_folder, 1, tmp_path / "stopped")
    assert [next(running) for _ in range(3)] == [(0, 4), (1, 4), (2, 4)]
    running.close()
    assert len(read_scores(tmp_path / "stopped" / "scores.jsonl")) == 2
    for _ in report(model_folder, 1, tmp_path / "stopped"):
        pass
    whole, stopped = (read_scores(tmp_path / name / "scores.jsonl") for name in ("whole", "stopped"))
    assert whole == stopped
    assert [score.system for score in whole] == SYSTEMS
    assert len(list((tmp_path / "whole" / "strips").iterdir())) == 4
    summary = json.loads((tmp_path / "whole" / "summary.json").read_text())
    assert summary["systems"] == read_summary(tmp_path / "whole")
    assert summary["sampler"]["scheduler"] == "DDIMScheduler"


def test_the_interval_is_that_of_the_mean_over_scenes():
    scores = [Score(scene, "model", "", float(scene % 2), float(scene), 0.5) for scene in range(100)]
    table = summarize(scores)["model"]
    assert table["color_right"]["mean"] == 0.5
    assert table["color_right"]["low"] == pytest.approx(0.5 - 1.96 * 0.05, abs=0.015)
    assert table["warping_error"]["high"] == pytest.approx(49.5 + 1.96 * 2.887, abs=0.6)
    assert table["boundary_f1"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert set(table) == set(MEASURES)


def test_a_broken_journal_is_one_line(tmp_path):
    (tmp_path / "scores.jsonl").write_text('{"scene": 1}\n')
    with pytest.raises(InputError, match=r"scores\.jsonl"):
        read_scores(tmp_path / "scores.jsonl")
