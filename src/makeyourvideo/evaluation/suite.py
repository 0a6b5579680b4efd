"""The suite on the synthetic world: held-out scenes, fixed seeds, four systems side by side, resumable."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.evaluation.metrics import boundary_f1, color_is_right, largest_thing, warping_error
from makeyourvideo.models.autoencoder import decode, encode
from makeyourvideo.outputs import written_whole
from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.pipeline_output import to_uint8
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.world.captions import caption
from makeyourvideo.world.render import Clip, render
from makeyourvideo.world.scene import sample_scene

HELD_OUT = 10_000_000  # scenes from this seed on are never trained on
Frames = NDArray[np.uint8]
System = Callable[[Clip, str, int], Frames]
Summary = dict[str, dict[str, dict[str, float]]]  # system -> measure -> mean, low, high


@dataclass(frozen=True)
class Score:
    """What one system's clip of one scene measures."""

    scene: int
    system: str
    prompt: str
    color_right: float
    warping_error: float
    boundary_f1: float


MEASURES = ("color_right", "warping_error", "boundary_f1")


def systems(pipe: MakeYourVideoPipeline) -> dict[str, System]:
    """Name the systems: the truth, the truth through the autoencoder, the model, and its image model alone.

    The last two start from the same seeds, and noise is independent for each frame in both.
    """

    @torch.no_grad()
    def through_autoencoder(clip: Clip, _prompt: str, _seed: int) -> Frames:
        frames = torch.from_numpy(clip.frames).permute(3, 0, 1, 2)[None] / 127.5 - 1
        decoded = decode(pipe.vae, encode(pipe.vae, frames), slice_size=4)
        return to_uint8((decoded.transpose(1, 2) / 2 + 0.5).clamp(0, 1))[0]

    def generated(temporal: bool) -> System:
        def run(clip: Clip, prompt: str, seed: int) -> Frames:
            pipe.unet.temporal_enabled = temporal
            try:
                generator = torch.Generator().manual_seed(seed)
                depth = DepthVideo.from_metric_depth(clip.depth)
                frames, height, width = clip.depth.shape
                size = {"num_frames": frames, "height": height, "width": width}
                return pipe(prompt, depth, **size, generator=generator, return_dict=False)[0][0]
            finally:
                pipe.unet.temporal_enabled = True

        return run

    return {
        "ground truth": lambda clip, _prompt, _seed: clip.frames,
        "through the autoencoder": through_autoencoder,
        "model": generated(temporal=True),
        "temporal layers off": generated(temporal=False),
    }


def run_suite(pipe: MakeYourVideoPipeline, count: int, folder: Path) -> Iterator[tuple[Score, Clip, Frames]]:
    """Score every system on `count` held-out scenes; scores already in `folder` are kept and skipped.

    Raises:
        InputError: `folder` holds scores of another model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / "scores.jsonl"
    done = {(score.scene, score.system) for score in read_scores(journal)}
    chosen = systems(pipe)
    with journal.open("a") as lines:
        for scene in range(count):
            missing = [name for name in chosen if (scene, name) not in done]
            if not missing:
                continue
            clip = render(sample_scene(HELD_OUT + scene))
            prompt = caption(clip.scene, full=True)
            for name in missing:
                frames = chosen[name](clip, prompt, scene)
                score = measure(frames, clip, scene, name, prompt)
                lines.write(json.dumps(asdict(score)) + "\n")
                lines.flush()
                yield score, clip, frames


def measure(frames: Frames, clip: Clip, scene: int, system: str, prompt: str) -> Score:
    """Take every measure of a clip, on the scene's largest object."""
    thing = largest_thing(clip)
    return Score(
        scene=scene,
        system=system,
        prompt=prompt,
        color_right=float(color_is_right(frames, clip, thing)),
        warping_error=warping_error(frames, clip),
        boundary_f1=boundary_f1(frames, clip, thing),
    )


def read_scores(journal: Path) -> list[Score]:
    """Read scores written so far.

    Raises:
        InputError: the journal holds a line that is no score.
    """
    if not journal.exists():
        return []
    try:
        return [Score(**json.loads(line)) for line in journal.read_text().splitlines()]
    except (json.JSONDecodeError, TypeError) as error:
        raise InputError(journal, "one score a line", str(error)) from error


def summarize(scores: list[Score], resamples: int = 2000) -> Summary:
    """Mean of each measure by system, with its 95 % bootstrap interval over scenes."""
    rng = np.random.default_rng(0)
    table: Summary = {}
    for system in dict.fromkeys(score.system for score in scores):
        chosen = [score for score in scores if score.system == system]
        table[system] = {}
        for name in MEASURES:
            values = np.array([getattr(score, name) for score in chosen])
            means = values[rng.integers(len(values), size=(resamples, len(values)))].mean(axis=1)
            low, high = np.quantile(means, [0.025, 0.975])
            table[system][name] = {"mean": float(values.mean()), "low": float(low), "high": float(high)}
    return table


def write_summary(scores: list[Score], about: dict[str, Any], path: Path) -> None:
    """Write what was measured, and how, as JSON."""
    content = {**about, "scenes": len({score.scene for score in scores}), "systems": summarize(scores)}
    with written_whole(path, force=True) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n")
