"""Worse than the baseline only counts beyond what another seed does to it."""

import numpy as np
import pytest

from makeyourvideo.evaluation.measures import MEASURES
from makeyourvideo.evaluation.pairs import Comparison, compare, compare_distances
from makeyourvideo.evaluation.suite import Score

SCENES = 60


def scores(system: str, psnr: float, color: float, depth_error: float, seed: int) -> list[Score]:
    """A system whose measures vary from scene to scene as every system's do, and a little by themselves."""
    scenes, own = np.random.default_rng(0), np.random.default_rng(seed)
    found = []
    for scene in range(SCENES):
        hard = scenes.normal(scale=5)
        values: dict[str, list[float]] = {name: [] for name in MEASURES}
        values["psnr"] = [psnr + hard + own.normal()]
        values["color"] = [color + own.normal(scale=0.1) for _ in range(scene % 3)]
        values["depth error"] = [depth_error + hard + own.normal()]
        values["other depth error"] = [9.0]
        found.append(Score(scene, system, 16, 0, "a ball", values))
    return found


def verdicts(psnr: float, color: float, depth_error: float) -> dict[str, str]:
    baseline = scores("A", 20, 0.8, 1, seed=1) + scores("B", 20, 0.8, 1, seed=2)
    found = compare([*baseline, *scores("P", psnr, color, depth_error, seed=1)], "A", "B", "P")
    return {one.measure: one.verdict for one in found}


def test_differences_are_paired_and_their_sign_is_the_measures() -> None:
    """Scenes differ by 5, seeds by 1: a difference of 1 shows in pairs alone."""
    assert verdicts(20, 0.8, 1) == {"color": "within", "depth error": "within", "psnr": "within"}
    assert verdicts(19, 0.7, 2) == {"color": "worse", "depth error": "worse", "psnr": "worse"}
    assert verdicts(21, 0.9, 0) == {"color": "better", "depth error": "better", "psnr": "better"}


def test_only_scenes_that_all_have_made_are_compared() -> None:
    baseline = scores("A", 20, 0.8, 1, seed=1) + scores("B", 20, 0.8, 1, seed=2)
    spoiled = [*baseline, *scores("P", 20, 0.8, 1, seed=1)[:30], Score(99, "P", 16, 0, "", {"psnr": [0.0]})]
    assert {one.difference for one in compare(spoiled, "A", "B", "P")} == {0.0}


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "within"), (0.5, "worse")])
def test_the_kernel_distance_is_compared_by_half_samples(shift: float, verdict: str) -> None:
    rng = np.random.default_rng(0)

    def clips() -> np.ndarray:
        return rng.normal(size=(64, 16)).astype(np.float32)

    features = {"A": clips(), "B": clips()}
    features["P"] = features["A"] + np.float32(shift)
    found = compare_distances(features, clips(), ("A", "B", "P"))
    assert found.low < 0 < found.high
    assert found.verdict == verdict


def test_within_is_no_verdict_of_worse() -> None:
    assert Comparison("psnr", 0.1, -0.2, 0.3).verdict == "within"
    assert Comparison("warping error", 0.4, -0.2, 0.3).verdict == "better"
