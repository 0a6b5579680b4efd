"""The sketcher, trained on pictures and on what the world's scenes are known to hold."""

import shutil
from collections.abc import Mapping
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, one_hot
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.model_folder import add_to_index
from makeyourvideo.models.sketcher import KINDS, Sketcher
from makeyourvideo.training.config import SketcherConfig
from makeyourvideo.training.data import (
    depth_of,
    draw_clips,
    draw_prompts,
    open_data,
    picture_error,
    pictures_of,
    step_generator,
)
from makeyourvideo.training.record import write_record
from makeyourvideo.training.start import take_over
from makeyourvideo.world.colors import COLORS, linear_to_srgb
from makeyourvideo.world.finishes import FINISHES, paint
from makeyourvideo.world.floors import FLOORS
from makeyourvideo.world.geometry import FAMILIES
from makeyourvideo.world.scene import Scene
from makeyourvideo.world.skies import SKIES
from makeyourvideo.world.styles import STYLES

SEEN = ("floor", *FAMILIES, "sky")
"""What depth alone can tell of a place."""
LOOKS = {
    "color": (None, *COLORS),  # materials bring their own
    "finish": FINISHES,
    "floor": tuple(FLOORS),
    "sky": tuple(SKIES),
    "style": tuple(STYLES),
}
"""What the text may say of it."""
_COLOR, _FINISH = (list(LOOKS).index(question) for question in ("color", "finish"))
_POINTS = 96
"""At how many points of an object a sentence is asked what covers it."""
_UNKNOWN = -100
_PLACE = 8
"""Side in pixels of what the sketcher reads about."""
_COVERED = 0.35
"""The share of a place that an object must cover for the place to be its own."""
_EMPTY_WEIGHT = 0.1
"""What a place of floor or sky counts; there are more of them, and they are easy."""

Drawn = list[tuple[str, int, slice]]


class SketcherStage:
    """Everything but the sketcher stays as it is.

    It says of each place what it is and, by the text, what it looks like; and it paints. The layer that turns
    what it reads into answers is thrown away.
    """

    def __init__(self, config: SketcherConfig, data: Path, model: Path, start: Path | None = None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.model, self.start = config, model, start
        self.data = open_data(config, data)
        self.tokenizer = CLIPTokenizer.from_pretrained(model / "tokenizer")
        self.text_encoder = CLIPTextModel.from_pretrained(model / "text_encoder").eval().requires_grad_(False)
        width = self.text_encoder.config.hidden_size
        self.sketcher: Sketcher = Sketcher(**config.sketcher, context_channels=width)
        if start:
            take_over(self.sketcher, start, "sketcher")
        self.sketcher.train().to(memory_format=torch.channels_last)
        self.looks = nn.Conv2d(self.sketcher.config.channels, sum(map(len, LOOKS.values())), 1)
        self.modules = nn.ModuleDict(
            {"sketcher": self.sketcher, "looks": self.looks, "text_encoder": self.text_encoder}
        )
        self.answers: dict[tuple[str, int], NDArray[np.int64]] = {}

    def loss(self, step: int) -> Tensor:
        """Return the summed errors of what was seen, located, read and painted."""
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, num_frames=1)
        context, depth = self._context(rng, drawn), depth_of(self.data, drawn)
        pictures = pictures_of(self.data, drawn)
        labels = torch.from_numpy(np.stack([self._labels(name, scene) for name, scene, _ in drawn]))
        mirrored = torch.from_numpy(rng.random(len(drawn)) < 0.5)[:, None, None, None]
        points, surfaces = self._points(drawn)
        depth, pictures, labels, points, surfaces = (
            torch.where(mirrored, part.flip(3), part).to(self.sketcher.device)
            for part in (depth, pictures, labels, points, surfaces)
        )
        points, surfaces = points[:, :, ::2, ::2], surfaces[:, :, ::2, ::2]
        seen, shapes = self.sketcher.shapes(depth)
        weight = torch.ones(KINDS, device=shapes.device)
        weight[[SEEN.index("floor"), SEEN.index("sky")]] = _EMPTY_WEIGHT
        unseen = cross_entropy(shapes.float(), labels[:, 0], weight)
        found = self.sketcher.about(shapes.softmax(dim=1), context)
        read = self._misread(found, labels[:, 1:]) + self._reading(rng)
        lost = _mislocated(self.sketcher.located(seen), _mirrored(points, mirrored), surfaces)
        meaningless = torch.from_numpy(rng.uniform(-1, 1, points.shape).astype(np.float32)).to(points.device)
        sketch = self.sketcher.picture(seen, found, torch.where(surfaces > 0, points, meaningless))
        painted = self._mispainted(sketch, pictures, labels[:, 1:2] != _UNKNOWN)
        return unseen + read + self.config.point_weight * lost + self.config.picture_weight * painted

    def finish(self, model: Path) -> None:
        """Write the whole model, with the sketcher."""
        shutil.copytree(self.model, model, dirs_exist_ok=True)
        self.sketcher.save_pretrained(model / "sketcher")
        add_to_index(model, "sketcher")
        write_record(model, self.model, self.config, self.start)

    def _mispainted(self, sketch: Tensor, pictures: Tensor, objects: Tensor) -> Tensor:
        """Return the mean absolute error of pixels, with more weight on objects, and of their differences."""
        weight = 1 + self.config.object_weight * objects.float()
        weight = weight.repeat_interleave(_PLACE, dim=2).repeat_interleave(_PLACE, dim=3)
        return picture_error(sketch, pictures, self.config.gradient_weight, weight)

    def _reading(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of sentences alone, where it is given what every surface is."""
        drawn = draw_clips(rng, self.data, self.config.readings * self.config.batch_size, num_frames=1)
        answers = [self._answers(name, scene) for name, scene, _ in drawn]
        context = self._context(rng, drawn)
        told = torch.from_numpy(np.concatenate(answers)).to(context.device)[:, :, None, None]
        kinds = one_hot(told[:, 0], KINDS).movedim(-1, 1).to(context.dtype)
        counts = torch.tensor([len(answer) for answer in answers], device=context.device)
        found = self.sketcher.about(kinds, context.repeat_interleave(counts, dim=0))
        covered = self._miscovered(found, told, rng)
        return self._misread(found, told[:, 1:]) + self.config.cover_weight * covered

    def _miscovered(self, found: Tensor, told: Tensor, rng: np.random.Generator) -> Tensor:
        """Return the mean squared error of what objects are covered with at some points.

        Squared, because an absolute error sees no dots: most points lie beside them.
        """
        objects = told[:, 1 + _COLOR, 0, 0] != _UNKNOWN
        looks = told[objects, :, 0, 0].cpu().numpy()[:, [1 + _COLOR, 1 + _FINISH]]
        points = rng.uniform(-1, 1, (len(looks), _POINTS, 3)).astype(np.float32)
        albedo = np.stack([_albedo(some, *look) for some, look in zip(points, looks, strict=True)])
        placed, wanted = (
            torch.from_numpy(part).to(found.device).movedim(2, 1)[..., None] for part in (points, albedo)
        )
        covered = self.sketcher.cover(self.sketcher.cover.asking(found[objects]), placed)
        return (covered - wanted).square().mean()

    def _misread(self, found: Tensor, labels: Tensor) -> Tensor:
        """Return the summed cross-entropy of all looks, `(b, 5, h, w)` of them."""
        answers = self.looks(found).float().split([len(known) for known in LOOKS.values()], dim=1)
        wrong = (
            cross_entropy(answer, labels[:, question], ignore_index=_UNKNOWN)
            for question, answer in enumerate(answers)
        )
        return torch.stack(list(wrong)).sum()

    def _context(self, rng: np.random.Generator, drawn: Drawn) -> Tensor:
        """Choose a caption of each scene, or none, as the text encoder gives it: `(b, n, d)`."""
        prompts = draw_prompts(rng, self.data, drawn, self.config.prompt_dropout)
        tokens = self.tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        with torch.no_grad():
            found: Tensor = self.text_encoder(tokens.to(self.sketcher.device)).last_hidden_state
        return found

    def _points(self, drawn: Drawn) -> tuple[Tensor, Tensor]:
        """Where on its object each pixel lies, `(b, 3, h, w)`, and which object it is, `(b, 1, h, w)`."""
        points = np.stack([self.data[name].points[scene][frames][0] for name, scene, frames in drawn])
        surfaces = np.stack([self.data[name].surfaces[scene][frames] for name, scene, frames in drawn])
        return torch.from_numpy(points).movedim(-1, 1).float(), torch.from_numpy(surfaces)

    def _labels(self, name: str, scene: int) -> NDArray[np.int64]:
        """Number what is at each place of a still, and its looks: `(1 + 5, h, w)`."""
        answers = self._answers(name, scene)
        surfaces = torch.from_numpy(self.data[name].surfaces[scene][:1].copy())
        covered = torch.cat([surfaces == number for number in range(-1, len(answers) - 1)]).float()
        shares = avg_pool2d(covered, _PLACE)
        shares[2:] *= shares[2:] > _COVERED
        shares[2:] += shares[2:] > 0  # whatever else is there
        return np.moveaxis(answers[shares.argmax(dim=0).numpy()], -1, 0)

    def _answers(self, name: str, scene: int) -> NDArray[np.int64]:
        """Number what sky, floor and each object of a scene are, and their looks: `(2 + objects, 1 + 5)`."""
        if (name, scene) not in self.answers:
            self.answers[name, scene] = answers_of(self.data[name].scene(scene))
        return self.answers[name, scene]


def _mirrored(points: Tensor, mirrored: Tensor) -> Tensor:
    """Points of objects of which some are mirrored: left and right change places, handed as before."""
    turned = torch.where(mirrored.to(points.device), -points[:, :1], points[:, :1])
    return torch.cat([turned, points[:, 1:]], dim=1)


def _mislocated(found: Tensor, points: Tensor, surfaces: Tensor) -> Tensor:
    """Return the mean absolute error of points, of each object up to quarter turns about its upright axis.

    Which side of a cube is its front, or how a ball has turned, depth does not tell.
    """
    x, y, z = points.split(1, dim=1)
    turns = ((x, y, z), (z, y, -x), (-x, y, -z), (-z, y, x))
    errors = torch.stack([(found - torch.cat(turn, dim=1)).abs().mean(dim=1) for turn in turns], dim=1)
    numbers = range(1, max(int(surfaces.max()), 1) + 1)
    best = [(errors * (surfaces == number)).sum(dim=(2, 3)).amin(dim=1) for number in numbers]
    return torch.stack(best).sum() / (surfaces > 0).sum().clamp(min=1)


def _albedo(points: NDArray[np.float32], color: int, finish: int) -> NDArray[np.float32]:
    """What points are covered with by the numbers of its colour and finish: `(n, 3)` in [-1, 1]."""
    return 2 * linear_to_srgb(paint(points, LOOKS["color"][color], FINISHES[finish])) - 1


def answers_of(scene: Scene) -> NDArray[np.int64]:
    """Number what each surface is, and its looks: sky, floor, then the objects; `(2 + objects, 1 + 5)`."""
    style = {"style": scene.style}
    surfaces: list[tuple[str, dict[str, str | None]]] = [
        ("sky", {"sky": scene.sky, **style}),
        ("floor", {"floor": scene.floor, **style}),
        *((thing.family, {"color": thing.color, "finish": thing.finish, **style}) for thing in scene.things),
    ]
    return np.array([[SEEN.index(what), *map(_answer, LOOKS, repeat(looks))] for what, looks in surfaces])


def _answer(question: str, looks: Mapping[str, str | None]) -> int:
    known: tuple[str | None, ...] = LOOKS[question]
    return known.index(looks[question]) if question in looks else _UNKNOWN
