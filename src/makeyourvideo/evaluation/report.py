"""The report of a suite: scores, a summary in JSON, and strips to look at, as they come."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from makeyourvideo.evaluation.suite import (
    Summary,
    read_scores,
    run_suite,
    summarize,
    systems,
    write_summary,
)
from makeyourvideo.media import write_image
from makeyourvideo.pictures import strip
from makeyourvideo.pipeline import BUNDLED_MODEL, MakeYourVideoPipeline


def report(model: Path | None, scenes: int, folder: Path) -> Iterator[tuple[int, int]]:
    """Run the suite into `folder`, going on from scores that stand there; yields (clips scored, in all).

    `folder` then holds `scores.jsonl`, `strips/` (truth over result) and `summary.json`.

    Raises:
        InputError: the model cannot be loaded, or the scores in `folder` cannot be read.
    """
    pipe = MakeYourVideoPipeline.from_pretrained(model or BUNDLED_MODEL)
    pipe.set_progress_bar_config(disable=True)
    strips = folder / "strips"
    strips.mkdir(parents=True, exist_ok=True)
    done, total = len(read_scores(folder / "scores.jsonl")), scenes * len(systems(pipe))
    yield done, total
    for score, clip, frames in run_suite(pipe, scenes, folder):
        name = f"{score.scene:03d}-{score.system.replace(' ', '-')}.png"
        write_image(strips / name, strip(clip.frames, frames), force=True)
        done += 1
        yield done, total
    sampler = {name: pipe.config[name] for name in ("num_inference_steps", "guidance_scale", "eta")}
    about = {
        "suite": "world",
        "sampler": {"scheduler": type(pipe.scheduler).__name__, **sampler},
        "version": version("makeyourvideo"),
    }
    write_summary(read_scores(folder / "scores.jsonl"), about, folder / "summary.json")


def read_summary(folder: Path) -> Summary:
    """Return the means and intervals of every system, from the scores in `folder`."""
    return summarize(read_scores(folder / "scores.jsonl"))
