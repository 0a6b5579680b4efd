"""The report of a suite: progress while it runs, then a table, JSON, and strips to look at."""

from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from makeyourvideo.evaluation.suite import MEASURES, read_scores, run_suite, summarize, systems, write_summary
from makeyourvideo.media import write_image
from makeyourvideo.pictures import strip
from makeyourvideo.pipeline import BUNDLED_MODEL, MakeYourVideoPipeline


def report(suite: str, model: Path | None, scenes: int, folder: Path) -> None:
    """Run the suite into `folder` and print its table."""
    pipe = MakeYourVideoPipeline.from_pretrained(model or BUNDLED_MODEL)
    pipe.set_progress_bar_config(disable=True)
    strips = folder / "strips"
    strips.mkdir(parents=True, exist_ok=True)
    with Progress(console=Console(stderr=True)) as progress:
        total = scenes * len(systems(pipe))
        task = progress.add_task(
            f"suite {suite}", total=total, completed=len(read_scores(folder / "scores.jsonl"))
        )
        for score, clip, frames in run_suite(pipe, scenes, folder):
            name = f"{score.scene:03d}-{score.system.replace(' ', '-')}.png"
            write_image(strips / name, strip(clip.frames, frames))
            progress.advance(task)
    scores = read_scores(folder / "scores.jsonl")
    about = {
        "suite": suite,
        "sampler": {
            "scheduler": type(pipe.scheduler).__name__,
            "num_inference_steps": pipe.config.num_inference_steps,
            "guidance_scale": pipe.config.guidance_scale,
            "eta": pipe.config.eta,
        },
        "version": version("makeyourvideo"),
    }
    write_summary(scores, about, folder / "summary.json")
    Console().print(_table(summarize(scores)))


def _table(summary: dict[str, dict[str, dict[str, float]]]) -> Table:
    table = Table("system", *(name.replace("_", " ") for name in MEASURES))
    for system, measures in summary.items():
        cells = (f"{m['mean']:.3f} [{m['low']:.3f}, {m['high']:.3f}]" for m in measures.values())
        table.add_row(system, *cells)
    return table
