"""The tables of a suite: what its scores come to, and what one column is beside another."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from makeyourvideo.evaluation.intervals import (
    Features,
    Interval,
    distance_with_interval,
    mean_with_interval,
    ratio_with_interval,
)
from makeyourvideo.evaluation.measures import MEASURES
from makeyourvideo.evaluation.suite import GROUND_TRUTH, MODEL, Part, Score, shape_is_held_out

Column = dict[str, Interval]  # by measure
Table = dict[str, Column]  # by column
Columns = Mapping[str, list[Score]]

KERNEL_DISTANCE = "kernel distance"
DEPTH_RATIO = "other / own depth error"
TOLD: Mapping[str, str] = {
    **MEASURES,
    DEPTH_RATIO: "how many times further the depth is from another scene's than from its own",
    KERNEL_DISTANCE: "unbiased, x 1000, on EfficientNet-Lite0, to other held-out truth",
}
_DECIBELS = "psnr"  # no scale for ratios


def columns_of(part: Part, scores: Sequence[Score]) -> dict[str, list[Score]]:
    """The scores of a part by column."""
    wanted = [score for score in scores if score.num_frames == part.num_frames and score.scene < part.scenes]
    return {
        name: [score for score in wanted if (score.system, score.start) == column]
        for name, column in part.columns.items()
    }


def tables_of(part: Part, columns: Columns, folder: Path) -> dict[str, Table]:
    """The table of a part, and those that compare its columns, by title.

    Where there is the truth and the model, a table tells shapes that training scenes have from those that it
    has not; another has the ratios that `Part.ratios` names.
    """
    tables = {part.title: {name: summarise(scores, folder) for name, scores in columns.items()}}
    if {GROUND_TRUTH, MODEL} <= columns.keys():
        tables[f"{part.title}: shapes"] = _by_shape(columns)
    if part.ratios:
        tables[f"{part.title}: ratios"] = {
            f"{above} / {below}": _ratios(columns[above], columns[below]) for above, below in part.ratios
        }
    return tables


def summarise(scores: Sequence[Score], folder: Path) -> Column:
    """Mean and 95 % interval of every measure; `folder` has the features that the distance is taken of."""
    column = _means(scores)
    reference = read_features(sorted((folder / "features").glob("*-reference.npy")))
    features = read_features([folder / "features" / f"{score.name}.npy" for score in scores])
    if min(len(reference), len(features)) >= 8:
        column[KERNEL_DISTANCE] = distance_with_interval(features, reference)
    return column


def read_features(files: Sequence[Path]) -> Features:
    """Read the features of clips `(clips, d)`."""
    return np.stack([np.load(file) for file in files]) if files else np.empty((0, 0), np.float32)


def cell(value: Interval | None, name: str) -> str:
    """Write a mean with its interval as people read it."""
    if value is None:
        return ""
    factor = 1000 if name == KERNEL_DISTANCE else 1
    return "{:.3g} [{:.3g}, {:.3g}]".format(*(factor * value[key] for key in ("mean", "low", "high")))


def measures_in(table: Table) -> list[str]:
    """The rows of a table."""
    return list(dict.fromkeys(name for column in table.values() for name in column))


def _means(scores: Sequence[Score]) -> Column:
    values = {name: [score.values[name] for score in scores] for name in MEASURES}
    column = {name: mean_with_interval(groups) for name, groups in values.items() if any(groups)}
    if "depth error" in column:
        column[DEPTH_RATIO] = ratio_with_interval(values["other depth error"], values["depth error"])
    return column


def _by_shape(columns: Columns) -> Table:
    shapes = {"known shapes": False, "shapes held out": True}
    split = {
        f"{name}, {shape}": [score for score in columns[name] if shape_is_held_out(score.scene) == held_out]
        for name in (GROUND_TRUTH, MODEL)
        for shape, held_out in shapes.items()
    }
    return {name: _means(scores) for name, scores in split.items() if scores}


def _ratios(above: Sequence[Score], below: Sequence[Score]) -> Column:
    """Every mean as a multiple of the other column's, where that cannot be 0, over the scenes of both."""
    of = [{score.scene: score.values for score in scores} for scores in (above, below)]
    scenes = sorted(set.intersection(*map(set, of)))
    ratios = {}
    for name in MEASURES:
        groups = [[values[scene][name] for scene in scenes] for values in of]
        if name != _DECIBELS and all(any(each) for each in groups):
            with suppress(ZeroDivisionError):
                ratios[name] = ratio_with_interval(*groups)
    return ratios
