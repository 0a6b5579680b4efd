"""How the sketcher paints: with what it covers objects and floors, and the light."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from makeyourvideo.training.config import PaintingConfig
from makeyourvideo.training.data import draw_clips, draw_prompts, step_generator
from makeyourvideo.training.sketcher import PAVED, miscovered, mispainted, surfaces_of, told_of
from makeyourvideo.training.sketcher_parts import SketcherPartsStage
from makeyourvideo.training.stills import Stills
from makeyourvideo.training.tokenizer import context_of

COVERINGS = {"cover": (3, 1.0), "pave": (2, PAVED)}
"""What covers objects, and floors: dimensions of their points, and how far those are asked."""
PAINTING = (*COVERINGS, "paint", "shade", "sun", "light", "colors")
"""The parts of the sketcher that are trained."""


class PaintingStage(SketcherPartsStage):
    """What the sketcher sees, reads and locates stays as it is.

    Faint patterns, as grain in wood, weigh as much as bold ones, whose errors hide them from the sketcher's
    own training. What covers objects is there on the floor, too, and what paves floors on objects: in
    pictures both learnt to make up for each other. So there, and in the sky, each stays as it was.
    """

    config: PaintingConfig

    def __init__(self, config: PaintingConfig, data: Path, model: Path, start: Path | None = None) -> None:
        super().__init__(config, data, model, start, PAINTING)
        self.stills = Stills(self.data)

    def loss(self, step: int) -> Tensor:
        """Return the errors of what covers surfaces, each by how much it varies, and of pictures."""
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, num_frames=1)
        captions = draw_prompts(rng, self.data, drawn, self.config.prompt_dropout)
        context = context_of(self.text_encoder, self.tokenizer, captions)
        answers = [self.stills.answers(name, scene) for name, scene, _ in drawn]
        told, kinds, told_context = told_of(answers, context)
        pictured = slice(self.config.pictured)
        batch = self.stills.batch(rng, drawn[pictured], self.sketcher.device)
        with torch.no_grad():
            found = self.before.about(kinds, told_context)
            seen, shapes = self.before.shapes(batch.depth)
            read = self.before.about(shapes.softmax(dim=1), context[pictured])
        wrong = miscovered(self.sketcher, found, told, rng, self.config.points)
        missed = [(errors / (varies + self.config.faintest)).mean() for errors, varies in wrong]
        held = self.config.held_weight * self._strayed(found, told, rng)
        painted = mispainted(self.sketcher, seen, read, batch, rng, self.config)
        return torch.stack([*missed, held, self.config.picture_weight * painted]).sum()

    def _strayed(self, found: Tensor, told: Tensor, rng: np.random.Generator) -> Tensor:
        """Return how far coverings are from what they were, of surfaces that they are not there for."""
        strayed = []
        for (part, (dimensions, reach)), own in zip(COVERINGS.items(), surfaces_of(told), strict=True):
            others = found[~own]
            where = rng.uniform(-reach, reach, (len(others), dimensions, self.config.held_points, 1))
            points = torch.from_numpy(where.astype(np.float32)).to(found.device)
            now, then = (
                covering(covering.asking(others), points)
                for covering in (one.get_submodule(part) for one in (self.sketcher, self.before))
            )
            strayed.append((now - then).square().mean())
        return torch.stack(strayed).sum()
