"""The judges: classifiers trained on the world's truth, so that the suite can ask what a picture shows."""

from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.models.judge import Judge, object_crop, turned
from makeyourvideo.training.config import JudgesConfig
from makeyourvideo.training.data import draw_clips, open_data, step_generator, to_signed
from makeyourvideo.training.record import write_record
from makeyourvideo.training.start import take_fitting
from makeyourvideo.world.finishes import FINISHES
from makeyourvideo.world.floors import FLOORS
from makeyourvideo.world.scene import Scene
from makeyourvideo.world.skies import SKIES
from makeyourvideo.world.styles import COLORLESS, STYLES

QUESTIONS = {
    "objects": {"finish": FINISHES},
    "scenes": {"floor": tuple(FLOORS), "sky": tuple(SKIES), "style": tuple(STYLES)},
}
_IGNORED = -100
_SMALLEST = 0.02
_TURN = np.deg2rad(20)
_SHIFT = 0.1
"""Of half a crop's side."""
_SIZES = (0.85, 1.25)
"""How much a crop shows, of what it showed before."""


class JudgesStage:
    """Modules and loss of the stage: one judge of single objects, one of whole pictures."""

    def __init__(self, config: JudgesConfig, data: Path, start: Path | None = None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.start = config, start
        self.data = open_data(config, data)
        self.judges = {
            "objects": Judge(QUESTIONS["objects"], in_channels=4, **config.objects).train(),
            "scenes": Judge(QUESTIONS["scenes"], **config.scenes).train(),
        }
        if start:
            for part, judge in self.judges.items():
                if not (start / "judges" / part).is_dir():
                    raise InputError("--start", "a folder with judges/", str(start))
                with unreadable_unless(start, "judges"):
                    before = Judge.from_pretrained(start / "judges" / part, dtype=torch.float32)
                take_fitting(judge, before.state_dict())
        self.modules = nn.ModuleDict(self.judges)

    def loss(self, step: int) -> Tensor:
        """Return the mean cross-entropy over all questions of a step's pictures, some of them mirrored.

        Objects are also turned, moved and resized a little, which leaves their finish as it is.
        """
        rng = step_generator(self.config, step)
        whole: list[Tensor] = []
        crops: list[Tensor] = []
        answers: dict[str, list[int]] = {name: [] for part in QUESTIONS.values() for name in part}
        for name, index, frames in draw_clips(rng, self.data, self.config.batch_size, num_frames=1):
            data = self.data[name]
            scene, columns = data.scene(index), slice(None, None, int(rng.choice([-1, 1])))
            surfaces = torch.from_numpy(data.surfaces[index][frames][0][:, columns].copy())
            picture = to_signed(_softened(data.frames[index][frames][0][:, columns], rng))
            if len(whole) < self.config.scene_batch_size:
                whole.append(picture)
                for question, answer in scene_answers(scene).items():
                    answers[question].append(answer)
            for number, thing in enumerate(scene.things, start=1):
                if (surfaces == number).float().mean() > _SMALLEST:
                    crops.append(object_crop(picture, surfaces == number))
                    answers["finish"].append(FINISHES.index(thing.finish))
        asked = {"objects": _looked_at(torch.stack(crops), rng), "scenes": torch.stack(whole)}
        losses = [
            _wrong(logits.float(), torch.tensor(answers[question]))
            for part, pictures in asked.items()
            for question, logits in self.judges[part](pictures).items()
        ]
        return torch.stack(losses).sum()

    def finish(self, model: Path) -> None:
        """Write `judges/objects/` and `judges/scenes/`."""
        for part, judge in self.judges.items():
            judge.save_pretrained(model / "judges" / part)
        write_record(model, None, self.config, self.start)


def scene_answers(scene: Scene) -> dict[str, int]:
    """Number the right answers about a scene; -100 where its style hides them."""
    colorless, neon = scene.style in COLORLESS, scene.style == "neon"
    return {
        "floor": _IGNORED if colorless else list(FLOORS).index(scene.floor),
        "sky": _IGNORED if colorless or neon else list(SKIES).index(scene.sky),
        "style": list(STYLES).index(scene.style),
    }


def _wrong(logits: Tensor, answers: Tensor) -> Tensor:
    """Return the mean cross-entropy where there is an answer, 0 if there is none."""
    known = (answers != _IGNORED).sum().clamp(min=1)
    return cross_entropy(logits, answers, ignore_index=_IGNORED, reduction="sum") / known


def _looked_at(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn crops `b c h w` by up to 20 degrees, move them a little, and change their size."""
    count = len(crops)
    angle, size = rng.uniform(-_TURN, _TURN, count), rng.uniform(*_SIZES, count)
    shift = rng.uniform(-_SHIFT, _SHIFT, (count, 2))
    return turned(crops, *map(torch.from_numpy, (angle, size, shift)))


def _softened(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur some pictures a little and make others noisy, as generated ones are; still the same things."""
    changed = frame.astype(np.float64)
    if rng.random() < 0.5:
        changed = gaussian_filter(changed, (*[rng.uniform(0.2, 0.8)] * 2, 0))
    if rng.random() < 0.3:
        changed = changed + rng.normal(0, rng.uniform(1, 5), changed.shape)
    return np.clip(changed, 0, 255).astype(np.uint8)
