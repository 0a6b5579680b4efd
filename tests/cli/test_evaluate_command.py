"""The tables that `evaluate` prints, without running a suite."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from diffusers.utils import logging

from makeyourvideo.evaluation import report
from makeyourvideo.evaluation.report import Suite


def test_all_tables_are_printed_and_the_files_are_named(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Suite] = []

    def made(suite: Suite, folder: Path) -> Iterator[tuple[int, int]]:
        asked.append(suite)
        assert not logging.is_progress_bar_enabled()
        right, ratio = ({"mean": mean, "low": 0.5, "high": 1.5} for mean in (0.75, 1.25))
        tables = {
            "held-out scenes": {"model": {"color": right}},
            "held-out scenes: ratios": {"model / ground truth": {"depth error": ratio}},
        }
        folder.mkdir()
        (folder / "summary.json").write_text(json.dumps({"tables": tables}))
        yield 1, 1

    monkeypatch.setattr(report, "report", made)
    result = command("evaluate", "-o", tmp_path / "out", "--scenes", 3, "--ablation", f"twin={tmp_path}")
    assert result.code == 0, result.err
    assert asked == [Suite(ablations={"twin": tmp_path}, scenes=3)]
    for shown in ("held-out scenes: ratios", "model / ground truth", "0.75 [0.5, 1.5]", "1.25 [0.5, 1.5]"):
        assert shown in result.out
    assert result.out.rstrip().endswith(
        f"{tmp_path / 'out' / 'index.html'}\n{tmp_path / 'out' / 'summary.json'}"
    )


def test_an_ablation_without_a_name_is_one_line(command: Any, tmp_path: Path) -> None:
    result = command("evaluate", "-o", tmp_path / "out", "--ablation", "twin")
    assert result.code == 1
    assert "--ablation: expected NAME=DIR, found twin" in result.err.strip().replace("\n", " ")
