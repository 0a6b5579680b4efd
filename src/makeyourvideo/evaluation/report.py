"""The report of a suite: scores as they come, then a table, a summary in JSON and a page to look at."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.evaluation.experts import Experts
from makeyourvideo.evaluation.measures import MEASURES
from makeyourvideo.evaluation.metrics import kernel_distance
from makeyourvideo.evaluation.suite import (
    HELD_OUT,
    MODEL,
    Part,
    Score,
    mean_with_interval,
    read_scores,
    run_suite,
    suite_parts,
)
from makeyourvideo.manifest import fingerprint
from makeyourvideo.media import write_image
from makeyourvideo.memory import treat_freed_memory
from makeyourvideo.model_folder import TRAINING_RECORD
from makeyourvideo.outputs import written_whole
from makeyourvideo.pictures import strip
from makeyourvideo.pipeline import BUNDLED_MODEL, MakeYourVideoPipeline
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import WorldConfig, read_world, sample_scene

Table = dict[str, dict[str, dict[str, float]]]  # column -> measure -> mean, low, high
KERNEL_DISTANCE = "kernel distance"
_REFERENCE = HELD_OUT + 100_000  # ground-truth clips that no system is asked to make


@dataclass(frozen=True)
class Suite:
    """What to measure: see `suite_parts`.

    Attributes:
        model: the model folder, or none for the bundled model.
        ablations: model folders by name.
        scenes, ablation_scenes, long_scenes: held-out scenes of each part.
    """

    model: Path | None = None
    ablations: Mapping[str, Path] = field(default_factory=dict)
    scenes: int = 200
    ablation_scenes: int = 64
    long_scenes: int = 24


def report(suite: Suite, folder: Path, experts: Experts | None = None) -> Iterator[tuple[int, int]]:
    """Run the suite into `folder`, going on from scores that stand there; yields (scores taken, in all).

    `folder` then holds `scores.jsonl`, `features/`, `strips/` (truth over result), `summary.json` and
    `index.html`. Scenes come from the world that the model says it was trained on.

    Raises:
        InputError: a model cannot be loaded, or the scores in `folder` are of other models or unreadable.
    """
    treat_freed_memory(hands_back=False)
    home = suite.model or BUNDLED_MODEL
    pipe, ablations = load_quietly(home), {name: load_quietly(path) for name, path in suite.ablations.items()}
    parts = suite_parts(pipe, ablations, suite.scenes, suite.ablation_scenes, suite.long_scenes)
    experts = experts or Experts.load()
    world = read_world(home / TRAINING_RECORD)
    strips = folder / "strips"
    strips.mkdir(parents=True, exist_ok=True)
    about = {
        "suite": "world",
        "models": {name: fingerprint(path) for name, path in {MODEL: home, **suite.ablations}.items()},
        "samplers": {name: _sampler(one) for name, one in {MODEL: pipe, **ablations}.items()},
        "version": version("makeyourvideo"),
    }
    check_same_suite(about, folder / "suite.json")
    wanted = {
        (index, name, part.num_frames, start)
        for part in parts
        for name in part.systems
        for index in range(part.scenes)
        for start in part.windows.values()
    }
    stored = read_scores(folder / "scores.jsonl")
    done = len(wanted & {(score.scene, score.system, score.num_frames, score.start) for score in stored})
    yield done, len(wanted)
    for score, made, true in run_suite(parts, experts, world, folder):
        write_image(strips / f"{score.name}.png", strip(true, made), force=True)
        done += 1
        yield done, len(wanted)
    write_reference(experts, world, max(part.scenes for part in parts), folder)
    columns = {part.title: _columns(part, read_scores(folder / "scores.jsonl")) for part in parts}
    tables = {
        title: {name: summarise(scores, folder) for name, scores in column.items()}
        for title, column in columns.items()
    }
    with written_whole(folder / "summary.json", force=True) as partial:
        partial.write_text(json.dumps({**about, "tables": tables}, indent=1) + "\n")
    _write_page(about, tables, columns, folder)


def read_tables(folder: Path) -> dict[str, Table]:
    """Return the tables of a finished report, by title."""
    tables: dict[str, Table] = json.loads((folder / "summary.json").read_text())["tables"]
    return tables


def load_quietly(model: Path) -> MakeYourVideoPipeline:
    """Load a model that shows no bars."""
    pipe = MakeYourVideoPipeline.from_pretrained(model)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _sampler(pipe: MakeYourVideoPipeline) -> dict[str, Any]:
    """What a model is sampled with."""
    numbers = ("num_inference_steps", "guidance_scale", "guidance_interval", "eta", "sketch_share")
    return {"scheduler": type(pipe.scheduler).__name__, **{name: pipe.config[name] for name in numbers}}


def check_same_suite(about: dict[str, Any], path: Path) -> None:
    """Keep what the scores of a folder are of; scores of other models never mix with them."""
    kept = {part: about[part] for part in ("models", "samplers")}
    stored = json.loads(path.read_text()) if path.exists() else kept
    merged = {part: stored.get(part, {}) | kept[part] for part in kept}
    if merged != {part: kept[part] | stored.get(part, {}) for part in kept}:
        raise InputError(path.parent, "scores of the same models and samplers", "those of others")
    with written_whole(path, force=True) as partial:
        partial.write_text(json.dumps(merged, indent=1) + "\n")


def _columns(part: Part, scores: list[Score]) -> dict[str, list[Score]]:
    """The scores of a part's table by column: a system, or one of its windows."""
    return {
        ", ".join(word for word in (name, window) if word): [
            score
            for score in scores
            if (score.system, score.num_frames, score.start) == (name, part.num_frames, start)
            and score.scene < part.scenes
        ]
        for name in part.systems
        for window, start in part.windows.items()
    }


def summarise(scores: list[Score], folder: Path) -> dict[str, dict[str, float]]:
    """Mean and 95 % interval of every measure."""
    summary = {
        name: mean_with_interval([score.values[name] for score in scores])
        for name in MEASURES
        if any(score.values[name] for score in scores)
    }
    reference = read_features(sorted((folder / "features").glob("*-reference.npy")))
    features = read_features([folder / "features" / f"{score.name}.npy" for score in scores])
    if min(len(reference), len(features)) >= 8:
        summary[KERNEL_DISTANCE] = _distance_with_interval(features, reference)
    return summary


def write_reference(experts: Experts, world: WorldConfig, count: int, folder: Path) -> None:
    """Keep the features of true clips that no system is asked to make, for the kernel distance."""
    for index in range(count):
        path = folder / "features" / f"{index:03d}-reference.npy"
        if not path.exists():
            with written_whole(path) as partial:
                np.save(
                    partial, experts.clip_features(render(sample_scene(_REFERENCE + index, world)).frames)
                )


def read_features(files: list[Path]) -> NDArray[np.float32]:
    """Read the features of clips `(clips, d)`."""
    return np.stack([np.load(file) for file in files]) if files else np.empty((0, 0), np.float32)


def _distance_with_interval(
    features: NDArray[np.float32], reference: NDArray[np.float32], resamples: int = 200
) -> dict[str, float]:
    """The unbiased distance; its interval from half samples, since clips drawn twice would bias it."""
    rng = np.random.default_rng(0)
    halves = [
        kernel_distance(
            *(part[rng.permutation(len(part))[: len(part) // 2]] for part in (features, reference))
        )
        for _ in range(resamples)
    ]
    low, high = np.quantile(halves, [0.025, 0.975])
    return {"mean": kernel_distance(features, reference), "low": float(low), "high": float(high)}


def _write_page(
    about: dict[str, Any],
    tables: dict[str, Table],
    columns: dict[str, dict[str, list[Score]]],
    folder: Path,
) -> None:
    """One page without scripts: of each part the table, a plot a measure, and every strip with its prompt."""
    parts = []
    for place, (title, table) in enumerate(tables.items()):
        plot = _plot(table, folder / f"measures-{place}.png")
        scores = [(name, score) for name, column in columns[title].items() for score in column]
        figures = ""
        for scene, prompt in sorted({score.scene: score.prompt for _, score in scores}.items()):
            strips = "".join(
                f"<p>{escape(name)}<br><img loading=lazy src='strips/{score.name}.png'></p>"
                for name, score in scores
                if score.scene == scene
            )
            figures += f"<details><summary>{scene}: {escape(prompt)}</summary>{strips}</details>"
        parts.append(f"<h2>{escape(title)}</h2>{_html(table)}<img src='{plot.name}'>{figures}")
    page = (
        "<!doctype html><meta charset=utf-8><title>Held-out suite</title><style>body{font:15px sans-serif;"
        "margin:2em auto;max-width:1200px}table{border-collapse:collapse}td,th{padding:.3em .8em;text-align:"
        "left;border-bottom:1px solid #ccc}small{font-weight:400;color:#666}img{max-width:100%}</style>"
        f"<h1>Held-out suite</h1><p>{escape(json.dumps(about))}</p><p>Mean and 95 % interval over scenes; in "
        f"each strip the truth stands over the result.</p>{''.join(parts)}"
    )
    with written_whole(folder / "index.html", force=True) as partial:
        partial.write_text(page, encoding="utf-8")


def _html(table: Table) -> str:
    told = {
        **MEASURES,
        KERNEL_DISTANCE: "unbiased, x 1000, on EfficientNet-Lite0, to other held-out truth",
    }
    heads = "".join(f"<th>{escape(name)}</th>" for name in table)
    rows = "".join(
        f"<tr><th>{escape(name)}<br><small>{escape(told[name])}</small></th>"
        + "".join(f"<td>{cell(column.get(name), name)}</td>" for column in table.values())
        + "</tr>"
        for name in _measures(table)
    )
    return f"<table><tr><th></th>{heads}</tr>{rows}</table>"


def _measures(table: Table) -> list[str]:
    return list(dict.fromkeys(name for column in table.values() for name in column))


def cell(value: dict[str, float] | None, name: str) -> str:
    """Write a mean with its interval as people read it."""
    if value is None:
        return ""
    factor = 1000 if name == KERNEL_DISTANCE else 1
    return "{:.3g} [{:.3g}, {:.3g}]".format(*(factor * value[key] for key in ("mean", "low", "high")))


def _plot(table: Table, path: Path) -> Path:
    from matplotlib.figure import Figure

    names = _measures(table)
    figure = Figure(figsize=(12, 2.6 * -(-len(names) // 4)), layout="constrained")
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(-(-len(names) // 4), 4, place)
        axes.set_title(name, fontsize=9)
        for row, (system, column) in enumerate(table.items()):
            if name in column:
                mean, low, high = (column[name][key] for key in ("mean", "low", "high"))
                axes.errorbar(
                    mean, row, xerr=[[max(mean - low, 0)], [max(high - mean, 0)]], fmt="o", label=system
                )
        axes.set_yticks(range(len(table)), list(table), fontsize=7)
        axes.invert_yaxis()
    with written_whole(path, force=True) as partial:
        figure.savefig(partial, format="png", dpi=110)
    return path
