"""The report of a suite: scores as they come, then a table, a summary in JSON and a page to look at."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from makeyourvideo.errors import InputError
from makeyourvideo.evaluation.experts import Experts
from makeyourvideo.evaluation.page import Section, write_page
from makeyourvideo.evaluation.suite import (
    HELD_OUT,
    MODEL,
    read_scores,
    run_suite,
    suite_parts,
)
from makeyourvideo.evaluation.tables import Table, columns_of, tables_of
from makeyourvideo.manifest import fingerprint
from makeyourvideo.media import write_image
from makeyourvideo.memory import treat_freed_memory
from makeyourvideo.model_folder import TRAINING_RECORD
from makeyourvideo.outputs import written_whole
from makeyourvideo.pictures import strip
from makeyourvideo.pipeline import BUNDLED_MODEL, MakeYourVideoPipeline
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import WorldConfig, read_world, sample_scene

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
    experts = experts or Experts.load()
    parts = suite_parts(pipe, ablations, suite.scenes, suite.ablation_scenes, suite.long_scenes)
    world = read_world(home / TRAINING_RECORD)
    strips = folder / "strips"
    strips.mkdir(parents=True, exist_ok=True)
    about = {
        "suite": "world",
        "models": {name: fingerprint(path) for name, path in {MODEL: home, **suite.ablations}.items()},
        "samplers": {name: _sampler(one) for name, one in {MODEL: pipe, **ablations}.items()},
        "experts": experts.fingerprints,
        "version": version("makeyourvideo"),
    }
    check_same_suite(about, folder / "suite.json")
    wanted = {key for part in parts for key in part.keys}
    done = len(wanted & {score.key for score in read_scores(folder / "scores.jsonl")})
    yield done, len(wanted)
    for score, made, true in run_suite(parts, experts, world, folder):
        write_image(strips / f"{score.name}.png", strip(true, made), force=True)
        done += 1
        yield done, len(wanted)
    write_reference(experts, world, max(part.scenes for part in parts), folder)
    scores = read_scores(folder / "scores.jsonl")
    sections = []
    for part in parts:
        columns = columns_of(part, scores)
        sections.append(Section(columns, tables_of(part, columns, folder)))
    tables = {title: table for section in sections for title, table in section.tables.items()}
    with written_whole(folder / "summary.json", force=True) as partial:
        partial.write_text(json.dumps({**about, "tables": tables}, indent=1) + "\n")
    write_page(about, sections, folder)


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
    """Keep what the scores of a folder are of; scores of other models, or by others, never mix with them."""
    kept = {part: about[part] for part in ("models", "samplers", "experts")}
    stored = json.loads(path.read_text()) if path.exists() else kept
    merged = {part: stored.get(part, {}) | kept[part] for part in kept}
    if stored.keys() != kept.keys() or merged != {part: kept[part] | stored[part] for part in kept}:
        raise InputError(path.parent, "scores of the same models, samplers and experts", "those of others")
    with written_whole(path, force=True) as partial:
        partial.write_text(json.dumps(merged, indent=1) + "\n")


def write_reference(experts: Experts, world: WorldConfig, count: int, folder: Path) -> None:
    """Keep the features of true clips that no system is asked to make, for the kernel distance."""
    for index in range(count):
        path = folder / "features" / f"{index:03d}-reference.npy"
        if not path.exists():
            with written_whole(path) as partial:
                np.save(
                    partial, experts.clip_features(render(sample_scene(_REFERENCE + index, world)).frames)
                )
