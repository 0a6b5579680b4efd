"""The sketcher's reading, taught by itself what is said of things that are called by no name of their own.

A shape that no training scene has looks a little like several that it knows, and people call it "object",
"shape" or "thing". So names are taken out of captions, what is seen of the thing is blurred over the known
shapes, and the answer is to be the one that it gives when it is told the name.
"""

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from makeyourvideo.models.sketcher import KINDS
from makeyourvideo.training.config import ReadingConfig
from makeyourvideo.training.data import depth_of
from makeyourvideo.training.sketcher_parts import SketcherPartsStage
from makeyourvideo.training.stills import SEEN
from makeyourvideo.training.tokenizer import context_of
from makeyourvideo.world.captions import GENERIC, NOUNS, article

READING = ("names", "words", "phrases", "read", "mix", "norm")
"""The parts of the sketcher that answer what the text says of a place."""
_FAMILIES = range(SEEN.index("floor") + 1, SEEN.index("sky"))
_KIND_OF = {noun: SEEN.index(family) for family, nouns in NOUNS.items() if nouns for noun in nouns}
_NOUN = re.compile(rf"\b({'|'.join(sorted(_KIND_OF, key=len, reverse=True))})\b")
_BLUR = 4
"""Rows and columns of the grid on which what a thing looks like changes from place to place."""


class ReadingStage(SketcherPartsStage):
    """Everything but the sketcher's reading stays as it is."""

    config: ReadingConfig

    def __init__(self, config: ReadingConfig, data: Path, model: Path, start: Path | None = None) -> None:
        super().__init__(config, data, model, start, READING)

    def loss(self, step: int) -> Tensor:
        """Return how far the answers are from those before: to captions as they are, and without a name."""
        rng, drawn, captions = self.draw(step)
        unnamed, kinds_of = zip(*(without_name(caption, rng) for caption in captions), strict=True)
        context, other_context = (
            context_of(self.text_encoder, self.tokenizer, prompts) for prompts in (captions, unnamed)
        )
        with torch.no_grad():
            seen = self.before.shapes(depth_of(self.data, drawn).to(self.before.device))[1].softmax(dim=1)
            blurred, share = blur(seen, kinds_of, rng, self.config.sharpness)
            wanted = self.before.about(seen, context)
        weight = 1 + self.config.object_weight * share
        kept, told = (
            ((self.sketcher.about(*asked) - wanted).square() * weight).mean()
            for asked in ((seen, context), (blurred, other_context))
        )
        return kept + told


def without_name(caption: str, rng: np.random.Generator) -> tuple[str, tuple[int, ...]]:
    """Call one of the things in a caption by a word that fits anything.

    Returns:
        the caption, and the kinds of surface that the thing may be taken for: of the only thing all shapes,
        of one of several what its name says, and none where no thing is named.
    """
    named = list(_NOUN.finditer(caption))
    if not named:
        return caption, ()
    chosen = named[rng.integers(len(named))]
    changed = caption[: chosen.start()] + str(rng.choice(GENERIC)) + caption[chosen.end() :]
    changed = re.sub(r"\ban? (\w+)", lambda found: article(found[1]), changed)
    return changed, tuple(_FAMILIES) if len(named) == 1 else (_KIND_OF[chosen[1]],)


def blur(
    seen: Tensor,
    kinds_of: tuple[tuple[int, ...], ...],
    rng: np.random.Generator,
    sharpness: tuple[float, float],
) -> tuple[Tensor, Tensor]:
    """Spread what is seen of a thing over all shapes of things.

    Args:
        seen: how likely each place is of which kind, `(b, KINDS, h, w)`.
        kinds_of: of each picture the kinds that the thing may be taken for.
        rng: draws what it looks like, and how that changes from place to place.
        sharpness: least and greatest spread of the logits.

    Returns:
        the same of the thing without a name, and how likely each place is part of it, `(b, 1, h, w)`.
    """
    is_thing = torch.zeros(len(seen), KINDS)
    for row, kinds in zip(is_thing, kinds_of, strict=True):
        row[list(kinds)] = 1
    is_thing = is_thing.to(seen)[..., None, None]
    share = (seen * is_thing).sum(dim=1, keepdim=True)
    whole, local = (
        torch.from_numpy(rng.standard_normal((len(seen), len(_FAMILIES), side, side), np.float32))
        for side in (1, _BLUR)
    )
    logits = whole + interpolate(local, size=seen.shape[2:], mode="bilinear")
    spread = torch.from_numpy(rng.uniform(*sharpness, (len(seen), 1, 1, 1)).astype(np.float32))
    taken_for = torch.zeros_like(seen)
    taken_for[:, _FAMILIES.start : _FAMILIES.stop] = (spread * logits).softmax(dim=1).to(seen)
    return seen * (1 - is_thing) + share * taken_for, share
