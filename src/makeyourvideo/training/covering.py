"""What the sketcher covers objects and floors with, taught from sentences and points alone."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from makeyourvideo.training.config import CoveringConfig
from makeyourvideo.training.sketcher import PAVED, miscovered, surfaces_of, told_of
from makeyourvideo.training.sketcher_parts import SketcherPartsStage
from makeyourvideo.training.tokenizer import context_of

COVERINGS = {"cover": (3, 1.0), "pave": (2, PAVED)}
"""The parts of the sketcher that are trained: dimensions of their points, and how far those are asked."""


class CoveringStage(SketcherPartsStage):
    """Everything but the sketcher's coverings stays as it is.

    Faint patterns, as grain in wood, weigh as much as bold ones, whose errors hide them from the sketcher's
    own training. What covers objects is there on the floor, too, and what paves floors on objects: in
    pictures both learnt to make up for each other. So there, and in the sky, each stays as it was.
    """

    config: CoveringConfig

    def __init__(self, config: CoveringConfig, data: Path, model: Path, start: Path | None = None) -> None:
        super().__init__(config, data, model, start, COVERINGS)

    def loss(self, step: int) -> Tensor:
        """Return the errors of what covers surfaces, each by how much it varies, and of what was to stay."""
        rng, drawn, captions = self.draw(step)
        answers = [self.stills.answers(name, scene) for name, scene, _ in drawn]
        context = context_of(self.text_encoder, self.tokenizer, captions)
        told, kinds, context = told_of(answers, context)
        with torch.no_grad():
            found = self.before.about(kinds, context)
        wrong = miscovered(self.sketcher, found, told, rng, self.config.points)
        missed = [(errors / (varies + self.config.faintest)).mean() for errors, varies in wrong]
        return torch.stack([*missed, self.config.held_weight * self._strayed(found, told, rng)]).sum()

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
