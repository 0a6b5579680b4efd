"""The report of a suite: scores as they come, then a table, a summary in JSON and a page to look at."""

import json
from collections.abc import Iterator
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.evaluation.experts import Experts
from makeyourvideo.evaluation.measures import MEASURES
from makeyourvideo.evaluation.metrics import kernel_distance
from makeyourvideo.evaluation.suite import (
    HELD_OUT,
    mean_with_interval,
    read_scores,
    run_suite,
    systems,
)
from makeyourvideo.media import write_image
from makeyourvideo.model_folder import TRAINING_RECORD
from makeyourvideo.outputs import written_whole
from makeyourvideo.pictures import strip
from makeyourvideo.pipeline import BUNDLED_MODEL, MakeYourVideoPipeline
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import WorldConfig, sample_scene

Summary = dict[str, dict[str, dict[str, float]]]  # system -> measure -> mean, low, high
KERNEL_DISTANCE = "kernel distance"
_REFERENCE = HELD_OUT + 100_000  # ground-truth clips that no system is asked to make


def report(
    model: Path | None, scenes: int, folder: Path, experts: Experts | None = None
) -> Iterator[tuple[int, int]]:
    """Run the suite into `folder`, going on from scores that stand there; yields (clips scored, in all).

    `folder` then holds `scores.jsonl`, `features/`, `strips/` (truth over result), `summary.json` and
    `index.html`. Scenes come from the world that the model says it was trained on.

    Args:
        model: the model folder, or none for the bundled model.
        scenes: how many held-out scenes.
        folder: of the report.
        experts: the trained eyes; the bundled ones by default.

    Raises:
        InputError: the model cannot be loaded, or the scores in `folder` cannot be read.
    """
    home = model or BUNDLED_MODEL
    pipe = MakeYourVideoPipeline.from_pretrained(home)
    pipe.set_progress_bar_config(disable=True)
    experts = experts or Experts.load()
    world = _world_of(home)
    strips = folder / "strips"
    strips.mkdir(parents=True, exist_ok=True)
    done, total = len(read_scores(folder / "scores.jsonl")), scenes * len(systems(pipe))
    yield done, total
    for score, clip, frames in run_suite(pipe, experts, world, scenes, folder):
        write_image(strips / _strip_name(score.scene, score.system), strip(clip.frames, frames), force=True)
        done += 1
        yield done, total
    _write_reference(experts, world, scenes, folder)
    sampler = {name: pipe.config[name] for name in ("num_inference_steps", "guidance_scale", "eta")}
    about = {
        "suite": "world",
        "scenes": scenes,
        "sampler": {"scheduler": type(pipe.scheduler).__name__, **sampler},
        "version": version("makeyourvideo"),
    }
    summary = read_summary(folder)
    with written_whole(folder / "summary.json", force=True) as partial:
        partial.write_text(json.dumps({**about, "systems": summary}, indent=1) + "\n")
    _write_page(about, summary, folder)


def read_summary(folder: Path) -> Summary:
    """Return mean and 95 % interval of every measure of every system, from what stands in `folder`."""
    scores = read_scores(folder / "scores.jsonl")
    table: Summary = {}
    for system in dict.fromkeys(score.system for score in scores):
        chosen = [score for score in scores if score.system == system]
        table[system] = {
            name: mean_with_interval([score.values[name] for score in chosen])
            for name in MEASURES
            if any(score.values[name] for score in chosen)
        }
        reference = _features(folder, "reference")
        features = _features(folder, system.replace(" ", "-"))
        if min(len(reference), len(features)) >= 8:
            table[system][KERNEL_DISTANCE] = _distance_with_interval(features, reference)
    return table


def _world_of(model: Path) -> WorldConfig:
    record = model / TRAINING_RECORD
    return (
        WorldConfig.model_validate(json.loads(record.read_text())["world"])
        if record.exists()
        else WorldConfig()
    )


def _write_reference(experts: Experts, world: WorldConfig, count: int, folder: Path) -> None:
    for index in range(count):
        path = folder / "features" / f"{index:03d}-reference.npy"
        if not path.exists():
            np.save(path, experts.clip_features(render(sample_scene(_REFERENCE + index, world)).frames))


def _features(folder: Path, system: str) -> NDArray[np.float32]:
    files = sorted((folder / "features").glob(f"[0-9]*-{system}.npy"))
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


def _strip_name(scene: int, system: str) -> str:
    return f"{scene:03d}-{system.replace(' ', '-')}.png"


def _write_page(about: dict[str, Any], summary: Summary, folder: Path) -> None:
    """One page without scripts: the table, a plot a measure, and every strip with its prompt."""
    plot = _plot(summary, folder / "measures.png")
    measures = {
        **MEASURES,
        KERNEL_DISTANCE: "unbiased, x 1000, on EfficientNet-Lite0, to other held-out truth",
    }
    rows = "".join(
        f"<tr><th title='{escape(told)}'>{escape(name)}<br><small>{escape(told)}</small></th>"
        + "".join(f"<td>{cell(table.get(name), name)}</td>" for table in summary.values())
        + "</tr>"
        for name, told in measures.items()
    )
    prompts = {score.scene: score.prompt for score in read_scores(folder / "scores.jsonl")}
    figures = "".join(
        f"<h3>{scene}: {escape(prompt)}</h3>"
        + "".join(
            f"<p>{escape(system)}<br><img loading=lazy src='strips/{_strip_name(scene, system)}'></p>"
            for system in summary
        )
        for scene, prompt in sorted(prompts.items())
    )
    heads = "".join(f"<th>{escape(system)}</th>" for system in summary)
    page = (
        "<!doctype html><meta charset=utf-8><title>Held-out suite</title><style>body{font:15px sans-serif;"
        "margin:2em auto;max-width:1200px}table{border-collapse:collapse}td,th{padding:.3em .8em;text-align:"
        "left;border-bottom:1px solid #ccc}small{font-weight:400;color:#666}img{max-width:100%}</style>"
        f"<h1>Held-out suite</h1><p>{escape(json.dumps(about))}</p><p>Mean and 95 % interval over scenes.</p>"
        f"<table><tr><th></th>{heads}</tr>{rows}</table><img src='{plot.name}'>{figures}"
    )
    with written_whole(folder / "index.html", force=True) as partial:
        partial.write_text(page, encoding="utf-8")


def cell(value: dict[str, float] | None, name: str) -> str:
    """Write a mean with its interval as people read it."""
    if value is None:
        return ""
    factor = 1000 if name == KERNEL_DISTANCE else 1
    return "{:.3g} [{:.3g}, {:.3g}]".format(*(factor * value[key] for key in ("mean", "low", "high")))


def _plot(summary: Summary, path: Path) -> Path:
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for table in summary.values() for name in table))
    figure = Figure(figsize=(12, 2.6 * -(-len(names) // 4)), layout="constrained")
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(-(-len(names) // 4), 4, place)
        axes.set_title(name, fontsize=9)
        for row, (system, table) in enumerate(summary.items()):
            if name in table:
                mean, low, high = (table[name][key] for key in ("mean", "low", "high"))
                axes.errorbar(
                    mean, row, xerr=[[max(mean - low, 0)], [max(high - mean, 0)]], fmt="o", label=system
                )
        axes.set_yticks(range(len(summary)), list(summary), fontsize=7)
        axes.invert_yaxis()
    with written_whole(path, force=True) as partial:
        figure.savefig(partial, format="png", dpi=110)
    return path
