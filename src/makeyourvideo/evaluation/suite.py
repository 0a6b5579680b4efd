"""The suite on the synthetic world: held-out scenes, fixed seeds, systems side by side, resumable."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

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
WINDOW = 16  # frames that are measured at once
GROUND_TRUTH, MODEL = "ground truth", "model"
_AUTOENCODER, _OFF = "through the autoencoder", "temporal layers off"
_NOISE, _NOISE_OFF = "from noise", "from noise without temporal layers"
Frames = NDArray[np.uint8]
System = Callable[[Clip, str, int], Frames]
Pipelines = Mapping[str, MakeYourVideoPipeline]
Key = tuple[int, str, int, int]  # scene, system, frames of its clip, the first that is measured


@dataclass(frozen=True)
class Part:
    """A table of the suite: the systems that are compared on the first `scenes` scenes.

    Attributes:
        title: what the table shows.
        systems: by name; the same name means the same clips in every part.
        scenes: how many held-out scenes.
        num_frames: of each clip. Of longer ones than `WINDOW` the first and the last frames are measured.
        compared: pairs of systems, the first to be told as multiples of the second.
    """

    title: str
    systems: Mapping[str, System]
    scenes: int
    num_frames: int = WINDOW
    compared: Sequence[tuple[str, str]] = ()

    @property
    def windows(self) -> dict[str, int]:
        """First frame of each measured stretch, by name."""
        if self.num_frames == WINDOW:
            return {"": 0}
        return {f"first {WINDOW}": 0, f"last {WINDOW}": self.num_frames - WINDOW}

    @property
    def keys(self) -> list[Key]:
        """Of all scores that it takes, scene by scene."""
        return [
            (scene, system, self.num_frames, start)
            for scene in range(self.scenes)
            for system in self.systems
            for start in self.windows.values()
        ]

    @property
    def columns(self) -> dict[str, tuple[str, int]]:
        """System and first frame of each column of the table: a system, or one of its windows."""
        return {
            ", ".join(word for word in (system, window) if word): (system, start)
            for system in self.systems
            for window, start in self.windows.items()
        }

    @property
    def ratios(self) -> list[tuple[str, str]]:
        """Pairs of columns, the first told as multiples of the second; of longer clips also end and start."""
        pairs = list(self.compared)
        if self.num_frames > WINDOW:
            pairs += [(f"{system}, last {WINDOW}", f"{system}, first {WINDOW}") for system in self.systems]
        return pairs


@dataclass(frozen=True)
class Score:
    """What `WINDOW` frames of one system's clip measure; a measure may ask of several objects, or none.

    `prompt` is the scene's whole caption, also where a system is told less of it, or nothing.
    """

    scene: int
    system: str
    num_frames: int
    start: int
    prompt: str
    values: dict[str, list[float]]

    @property
    def key(self) -> Key:
        """What it is of."""
        return self.scene, self.system, self.num_frames, self.start

    @property
    def name(self) -> str:
        """Stem of the files that belong to it."""
        return f"{self.scene:03d}-{self.system.replace(' ', '-')}-{self.num_frames}-{self.start}"


def suite_parts(
    pipe: MakeYourVideoPipeline, ablations: Pipelines, scenes: int, ablation_scenes: int, long_scenes: int
) -> list[Part]:
    """Lay the suite out: the model against the truth, against what it is made of, and beyond its length.

    Args:
        pipe: the model.
        ablations: models trained without one of its parts, and what they are to be compared with.
        scenes: of the first table.
        ablation_scenes: of the ablations, among which the model without depth (at strength 0), without text
            (an empty prompt), without being told where the light comes from, with every frame made as a
            clip of its own, and without a sketch, from noise alone, with temporal layers and without, always
            are. A sketch holds still without them; from noise nothing else makes a clip of the frames.
        long_scenes: of 64 frames, and of 128.
    """
    model, still = generated(pipe), generated(pipe, temporal=False)
    others = {name: generated(other) for name, other in ablations.items()}
    truth: dict[str, System] = {GROUND_TRUTH: lambda clip, _prompt, _seed: clip.frames}
    off = {_OFF: still}
    ablated = off | {
        "text only": generated(pipe, depth_strength=0),
        "depth only": generated(pipe, text=False),
        "light untold": _light_untold(model),
        "frame by frame": _frame_by_frame(still),
        _NOISE: generated(pipe, sketch_share=0),
        _NOISE_OFF: generated(pipe, temporal=False, sketch_share=0),
        **others,
    }
    parts = [
        Part(
            "held-out scenes",
            truth | {_AUTOENCODER: _decoded(pipe), MODEL: model} | off,
            scenes,
            compared=[(MODEL, other) for other in (GROUND_TRUTH, _AUTOENCODER, _OFF)],
        ),
        Part(
            "ablations",
            {MODEL: model} | ablated,
            ablation_scenes,
            compared=[*((name, MODEL) for name in ablated), (_NOISE, _NOISE_OFF)],
        ),
    ]
    parts += [
        Part(f"{num_frames} frames", truth | {MODEL: model} | others, long_scenes, num_frames)
        for num_frames in (64, 128)
    ]
    return [part for part in parts if part.scenes]


def _decoded(pipe: MakeYourVideoPipeline) -> System:
    """The truth through the autoencoder."""

    @torch.no_grad()
    def run(clip: Clip, _prompt: str, _seed: int) -> Frames:
        frames = torch.from_numpy(clip.frames).permute(3, 0, 1, 2)[None] / 127.5 - 1
        decoded = decode(pipe.vae, encode(pipe.vae, frames), slice_size=4)
        return to_uint8((decoded.transpose(1, 2) / 2 + 0.5).clamp(0, 1))[0]

    return run


def _light_untold(model: System) -> System:
    """The same with a prompt that does not say where the light comes from."""

    def run(clip: Clip, _prompt: str, seed: int) -> Frames:
        return model(clip, caption(clip.scene, full=True, light=False), seed)

    return run


def _frame_by_frame(model: System) -> System:
    """Each frame made as if there were no other: a sketch has nothing to follow through the clip, either."""

    def run(clip: Clip, prompt: str, seed: int) -> Frames:
        alone = [slice(frame, frame + 1) for frame in range(len(clip.frames))]
        return np.concatenate([model(clip.at(one), prompt, seed) for one in alone])

    return run


def generated(
    pipe: MakeYourVideoPipeline, *, temporal: bool = True, text: bool = True, **asked: Any
) -> System:
    """A clip from prompt and depth; every system starts from the noise of the same seed.

    Args:
        pipe: the model.
        temporal: whether its temporal layers work.
        text: whether it is told the prompt.
        asked: further arguments of the pipeline.
    """

    def run(clip: Clip, prompt: str, seed: int) -> Frames:
        pipe.unet.temporal_enabled = temporal
        try:
            frames, height, width = clip.depth.shape
            made = pipe(
                prompt if text else "",
                DepthVideo.from_metric_depth(clip.depth),
                num_frames=frames,
                height=height,
                width=width,
                generator=torch.Generator().manual_seed(seed),
                return_dict=False,
                **asked,
            )
            return made[0][0]
        finally:
            pipe.unet.temporal_enabled = True

    return run


def shape_is_held_out(index: int) -> bool:
    """Whether held-out scene `index` shows a shape that no training scene has."""
    return index % 4 == 3


def suite_scene(index: int, world: WorldConfig, num_frames: int = WINDOW) -> Scene:
    """Sample held-out scene `index`; every fourth is one object of a shape that no training scene has.

    One only: the caption has no word for such shapes, so it could not say which of two is meant.
    """
    if shape_is_held_out(index):
        unknown = {"families": dict.fromkeys(HELD_OUT_FAMILIES, 1.0), "objects": {1: 1.0}}
        world = world.model_copy(update=unknown)
    return sample_scene(HELD_OUT + index, world, num_frames)


def run_suite(
    parts: Sequence[Part], experts: Experts, world: WorldConfig, folder: Path
) -> Iterator[tuple[Score, Frames, Frames]]:
    """Score every system of every part, each clip once; what `folder` holds already is kept and skipped.

    Yields:
        a score, the frames that it is of, and the true ones.

    Raises:
        InputError: the scores in `folder` cannot be read.
    """
    (folder / "features").mkdir(parents=True, exist_ok=True)
    journal = folder / "scores.jsonl"
    done = {score.key for score in read_scores(journal)}
    with journal.open("a") as lines:
        lines.truncate(_whole_lines(journal))
        for part in parts:
            missing = [key for key in part.keys if key not in done]
            for index, keys in groupby(missing, key=itemgetter(0)):
                clip = render(suite_scene(index, world, part.num_frames))
                other = render(suite_scene(index + 1, world)).depth
                prompt = caption(clip.scene, full=True)
                for name, windows in groupby(keys, key=itemgetter(1)):
                    made = part.systems[name](clip, prompt, index)
                    for *_, start in windows:
                        window = slice(start, start + WINDOW)
                        values = measure(made[window], clip.at(window), other, experts)
                        score = Score(index, name, part.num_frames, start, prompt, values)
                        np.save(
                            folder / "features" / f"{score.name}.npy", experts.clip_features(made[window])
                        )
                        lines.write(json.dumps(asdict(score)) + "\n")
                        lines.flush()
                        done.add(score.key)
                        yield score, made[window], clip.frames[window]


def read_scores(journal: Path) -> list[Score]:
    """Read scores written so far, but for a last line that a stop cut short.

    Raises:
        InputError: the journal holds a line that is no score.
    """
    if not journal.exists():
        return []
    try:
        whole = journal.read_text()[: _whole_lines(journal)]
        return [Score(**json.loads(line)) for line in whole.splitlines()]
    except (json.JSONDecodeError, TypeError) as error:
        raise InputError(journal, "one score a line", str(error)) from error


def _whole_lines(journal: Path) -> int:
    """How many bytes, all of ASCII, end in a line that is whole."""
    return journal.read_bytes().rfind(b"\n") + 1
