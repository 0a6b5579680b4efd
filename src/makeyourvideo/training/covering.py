"""What the sketcher covers objects and floors with, taught from sentences and points alone."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from makeyourvideo.training.config import CoveringConfig
from makeyourvideo.training.sketcher import miscovered, surfaces_of, told_of
from makeyourvideo.training.sketcher_parts import SketcherPartsStage
from makeyourvideo.training.tokenizer import context_of

COVERINGS = ("cover", "pave")
"""The parts of the sketcher that are trained."""


class CoveringStage(SketcherPartsStage):
    """Everything but the sketcher's coverings stays as it is.

    Faint patterns, as grain in wood, weigh as much as bold ones, whose errors hide them from the sketcher's
    own training.
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
        missed = [(errors / (varies + self.config.faintest).sqrt()).mean() for errors, varies in wrong]
        return torch.stack([*missed, self.config.held_weight * self._strayed(found, told, rng)]).sum()

    def _strayed(self, found: Tensor, told: Tensor, rng: np.random.Generator) -> Tensor:
        """Return how far what covers the sky, where light was learnt with it, is from what it was."""
        others = found[~torch.stack(surfaces_of(told)).any(dim=0)]
        points = rng.uniform(-1, 1, (len(others), 3, self.config.held_points, 1)).astype(np.float32)
        now, then = (
            sketcher.cover(sketcher.cover.asking(others), torch.from_numpy(points).to(found.device))
            for sketcher in (self.sketcher, self.before)
        )
        return (now - then).square().mean()
