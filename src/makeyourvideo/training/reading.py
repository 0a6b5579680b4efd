"""The sketcher's reading, taught by itself what is said of things that do not look like what they are called.

A shape that no training scene has looks a little like several that it knows, and people call it "object",
"shape" or "thing". Others look like what no word speaks of: a ball like a blob, where the words name no blob.
So what is seen of a thing is blurred over known shapes, its name is taken out of the caption or not, and the
answer is to be the one that it gives of what it sees when it is told the name.
"""

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.models.sketcher import KINDS, Sketcher
from makeyourvideo.training.config import ReadingConfig
from makeyourvideo.training.data import depth_of, draw_clips, draw_prompts, open_data, step_generator
from makeyourvideo.training.record import write_part
from makeyourvideo.training.sketcher import SEEN
from makeyourvideo.training.start import take_over
from makeyourvideo.training.tokenizer import context_of
from makeyourvideo.world.captions import GENERIC, NOUNS, article

READING = ("names", "words", "phrases", "read", "mix", "norm")
"""The parts of the sketcher that answer what the text says of a place."""
Kinds = tuple[int, ...]
"""Numbers of kinds of surface, as in `SEEN`."""
_FAMILIES = range(SEEN.index("floor") + 1, SEEN.index("sky"))
_KIND_OF = {noun: SEEN.index(family) for family, nouns in NOUNS.items() if nouns for noun in nouns}
_NOUN = re.compile(rf"\b({'|'.join(sorted(_KIND_OF, key=len, reverse=True))})\b")
_NAMED = 0.5
"""How often a thing keeps its name."""
_BLUR = 4
"""Rows and columns of the grid on which what a thing looks like changes from place to place."""


class ReadingStage:
    """Everything but the sketcher's reading stays as it is."""

    def __init__(self, config: ReadingConfig, data: Path, model: Path, start: Path | None = None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.model, self.start = config, model, start
        self.data = open_data(config, data)
        self.tokenizer = CLIPTokenizer.from_pretrained(model / "tokenizer")
        self.text_encoder = CLIPTextModel.from_pretrained(model / "text_encoder").eval().requires_grad_(False)
        self.before: Sketcher = Sketcher.from_pretrained(model / "sketcher").eval().requires_grad_(False)
        self.sketcher: Sketcher = Sketcher.from_config(Sketcher.load_config(model / "sketcher"))
        take_over(self.sketcher.requires_grad_(False), start or model, "sketcher")
        for part in READING:
            self.sketcher.get_submodule(part).requires_grad_(True)
        self.modules = nn.ModuleDict(
            {"sketcher": self.sketcher, "before": self.before, "text_encoder": self.text_encoder}
        )

    def loss(self, step: int) -> Tensor:
        """Return how far the answers are from those before: as things are, and as they may be taken for."""
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, num_frames=1)
        captions = draw_prompts(rng, self.data, drawn, self.config.prompt_dropout)
        others, kinds, taken_for = zip(*(mistaken(caption, rng) for caption in captions), strict=True)
        context, other_context = (
            context_of(self.text_encoder, self.tokenizer, prompts) for prompts in (captions, others)
        )
        with torch.no_grad():
            seen = self.before.shapes(depth_of(self.data, drawn).to(self.before.device))[1].softmax(dim=1)
            blurred, share = blur(seen, kinds, taken_for, rng, self.config.sharpness)
            wanted = self.before.about(seen, context)
        weight = 1 + self.config.object_weight * share
        kept, told = (
            ((self.sketcher.about(*asked) - wanted).square() * weight).mean()
            for asked in ((seen, context), (blurred, other_context))
        )
        return kept + told

    def finish(self, model: Path) -> None:
        """Write the whole model, with the sketcher."""
        write_part(model, self.model, "sketcher", self.sketcher, self.config, self.start)


def mistaken(caption: str, rng: np.random.Generator) -> tuple[str, Kinds, Kinds]:
    """Choose one of the things in a caption, and whether it keeps its name.

    Returns:
        the caption, in which it may be called by a word that fits anything; the kinds of surface that it is,
        of the only thing all shapes, of one of several what its name says, and none where no thing is named;
        and those it may be taken for: without its name all shapes, with it those that no word speaks of.
    """
    named = list(_NOUN.finditer(caption))
    if not named:
        return caption, (), ()
    chosen = named[rng.integers(len(named))]
    own = _KIND_OF[chosen[1]]
    kinds: Kinds = tuple(_FAMILIES) if len(named) == 1 else (own,)
    if rng.random() < _NAMED:
        spoken_of = {_KIND_OF[name[1]] for name in named} - {own}
        return caption, kinds, tuple(kind for kind in _FAMILIES if kind not in spoken_of)
    changed = caption[: chosen.start()] + str(rng.choice(GENERIC)) + caption[chosen.end() :]
    changed = re.sub(r"\ban? (\w+)", lambda found: article(found[1]), changed)
    return changed, kinds, tuple(_FAMILIES)


def blur(
    seen: Tensor,
    kinds: tuple[Kinds, ...],
    taken_for: tuple[Kinds, ...],
    rng: np.random.Generator,
    sharpness: tuple[float, float],
) -> tuple[Tensor, Tensor]:
    """Spread what is seen of a thing over shapes of things.

    Args:
        seen: how likely each place is of which kind, `(b, KINDS, h, w)`.
        kinds: of each picture what the thing is.
        taken_for: and what it may be taken for.
        rng: draws what it looks like, and how that changes from place to place.
        sharpness: least and greatest spread of the logits.

    Returns:
        the same of the thing as it is taken for, and how likely each place is part of it, `(b, 1, h, w)`.
    """
    is_thing, allowed = (_listed(which).to(seen) for which in (kinds, taken_for))
    share = (seen * is_thing).sum(dim=1, keepdim=True)
    whole, local = (
        torch.from_numpy(rng.standard_normal((len(seen), KINDS, side, side), np.float32))
        for side in (1, _BLUR)
    )
    logits = whole + interpolate(local, size=seen.shape[2:], mode="bilinear")
    spread = torch.from_numpy(rng.uniform(*sharpness, (len(seen), 1, 1, 1)).astype(np.float32))
    weights = torch.exp(spread * logits).to(seen) * allowed
    blurred = share * weights / weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(seen.dtype).tiny)
    return seen * (1 - is_thing) + blurred, share


def _listed(which: tuple[Kinds, ...]) -> Tensor:
    listed = torch.zeros(len(which), KINDS, 1, 1)
    for row, kinds in zip(listed, which, strict=True):
        row[list(kinds)] = 1
    return listed
