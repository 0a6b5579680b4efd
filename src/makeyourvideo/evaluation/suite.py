"""The suite on the synthetic world: held-out scenes, fixed seeds, systems side by side, resumable."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.evaluation.experts import Experts
from makeyourvideo.evaluation.measures import measure
from makeyourvideo.models.autoencoder import decode, encode
from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.pipeline_output import to_uint8
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.world.captions import caption
from makeyourvideo.world.geometry import HELD_OUT_FAMILIES
from makeyourvideo.world.render import Clip, render
from makeyourvideo.world.scene import Scene, WorldConfig, sample_scene

HELD_OUT = 10_000_000  # scenes from this seed on are never trained on
Frames = NDArray[np.uint8]
System = Callable[[Clip, str, int], Frames]


@dataclass(frozen=True)
class Score:
    """What one system's clip of one scene measures; a measure may ask about several objects, or none."""

    scene: int
    system: str
    prompt: str
    values: dict[str, list[float]]


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


def suite_scene(index: int, world: WorldConfig) -> Scene:
    """Sample held-out scene `index`; every fourth is one object of a shape that no training scene has.

    One only: the caption has no word for such shapes, so it could not say which of two is meant.
    """
    if index % 4 == 3:
        unknown = {"families": dict.fromkeys(HELD_OUT_FAMILIES, 1.0), "objects": {1: 1.0}}
        world = world.model_copy(update=unknown)
    return sample_scene(HELD_OUT + index, world)


def run_suite(
    pipe: MakeYourVideoPipeline, experts: Experts, world: WorldConfig, count: int, folder: Path
) -> Iterator[tuple[Score, Clip, Frames]]:
    """Score every system on `count` held-out scenes; scores already in `folder` are kept and skipped.

    Raises:
        InputError: the scores in `folder` cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / "scores.jsonl"
    done = {(score.scene, score.system) for score in read_scores(journal)}
    chosen = systems(pipe)
    with journal.open("a") as lines:
        for index in range(count):
            missing = [name for name in chosen if (index, name) not in done]
            if not missing:
                continue
            clip = render(suite_scene(index, world))
            other = render(suite_scene(index + 1, world)).depth
            prompt = caption(clip.scene, full=True)
            for name in missing:
                frames = chosen[name](clip, prompt, index)
                features = folder / "features" / f"{index:03d}-{name.replace(' ', '-')}.npy"
                features.parent.mkdir(exist_ok=True)
                np.save(features, experts.clip_features(frames))
                score = Score(index, name, prompt, measure(frames, clip, other, experts))
                lines.write(json.dumps(asdict(score)) + "\n")
                lines.flush()
                yield score, clip, frames


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


def mean_with_interval(groups: Sequence[list[float]], resamples: int = 2000) -> dict[str, float]:
    """Mean over all values, with its 95 % bootstrap interval over scenes (each scene one group)."""
    rng = np.random.default_rng(0)
    sums, counts = (np.array([part(group) for group in groups]) for part in (sum, len))
    drawn = rng.integers(len(groups), size=(resamples, len(groups)))
    means = sums[drawn].sum(axis=1) / np.maximum(counts[drawn].sum(axis=1), 1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(sums.sum() / counts.sum()), "low": float(low), "high": float(high)}
