"""The doctor against 200 files of scenes that it was never tuned on."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from broken_depth import FAULTS, Case, broken, clip, sound

from makeyourvideo.structure.diagnosis import read_specimen
from makeyourvideo.structure.doctor import examine

HELD_OUT = 6_000_000
SOUND, EACH = 90, 10


def held_out_cases(folder: Path) -> Iterator[Case]:
    """90 sound files of every kind, and 10 with each fault."""
    for index in range(SOUND):
        seed = HELD_OUT + index
        yield sound(folder / f"sound{index}", _clip(seed), seed)
    for number, fault in enumerate(FAULTS):
        made, seed = 0, HELD_OUT + 1000 * (number + 1)
        while made < EACH:
            case = broken(folder / f"{number}-{made}", _clip(seed), fault, seed)
            made, seed = made + (case is not None), seed + 1
            if case:
                yield case


def _clip(seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, 3])
    return clip(seed, 2 * int(rng.integers(36, 61)), int(rng.integers(6, 11)))


@pytest.mark.slow
def test_two_hundred_held_out_files(tmp_path: Path) -> None:
    found, alarms, others = Counter[str](), [], Counter[str]()
    for case in held_out_cases(tmp_path):
        names = {finding.fault for finding in examine(read_specimen(case.path, case.depth_kind))}
        if case.fault is None:
            alarms += [(case.path.name, case.kind, sorted(names))] if names else []
            continue
        found[case.fault] += case.fault in names
        others.update(f"{name} in {case.fault}" for name in names - {case.fault})
        if case.fault not in names:
            print(f"missed: {case}")
    print("\n".join(f"{fault:14} {found[fault]:3} of {EACH}" for fault in FAULTS))
    print(
        f"found {found.total()} of {EACH * len(FAULTS)}; false alarms in {len(alarms)} of {SOUND}: {alarms}"
    )
    print(f"beside the fault: {dict(others)}")
    assert found.total() >= 0.95 * EACH * len(FAULTS)
    assert len(alarms) <= 0.02 * SOUND
