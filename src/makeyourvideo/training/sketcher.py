"""The sketcher, trained on pictures and on what the world's scenes are known to hold."""

from collections.abc import Mapping
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, one_hot
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.models.camera import Cameras, turned
from makeyourvideo.models.sketcher import KINDS, Sketcher
from makeyourvideo.training.camera import cameras_of
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
from makeyourvideo.training.record import write_part
from makeyourvideo.training.start import take_over
from makeyourvideo.training.tokenizer import context_of
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
_COLOR, _FINISH, _FLOOR = (list(LOOKS).index(question) for question in ("color", "finish", "floor"))
ROUND = ("ball", "cylinder", "cone", "capsule")
"""Families that look the same however they are turned: which way, depth does not tell."""
_POINTS = 96
"""At how many points of a surface a sentence is asked what covers it."""
PAVED = 6.0
"""How far from the middle floors are asked, in metres."""
_UNKNOWN = -100
_PLACE = 8
"""Side in pixels of what the sketcher reads about."""
_COVERED = 0.35
"""The share of a place that an object must cover for the place to be its own."""
_EMPTY_WEIGHT = 0.1
"""What a place of floor or sky counts; there are more of them, and they are easy."""

Drawn = list[tuple[str, int, slice]]


class Standing(NamedTuple):
    """How a camera stands, and how the objects do before it.

    Attributes:
        camera: one of one frame.
        poses: of the objects against a camera that looks level, `(objects, 3, 3)`: to the right, up, ahead.
        is_round: which of them look the same however they are turned.
        sun: which way the light comes from, to the right and ahead, `(2,)`.
    """

    camera: Cameras
    poses: NDArray[np.float64]
    is_round: NDArray[np.bool_]
    sun: Tensor


class Placed(NamedTuple):
    """Where everything in stills is.

    Attributes:
        points: where on its object each pixel lies, `(b, 3, h, w)`.
        wanted: the same as `Sketcher.located` is to tell it.
        floor: where on the floor, at half the size, `(b, 2, h/2, w/2)`.
        surfaces: which object it is, `(b, 1, h, w)`.
        heading: of the cameras, `(b,)`.
        sun: which way the light comes from, to the right and ahead of them, `(b, 2)`.
    """

    points: Tensor
    wanted: Tensor
    floor: Tensor
    surfaces: Tensor
    heading: Tensor
    sun: Tensor

    def mirrored(self, some: Tensor) -> "Placed":
        """Change left and right in `some` stills, `(b, 1, 1, 1)`: patterns are then their mirror images."""
        points, wanted, floor, surfaces = (torch.where(some, part.flip(3), part) for part in self[:4])
        side = torch.where(some, -1.0, 1.0)[:, 0, 0]
        wanted = torch.cat([wanted[:, :1] * side[..., None, None], wanted[:, 1:]], dim=1)
        sun = torch.cat([self.sun[:, :1] * side, self.sun[:, 1:]], dim=1)
        return Placed(points, wanted, floor, surfaces, self.heading * side[:, 0], sun)


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
        self.answers = cache(lambda name, scene: answers_of(self.data[name].scene(scene)))
        self.standing: dict[tuple[str, int, int], Standing] = {}

    def loss(self, step: int) -> Tensor:
        """Return the summed errors of what was seen, located, read and painted."""
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, num_frames=1)
        context, depth = self._context(rng, drawn), depth_of(self.data, drawn)
        pictures = pictures_of(self.data, drawn)
        labels = torch.from_numpy(np.stack([self._labels(name, scene) for name, scene, _ in drawn]))
        mirrored = torch.from_numpy(rng.random(len(drawn)) < 0.5)[:, None, None, None]
        placed = self._placed(rng, drawn).mirrored(mirrored)
        points, wanted, floor, surfaces, heading, sun = (part.to(self.sketcher.device) for part in placed)
        points, wanted, surfaces = (part[:, :, ::2, ::2] for part in (points, wanted, surfaces))
        depth, pictures, labels = (
            torch.where(mirrored, part.flip(3), part).to(self.sketcher.device)
            for part in (depth, pictures, labels)
        )
        seen, shapes = self.sketcher.shapes(depth)
        weight = torch.ones(KINDS, device=shapes.device)
        weight[[SEEN.index("floor"), SEEN.index("sky")]] = _EMPTY_WEIGHT
        unseen = cross_entropy(shapes.float(), labels[:, 0], weight)
        found = self.sketcher.about(shapes.softmax(dim=1), context)
        read = self._misread(found, labels[:, 1:]) + self._reading(rng)
        missed = (self.sketcher.located(seen, heading) - wanted).abs().mean(dim=1)
        lost = (missed * (surfaces[:, 0] > 0)).sum() / (surfaces > 0).sum().clamp(min=1)
        meaningless = torch.from_numpy(rng.uniform(-1, 1, points.shape).astype(np.float32)).to(points.device)
        points = torch.where(surfaces > 0, points, meaningless)
        sketch = self.sketcher.picture(seen, found, points, floor, sun)
        painted = self._mispainted(sketch, pictures, labels[:, 1:2] != _UNKNOWN)
        return unseen + read + self.config.point_weight * lost + self.config.picture_weight * painted

    def finish(self, model: Path) -> None:
        """Write the whole model, with the sketcher."""
        write_part(model, self.model, "sketcher", self.sketcher, self.config, self.start)

    def _mispainted(self, sketch: Tensor, pictures: Tensor, objects: Tensor) -> Tensor:
        """Return the mean absolute error of pixels, with more weight on objects, and of their differences."""
        weight = 1 + self.config.object_weight * objects.float()
        weight = weight.repeat_interleave(_PLACE, dim=2).repeat_interleave(_PLACE, dim=3)
        return picture_error(sketch, pictures, self.config.gradient_weight, weight)

    def _reading(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of sentences alone, where it is given what every surface is."""
        drawn = draw_clips(rng, self.data, self.config.readings * self.config.batch_size, num_frames=1)
        answers = [self.answers(name, scene) for name, scene, _ in drawn]
        told, kinds, context = told_of(answers, self._context(rng, drawn))
        found = self.sketcher.about(kinds, context)
        wrong = miscovered(self.sketcher, found, told, rng, _POINTS)
        covered = torch.stack([errors.mean() for errors, _ in wrong]).sum()
        return self._misread(found, told[:, 1:]) + self.config.cover_weight * covered

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
        return context_of(self.text_encoder, self.tokenizer, prompts)

    def _placed(self, rng: np.random.Generator, drawn: Drawn) -> Placed:
        """Tell where everything in some stills is, for cameras whose heading is drawn."""
        headings = rng.uniform(-np.pi, np.pi, len(drawn)).astype(np.float32)
        points, wanted, floors, surfaces, suns = [], [], [], [], []
        for (name, scene, frames), heading in zip(drawn, headings, strict=True):
            data = self.data[name]
            points.append(data.points[scene][frames][0].astype(np.float32))
            surfaces.append(data.surfaces[scene][frames][0])
            camera, poses, is_round, sun = self._standing(name, scene, frames)
            each = np.concatenate([np.eye(3)[None], _turns(poses, is_round, heading)]).astype(np.float32)
            wanted.append(each[np.maximum(surfaces[-1], 0)] @ points[-1][..., None])
            floors.append(camera.floor(*(side // 2 for side in surfaces[-1].shape))[0])
            suns.append(sun)
        return Placed(
            torch.from_numpy(np.stack(points)).movedim(-1, 1),
            torch.from_numpy(np.stack(wanted)[..., 0]).movedim(-1, 1),
            torch.cat(floors),
            torch.from_numpy(np.stack(surfaces))[:, None],
            torch.from_numpy(headings),
            torch.stack(suns),
        )

    def _standing(self, name: str, scene: int, frames: slice) -> Standing:
        key = name, scene, frames.start
        if key not in self.standing:
            self.standing[key] = standing_in(self.data[name].scene(scene).at(frames))
        return self.standing[key]

    def _labels(self, name: str, scene: int) -> NDArray[np.int64]:
        """Number what is at each place of a still, and its looks: `(1 + 5, h, w)`."""
        answers = self.answers(name, scene)
        surfaces = torch.from_numpy(self.data[name].surfaces[scene][:1].copy())
        covered = torch.cat([surfaces == number for number in range(-1, len(answers) - 1)]).float()
        shares = avg_pool2d(covered, _PLACE)
        shares[2:] *= shares[2:] > _COVERED
        shares[2:] += shares[2:] > 0  # whatever else is there
        return np.moveaxis(answers[shares.argmax(dim=0).numpy()], -1, 0)


def miscovered(
    sketcher: Sketcher, found: Tensor, told: Tensor, rng: np.random.Generator, count: int
) -> list[tuple[Tensor, Tensor]]:
    """Ask at random points what objects, and then what floors, are covered with.

    Args:
        sketcher: asked.
        found: what it read about surfaces, `(surfaces, c, 1, 1)`.
        told: what they are, and their looks, `(surfaces, 1 + 5, 1, 1)`.
        rng: draws the points.
        count: of points a surface.

    Returns:
        of objects and of floors: the mean squared error of each surface's albedo, and how much the true one
        varies over it. Squared, because an absolute error sees no dots: most points lie beside them.
    """
    things, floors = surfaces_of(told)
    looks = told[..., 0, 0].cpu().numpy()
    points = rng.uniform(-1, 1, (int(things.sum()), count, 3)).astype(np.float32)
    places = rng.uniform(-PAVED, PAVED, (int(floors.sum()), count, 2)).astype(np.float32)
    painted = [
        paint(some, LOOKS["color"][look[1 + _COLOR]], FINISHES[look[1 + _FINISH]])
        for some, look in zip(points, looks[things.cpu().numpy()], strict=True)
    ]
    paved = [
        tuple(FLOORS.values())[look[1 + _FLOOR]](some)
        for some, look in zip(places, looks[floors.cpu().numpy()], strict=True)
    ]
    wrong = []
    for covering, asked, where, what in (
        (sketcher.cover, found[things], points, painted),
        (sketcher.pave, found[floors], places, paved),
    ):
        placed, wanted = (
            torch.from_numpy(part).to(found.device).movedim(2, 1)[..., None]
            for part in (where, 2 * linear_to_srgb(np.stack(what)).astype(np.float32) - 1)
        )
        errors = (covering(covering.asking(asked), placed) - wanted).square().mean(dim=(1, 2, 3))
        wrong.append((errors, wanted.var(dim=(2, 3)).mean(dim=1)))
    return wrong


def surfaces_of(told: Tensor) -> tuple[Tensor, Tensor]:
    """Say which surfaces, `(surfaces, 1 + 5, 1, 1)` as `answers_of` numbers them, are objects and floors."""
    things, floors = (told[:, 1 + question, 0, 0] != _UNKNOWN for question in (_COLOR, _FLOOR))
    return things, floors


def told_of(answers: list[NDArray[np.int64]], context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All surfaces of some scenes by their `answers_of` and texts, `(scenes, n, d)`.

    Returns:
        what they are and their looks `(surfaces, 1 + 5, 1, 1)`, their kinds as the sketcher is given them
        `(surfaces, KINDS, 1, 1)`, and the text of each.
    """
    told = torch.from_numpy(np.concatenate(answers)).to(context.device)[:, :, None, None]
    kinds = one_hot(told[:, 0], KINDS).movedim(-1, 1).to(context.dtype)
    counts = torch.tensor([len(answer) for answer in answers], device=context.device)
    return told, kinds, context.repeat_interleave(counts, dim=0)


def _turns(
    poses: NDArray[np.float64], is_round: NDArray[np.bool_], heading: np.floating
) -> NDArray[np.float64]:
    """What takes points of objects to where `Sketcher.located` is to tell them, `(objects, 3, 3)`.

    Args:
        poses: of the objects, as in `Standing`.
        is_round: which of them look the same however they are turned: those are told as they stand.
        heading: of the camera.
    """
    turned_by = np.arctan2(-poses[:, 2, 0], poses[:, 0, 0])
    quarters = np.round((turned_by + heading) / (np.pi / 2)) * (np.pi / 2)
    return np.where(is_round[:, None, None], poses, _upright_turns(quarters - heading))


def _upright_turns(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrices that do what `upright` does, `(angles, 3, 3)`."""
    sine, cosine, none = np.sin(angles), np.cos(angles), np.zeros_like(angles)
    rows = ([cosine, none, sine], [none, none + 1, none], [-sine, none, cosine])
    return np.moveaxis(np.array(rows), 2, 0)


def standing_in(scene: Scene) -> Standing:
    """How things stand in the first frame of a scene."""
    camera = cameras_of(scene).at(slice(1))
    heading = camera.heading[0]
    sun = torch.tensor([np.cos(scene.sun_azimuth), np.sin(scene.sun_azimuth)]).float()
    return Standing(
        camera,
        poses=_upright_turns(-heading.double().numpy()) @ [thing.poses[0, :3, :3] for thing in scene.things],
        is_round=np.isin([thing.family for thing in scene.things], ROUND),
        sun=turned(sun, -heading[0]),
    )


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
