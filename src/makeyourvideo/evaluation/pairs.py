"""Is one system worse than another by more than one seed is worse than the next? Paired over scenes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from makeyourvideo.evaluation.intervals import Features, mean_with_interval
from makeyourvideo.evaluation.measures import MEASURES
from makeyourvideo.evaluation.metrics import kernel_distance
from makeyourvideo.evaluation.suite import Score
from makeyourvideo.evaluation.tables import KERNEL_DISTANCE

LOWER_IS_BETTER = {"depth error", "warping error", KERNEL_DISTANCE}
_CONTROL = "other depth error"  # it is to be high, and says nothing about a picture


@dataclass(frozen=True)
class Comparison:
    """How far a system is from the baseline in one measure, beside how far the baseline is from itself.

    Attributes:
        measure: which one.
        difference: the baseline's mean minus the system's, over the same objects of the same scenes.
        low, high: 95 % bootstrap interval, over scenes, of the baseline minus itself with another seed.
    """

    measure: str
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Within the interval, or else better or worse than the baseline."""
        if self.low <= self.difference <= self.high:
            return "within"
        is_lower = self.difference > self.high
        return "better" if is_lower == (self.measure in LOWER_IS_BETTER) else "worse"


def compare(scores: Sequence[Score], baseline: str, again: str, system: str) -> list[Comparison]:
    """Compare a system with a baseline on the scenes that both, and the baseline's other seed, have made.

    Args:
        scores: of all three.
        baseline, again: the baseline's name with its seed, and with another.
        system: what is compared with it.
    """
    names = (baseline, again, system)
    of = {name: {score.scene: score.values for score in scores if score.system == name} for name in names}
    scenes = sorted(set.intersection(*(set(values) for values in of.values())))

    def differences(measure: str, other: str) -> list[list[float]]:
        pairs = [(of[baseline][scene][measure], of[other][scene][measure]) for scene in scenes]
        return [[own - its for own, its in zip(*pair, strict=True)] for pair in pairs]

    found = []
    for measure in MEASURES:
        between_systems = differences(measure, system)
        if measure != _CONTROL and any(between_systems):
            spread = mean_with_interval(differences(measure, again))
            difference = mean_with_interval(between_systems)["mean"]
            found.append(Comparison(measure, difference, spread["low"], spread["high"]))
    return found


def compare_distances(
    features: Mapping[str, Features], reference: Features, names: tuple[str, str, str], resamples: int = 200
) -> Comparison:
    """The same of the kernel distance, with an interval from half samples, the same for both seeds.

    Args:
        features: of each system's clips `(clips, d)`, the same scenes in the same order.
        reference: features of true clips.
        names: baseline, the baseline's other seed, and the system.
        resamples: how many half samples.
    """
    baseline, again, system = (features[name] for name in names)
    rng = np.random.default_rng(0)
    spread = []
    for _ in range(resamples):
        clips, true = (rng.permutation(len(part))[: len(part) // 2] for part in (baseline, reference))
        spread.append(
            kernel_distance(baseline[clips], reference[true]) - kernel_distance(again[clips], reference[true])
        )
    difference = kernel_distance(baseline, reference) - kernel_distance(system, reference)
    low, high = np.quantile(spread, [0.025, 0.975])
    return Comparison(KERNEL_DISTANCE, difference, float(low), float(high))
