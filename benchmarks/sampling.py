"""Quality against time on held-out scenes: solvers, steps and guidance; and presets beside many steps.

`curves` measures a grid and draws it; `compare` says whether presets are worse than 50 steps by more than
another seed is. Either goes on after a stop, and both may share a folder, where each clip is made once.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, TextIO, get_args

from makeyourvideo.evaluation.experts import Experts
from makeyourvideo.evaluation.pairs import Comparison, compare, compare_distances
from makeyourvideo.evaluation.report import check_same_suite, load_quietly, write_reference
from makeyourvideo.evaluation.suite import MODEL, Part, System, generated, read_scores, run_suite
from makeyourvideo.evaluation.tables import KERNEL_DISTANCE, cell, read_features, summarise
from makeyourvideo.manifest import fingerprint
from makeyourvideo.memory import LAVISH, Thrift, treat_freed_memory
from makeyourvideo.model_folder import TRAINING_RECORD
from makeyourvideo.pipeline import BUNDLED_MODEL, MakeYourVideoPipeline
from makeyourvideo.presets import PRESETS, Quality
from makeyourvideo.world.scene import read_world

BASELINE, AGAIN = "baseline", "baseline, another seed"
SHOWN = ("color", "finish", "boundary F1", "depth error", "warping error", "psnr", KERNEL_DISTANCE)
Asked = dict[str, Any]
Curves = dict[str, dict[int, Asked]]  # label -> steps -> what the pipeline is asked
Rows = dict[str, dict[str, Any]]  # system -> seconds, share of the baseline's time, summary of the measures


def grid(given: argparse.Namespace) -> Curves:
    """Every solver with every scale and interval of guidance, a curve over the steps each."""
    return {
        f"{scheduler.removesuffix('Scheduler')}, guidance {scale:g} in {interval}": {
            steps: {
                "scheduler": scheduler,
                "num_inference_steps": steps,
                "timestep_spacing": "trailing",
                "guidance_scale": scale,
                "guidance_interval": tuple(map(float, interval.split(":"))),
                "eta": 0.0,
            }
            for steps in given.steps
        }
        for scheduler in given.schedulers
        for scale in given.scales
        for interval in given.intervals
    }


def baseline(pipe: MakeYourVideoPipeline, steps: int, another: int = 0) -> System:
    """DDIM from noise alone, with guidance everywhere and two separate branches."""
    system = generated(
        pipe,
        scheduler="DDIMScheduler",
        num_inference_steps=steps,
        timestep_spacing="trailing",
        guidance_interval=(0.0, 1.0),
        sketch_share=0.0,
        eta=0.0,
    )

    def run(clip: Any, prompt: str, seed: int) -> Any:
        pipe.save_memory(Thrift(clips_apart=True))
        try:
            return system(clip, prompt, seed + another)
        finally:
            pipe.save_memory(LAVISH)

    return run


def timed(name: str, system: System, journal: TextIO) -> System:
    """The system; a line of the journal says how long each clip took."""

    def run(clip: Any, prompt: str, seed: int) -> Any:
        start = time.perf_counter()
        made = system(clip, prompt, seed)
        line = {"system": name, "scene": seed, "seconds": time.perf_counter() - start}
        journal.write(json.dumps(line) + "\n")
        journal.flush()
        return made

    return run


def make(given: argparse.Namespace, asked: Mapping[str, Asked]) -> Rows:
    """Make and measure what is missing of the baseline, its other seed and the systems asked for.

    All systems make a scene one after the other, and times are compared within it: what else the machine
    does meanwhile weighs on all of them alike.
    """
    treat_freed_memory(hands_back=False)  # as a run does
    home = given.model or BUNDLED_MODEL
    pipe, experts, world = load_quietly(home), Experts.load(), read_world(home / TRAINING_RECORD)
    systems = {BASELINE: baseline(pipe, given.baseline_steps)}
    systems[AGAIN] = baseline(pipe, given.baseline_steps, another=1_000_000)
    systems |= {name: generated(pipe, **own) for name, own in asked.items()}
    folder, journal = given.output, given.output / "seconds.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    presets = {name: str(preset) for name, preset in PRESETS.items()}
    about = {
        "models": {MODEL: fingerprint(home)},
        "samplers": {"baseline": given.baseline_steps} | presets,
        "experts": experts.fingerprints,
    }
    check_same_suite(about, folder / "suite.json")
    with journal.open("a") as lines:
        part = Part(
            "sampling", {name: timed(name, own, lines) for name, own in systems.items()}, given.scenes
        )
        for score, _, _ in run_suite([part], experts, world, folder):
            print(f"{score.scene} {score.system}", flush=True)
    write_reference(experts, world, given.scenes, folder)

    took: dict[str, dict[int, float]] = {name: {} for name in systems}
    for line in map(json.loads, journal.read_text().splitlines()):
        if line["system"] in took and line["scene"] < given.scenes:
            took[line["system"]][line["scene"]] = line["seconds"]
    scores = [score for score in read_scores(folder / "scores.jsonl") if score.scene < given.scenes]
    return {
        name: {
            "seconds": median(seconds.values()),
            "share": median(seconds[scene] / took[BASELINE][scene] for scene in seconds),
            "summary": summarise([score for score in scores if score.system == name], folder),
        }
        for name, seconds in took.items()
    }


def table(rows: Rows) -> str:
    """The rows in Markdown."""
    lines = [["", "seconds a clip", "times as fast", *SHOWN], ["---"] * (3 + len(SHOWN))]
    for name, row in rows.items():
        figures = [cell(row["summary"].get(measure), measure) for measure in SHOWN]
        lines.append([name, f"{row['seconds']:.2f}", f"{1 / row['share']:.1f}", *figures])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw(rows: Rows, curves: Mapping[str, list[str]], path: Path) -> None:
    """A panel a measure: a line for each curve, and the baseline with its interval."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 7), layout="constrained")
    panels = figure.subplots(2, 4).ravel()
    for axes, measure in zip(panels, SHOWN, strict=False):
        axes.set_title(measure, fontsize=10)
        axes.set_xscale("log")
        axes.set_xlabel("time, share of the baseline's", fontsize=8)
        known = rows[BASELINE]["summary"].get(measure)
        if known:
            axes.axhline(known["mean"], color="grey", label=BASELINE)
            axes.axhspan(known["low"], known["high"], color="grey", alpha=0.15)
        for label, names in curves.items():
            points = [rows[name] for name in names if measure in rows[name]["summary"]]
            means = [row["summary"][measure]["mean"] for row in points]
            axes.plot([row["share"] for row in points], means, ".-", label=label)
    for axes in panels[len(SHOWN) :]:
        axes.axis("off")
        axes.legend(*panels[0].get_legend_handles_labels(), fontsize=7, loc="center")
    figure.savefig(path, dpi=110)


def run_curves(given: argparse.Namespace) -> None:
    """Measure the grid, print its table, and draw it."""
    curves = grid(given)
    named = {
        f"{label}, {steps} steps": asked for label, own in curves.items() for steps, asked in own.items()
    }
    rows = make(given, named)
    draw(
        rows,
        {label: [f"{label}, {steps} steps" for steps in own] for label, own in curves.items()},
        given.plot or given.output / "sampling.png",
    )
    print(table(rows))


def run_comparison(given: argparse.Namespace) -> None:
    """Say of each measure whether each preset is within what another seed does to the baseline."""
    rows = make(given, {quality: {"quality": quality} for quality in given.qualities})
    print(table(rows))
    scores = sorted(read_scores(given.output / "scores.jsonl"), key=lambda score: score.scene)
    scores = [score for score in scores if score.scene < given.scenes]
    folder = given.output / "features"
    reference = read_features(sorted(folder.glob("*-reference.npy"))[: given.scenes])
    features = {
        name: read_features([folder / f"{score.name}.npy" for score in scores if score.system == name])
        for name in rows
    }
    for quality in given.qualities:
        found = compare(scores, BASELINE, AGAIN, quality)
        if given.scenes >= 8:
            found.append(compare_distances(features, reference, (BASELINE, AGAIN, quality)))
        print(f"\n{quality}, {1 / rows[quality]['share']:.1f} times as fast\n")
        print("| | baseline - preset | baseline - another seed, 95 % | |\n|---|---|---|---|")
        for one in found:
            print(told(one))


def told(one: Comparison) -> str:
    """A line of the table."""
    factor = 1000 if one.measure == KERNEL_DISTANCE else 1
    difference, low, high = (factor * value for value in (one.difference, one.low, one.high))
    return f"| {one.measure} | {difference:.3g} | [{low:.3g}, {high:.3g}] | {one.verdict} |"


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(required=True)
    for name, run in (("curves", run_curves), ("compare", run_comparison)):
        mode = modes.add_parser(name, help=run.__doc__)
        mode.set_defaults(run=run)
        mode.add_argument("-o", "--output", type=Path, required=True, help="folder of all that is measured")
        mode.add_argument("--model", type=Path, help="model folder; the bundled model by default")
        mode.add_argument("--scenes", type=int, default=32)
        mode.add_argument("--baseline-steps", type=int, default=50)
        if run is run_comparison:
            mode.add_argument("--qualities", nargs="+", default=get_args(Quality))
        else:
            solvers = ("DDIMScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler")
            mode.add_argument("--schedulers", nargs="+", default=solvers)
            mode.add_argument("--steps", nargs="+", type=int, default=[3, 5, 7, 10, 15, 25])
            mode.add_argument("--scales", nargs="+", type=float, default=[3.0])
            mode.add_argument("--intervals", nargs="+", default=["0:1", "0:0.4"], help="START:END")
            mode.add_argument("--plot", type=Path, help="by default sampling.png in the folder")
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
