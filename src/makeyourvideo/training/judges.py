"""The judges: classifiers trained on the world's truth, so that the suite can ask what a picture shows."""

from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from makeyourvideo.models.judge import Judge, object_crop
from makeyourvideo.training.config import JudgesConfig
from makeyourvideo.training.data import draw_clips, open_data, step_generator, to_signed
from makeyourvideo.training.record import write_record
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


class JudgesStage:
    """Modules and loss of the stage: one judge of single objects, one of whole pictures."""

    def __init__(self, config: JudgesConfig, data: Path) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.data = open_data(config, data)
        self.judges = {
            "objects": Judge(QUESTIONS["objects"], in_channels=4).train(),
            "scenes": Judge(QUESTIONS["scenes"], in_channels=3).train(),
        }
        self.modules = nn.ModuleDict(self.judges)

    def loss(self, step: int) -> Tensor:
        """Return the mean cross-entropy over all questions of a step's pictures, some of them mirrored."""
        rng = step_generator(self.config, step)
        whole, crops = [], []
        answers: dict[str, list[int]] = {name: [] for part in QUESTIONS.values() for name in part}
        for name, index, frames in draw_clips(rng, self.data, self.config.batch_size, num_frames=1):
            data = self.data[name]
            scene, columns = data.scene(index), slice(None, None, int(rng.choice([-1, 1])))
            surfaces = torch.from_numpy(data.surfaces[index][frames][0][:, columns].copy())
            picture = to_signed(_softened(data.frames[index][frames][0][:, columns], rng))
            whole.append(picture)
            for question, answer in scene_answers(scene).items():
                answers[question].append(answer)
            for number, thing in enumerate(scene.things, start=1):
                if (surfaces == number).float().mean() > _SMALLEST:
                    crops.append(object_crop(picture, surfaces == number))
                    answers["finish"].append(FINISHES.index(thing.finish))
        asked = {"objects": torch.stack(crops), "scenes": torch.stack(whole)}
        losses = [
            cross_entropy(logits.float(), torch.tensor(answers[question]), ignore_index=_IGNORED)
            for part, pictures in asked.items()
            for question, logits in self.judges[part](pictures).items()
        ]
        return torch.stack(losses).sum()

    def finish(self, model: Path) -> None:
        """Write `judges/objects/` and `judges/scenes/`."""
        for part, judge in self.judges.items():
            judge.save_pretrained(model / "judges" / part)
        write_record(model, None, self.config)


def scene_answers(scene: Scene) -> dict[str, int]:
    """Number the right answers about a scene; -100 where its style hides them."""
    colorless, neon = scene.style in COLORLESS, scene.style == "neon"
    return {
        "floor": _IGNORED if colorless else list(FLOORS).index(scene.floor),
        "sky": _IGNORED if colorless or neon else list(SKIES).index(scene.sky),
        "style": list(STYLES).index(scene.style),
    }


def _softened(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur some pictures a little and make others noisy, as generated ones are; still the same things."""
    changed = frame.astype(np.float64)
    if rng.random() < 0.5:
        changed = gaussian_filter(changed, (*[rng.uniform(0.2, 0.8)] * 2, 0))
    if rng.random() < 0.3:
        changed = changed + rng.normal(0, rng.uniform(1, 5), changed.shape)
    return np.clip(changed, 0, 255).astype(np.uint8)
