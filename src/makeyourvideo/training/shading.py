"""How the sketcher shades what it covers surfaces with, and what styles make of it, taught from pictures."""

from pathlib import Path

import torch
from torch import Tensor

from makeyourvideo.models.segments import segmented
from makeyourvideo.training.config import ShadingConfig
from makeyourvideo.training.sketcher import mispainted
from makeyourvideo.training.sketcher_parts import SketcherPartsStage
from makeyourvideo.training.tokenizer import context_of

SHADING = ("paint", "gray", "shade", "light", "colors", "sharpen")
"""The parts of the sketcher that are trained."""


class ShadingStage(SketcherPartsStage):
    """What the sketcher sees, reads and locates stays as it is, and so do its coverings.

    Those were taught by themselves, so the light that had been learnt with the ones before is theirs no more.
    """

    config: ShadingConfig

    def __init__(self, config: ShadingConfig, data: Path, model: Path, start: Path | None = None) -> None:
        super().__init__(config, data, model, start, SHADING)

    def loss(self, step: int) -> Tensor:
        """Return the error of pictures."""
        rng, drawn, captions = self.draw(step)
        context = context_of(self.text_encoder, self.tokenizer, captions)
        batch = self.stills.batch(rng, drawn, self.sketcher.device)
        with torch.no_grad():
            seen, kinds = self.before.shapes(batch.depth)
            segments = segmented(batch.depth)
            reading = self.before.read(kinds, segments.means(kinds), context)
        return mispainted(self.sketcher, seen, reading, segments, batch, rng, self.config)
