"""The sketcher, trained on pictures and on what the world's scenes are known to hold."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.models.relief import relief
from makeyourvideo.models.segments import Segments, segmented
from makeyourvideo.models.sketcher import KINDS, Reading, Sketcher
from makeyourvideo.training.config import ShadingConfig, SketcherConfig
from makeyourvideo.training.data import (
    draw_clips,
    draw_prompts,
    open_data,
    picture_error,
    step_generator,
)
from makeyourvideo.training.record import write_part
from makeyourvideo.training.start import take_over
from makeyourvideo.training.stills import LOOKS, PLACE, SEEN, UNKNOWN, Batch, Drawn, Stills
from makeyourvideo.training.tokenizer import context_of
from makeyourvideo.world.colors import linear_to_srgb
from makeyourvideo.world.finishes import FINISHES, paint
from makeyourvideo.world.floors import FLOORS

_POINTS = 96
"""At how many points of a surface a sentence is asked what covers it."""
_PAVED = 6.0
"""How far from the middle floors are asked, in metres."""
_COLOR, _FINISH, _FLOOR = map(list(LOOKS).index, ("color", "finish", "floor"))
_EMPTY_WEIGHT = 0.1
"""What a place of floor or sky counts; there are more of them, and they are easy."""


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
        self.stills = Stills(self.data)

    def loss(self, step: int) -> Tensor:
        """Return the summed errors of what was seen, located, read and painted."""
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, num_frames=1)
        context = self._context(rng, drawn)
        batch = self.stills.batch(rng, drawn, self.sketcher.device)
        seen, kinds = self.sketcher.shapes(batch.depth)
        weight = torch.ones(KINDS, device=kinds.device)
        weight[[SEEN.index("floor"), SEEN.index("sky")]] = _EMPTY_WEIGHT
        unseen = cross_entropy(kinds.float(), batch.labels[:, 0], weight)
        segments = segmented(batch.depth)
        reading = self.sketcher.read(kinds, segments.means(kinds), context)
        places, _ = reading.split(reading.found)
        read = misread(self.looks(places), batch.labels[:, 1:]) + self._reading(rng)
        wanted, surfaces = (part[:, :, ::2, ::2] for part in (batch.placed.wanted, batch.placed.surfaces))
        missed = (self.sketcher.located(seen) - wanted).abs().mean(dim=1)
        lost = (missed * (surfaces[:, 0] > 0)).sum() / (surfaces > 0).sum().clamp(min=1)
        painted = mispainted(self.sketcher, seen, reading, segments, batch, rng, self.config)
        return unseen + read + self.config.point_weight * lost + self.config.picture_weight * painted

    def finish(self, model: Path) -> None:
        """Write the whole model, with the sketcher."""
        write_part(model, self.model, "sketcher", self.sketcher, self.config, self.start)

    def _reading(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of sentences alone, where it is given what every surface is."""
        drawn = draw_clips(rng, self.data, self.config.readings * self.config.batch_size, num_frames=1)
        answers = [self.stills.answers(name, scene) for name, scene, _ in drawn]
        told, kinds, context = told_of(answers, self._context(rng, drawn))
        found = self.sketcher.about(kinds, context)
        wrong = miscovered(self.sketcher, found, told, rng, _POINTS)
        covered = torch.stack([errors.mean() for errors, _ in wrong]).sum()
        return misread(self.looks(found), told[:, 1:]) + self.config.cover_weight * covered

    def _context(self, rng: np.random.Generator, drawn: Drawn) -> Tensor:
        """Choose a caption of each scene, or none, as the text encoder gives it: `(b, n, d)`."""
        prompts = draw_prompts(rng, self.data, drawn, self.config.prompt_dropout)
        return context_of(self.text_encoder, self.tokenizer, prompts)


def misread(answers: Tensor, looks: Tensor) -> Tensor:
    """Return the summed cross-entropy of answers, as logits of all looks, to the `(b, 5, h, w)` of them."""
    split = answers.float().split([len(known) for known in LOOKS.values()], dim=1)
    wrong = (
        cross_entropy(answer, looks[:, question], ignore_index=UNKNOWN)
        for question, answer in enumerate(split)
    )
    return torch.stack(list(wrong)).sum()


def mispainted(
    sketcher: Sketcher,
    seen: list[Tensor],
    reading: Reading,
    segments: Segments,
    batch: Batch,
    rng: np.random.Generator,
    config: SketcherConfig | ShadingConfig,
) -> Tensor:
    """Paint stills and compare: the mean absolute error of pixels, and of their differences.

    Args:
        sketcher: paints.
        seen: what it sees of their depth, from `shapes`.
        reading: what it read, from `read`.
        segments: of the depth.
        batch: the stills.
        rng: draws points where no object is; they mean nothing there.
        config: says how much more objects count.
    """
    _, pictures, labels, placed = batch
    points, surfaces = (part[:, :, ::2, ::2] for part in (placed.points, placed.surfaces))
    meaningless = torch.from_numpy(rng.uniform(-1, 1, points.shape).astype(np.float32)).to(points.device)
    points = torch.where(surfaces > 0, points, meaningless)
    lit = relief(batch.depth, placed.sun, segments.objects[:, :, ::2, ::2])
    sketch = sketcher.picture(seen, reading, points, placed.floor, lit, segments)
    weight = 1 + config.object_weight * (labels[:, 1:2] != UNKNOWN).float()
    weight = weight.repeat_interleave(PLACE, dim=2).repeat_interleave(PLACE, dim=3)
    return picture_error(sketch, pictures, config.gradient_weight, weight)


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
    places = rng.uniform(-_PAVED, _PAVED, (int(floors.sum()), count, 2)).astype(np.float32)
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
    things, floors = (told[:, 1 + question, 0, 0] != UNKNOWN for question in (_COLOR, _FLOOR))
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
