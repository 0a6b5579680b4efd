"""What the sketcher reads about surfaces, and covers them with, taught from sentences and points.

A shape that no training scene has looks a little like several that it knows, and people call it "object",
"shape" or "thing". So names are taken out of captions, and what is seen of the thing is spread over the known
shapes.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from makeyourvideo.models.segments import segmented
from makeyourvideo.models.sketcher import KINDS
from makeyourvideo.training.config import CoveringConfig
from makeyourvideo.training.data import depth_of
from makeyourvideo.training.sketcher import miscovered, misread, surfaces_of
from makeyourvideo.training.sketcher_parts import SketcherPartsStage
from makeyourvideo.training.stills import LOOKS, SEEN, Drawn
from makeyourvideo.training.tokenizer import context_of
from makeyourvideo.world.captions import GENERIC, NOUNS, article

COVERINGS = ("names", "words", "phrases", "ask", "mix", "norm", "cover", "pave")
"""The parts of the sketcher that are trained."""
_FAMILIES = slice(SEEN.index("floor") + 1, SEEN.index("sky"))
_KIND_OF = {noun: SEEN.index(family) for family, nouns in NOUNS.items() if nouns for noun in nouns}
_NOUN = re.compile(rf"\b({'|'.join(sorted(_KIND_OF, key=len, reverse=True))})\b")
_PURE = 0.8
"""The least share of a segment that is of one surface, for it to be told as that."""
_NEVER = -30.0
"""The logit of what is not seen at all."""


class Surfaces(NamedTuple):
    """Surfaces of some stills, one a row.

    Attributes:
        kinds: logits of what each looks like, `(surfaces, KINDS)`.
        told: what it is, and its looks, `(surfaces, 1 + 5)`, see `answers_of`.
        still: of which still it is, by number.
    """

    kinds: Tensor
    told: Tensor
    still: Tensor


class CoveringStage(SketcherPartsStage):
    """What the sketcher sees and how it paints stay as they are.

    It is asked about each segment of a still by itself, as it sees it, and about each surface as what it is.
    Faint patterns, as grain in wood, weigh as much as bold ones, whose errors hide them from the sketcher's
    own training. The layer that turns what it reads into answers is thrown away.
    """

    config: CoveringConfig

    def __init__(self, config: CoveringConfig, data: Path, model: Path, start: Path | None = None) -> None:
        super().__init__(config, data, model, start, COVERINGS)
        self.looks = nn.Conv2d(self.sketcher.config.channels, sum(map(len, LOOKS.values())), 1)
        self.modules["looks"] = self.looks

    def loss(self, step: int) -> Tensor:
        """Return the errors of coverings, each by how much it varies, and of what was read."""
        rng, drawn, captions = self.draw(step)
        captions, asked = self.unnamed(rng, captions, self.surfaces(drawn))
        context = context_of(self.text_encoder, self.tokenizer, captions)[asked.still]
        kinds, told = asked.kinds.softmax(dim=1)[:, :, None, None], asked.told[:, :, None, None]
        found = self.sketcher.about(kinds, context)
        with torch.no_grad():
            before = self.before.about(kinds, context)
        wrong = miscovered(self.sketcher, found, told, rng, self.config.points)
        missed = [(errors / (varies + self.config.faintest).sqrt()).mean() for errors, varies in wrong]
        read = self.config.read_weight * misread(self.looks(found), told[:, 1:])
        strayed = self.config.held_weight * self.strayed(before, found, told, rng)
        return torch.stack([*missed, read, strayed]).sum()

    @torch.no_grad()
    def surfaces(self, drawn: Drawn) -> Surfaces:
        """Segments of stills that are each of one surface, as they are seen, and all surfaces as they are."""
        depth = depth_of(self.data, drawn).to(self.before.device)
        segments = segmented(depth)
        seen = segments.means(self.before.shapes(depth)[1]).mT
        kinds, told, stills = [], [], []
        for still, (name, scene, frames) in enumerate(drawn):
            known = torch.from_numpy(self.stills.answers(name, scene)).to(depth.device)
            shown = torch.from_numpy(self.data[name].surfaces[scene][frames][0].copy()).to(depth.device)
            masks = torch.cat([part[still] for part in segments])
            counts = torch.stack([masks[:, shown == n].sum(dim=1) for n in range(-1, len(known) - 1)])
            most, which = counts.max(dim=0)
            is_one = (most > _PURE * counts.sum(dim=0)) & (most > 0)
            exact = torch.where(one_hot(known[:, 0], KINDS) > 0, 0, _NEVER)
            kinds += [seen[still, is_one], exact]
            told += [known[which[is_one]], known]
            stills += [still] * (int(is_one.sum()) + len(known))
        return Surfaces(torch.cat(kinds), torch.cat(told), torch.tensor(stills, device=depth.device))

    def unnamed(
        self, rng: np.random.Generator, captions: list[str], asked: Surfaces
    ) -> tuple[list[str], Surfaces]:
        """Take the name of a thing out of some captions, and spread what is seen of it over all shapes."""
        chosen = rng.random(len(captions)) < self.config.unnamed
        changed = [
            without_name(caption, rng) if some else (caption, ())
            for some, caption in zip(chosen, captions, strict=True)
        ]
        meant = torch.zeros(len(captions), KINDS, dtype=torch.bool, device=asked.kinds.device)
        for row, (_, names) in zip(meant, changed, strict=True):
            row[list(names)] = True
        spread = spread_over_shapes(rng, len(asked.kinds), self.config.sharpness).to(asked.kinds)
        kinds = torch.where(meant[asked.still, asked.told[:, 0]][:, None], spread, asked.kinds)
        return [caption for caption, _ in changed], asked._replace(kinds=kinds)

    def strayed(self, before: Tensor, found: Tensor, told: Tensor, rng: np.random.Generator) -> Tensor:
        """Return how far what covers the sky, where light was learnt with it, is from what it was."""
        others = ~torch.stack(surfaces_of(told)).any(dim=0)
        points = rng.uniform(-1, 1, (int(others.sum()), 3, self.config.held_points, 1)).astype(np.float32)
        now, then = (
            sketcher.cover(sketcher.cover.asking(read[others]), torch.from_numpy(points).to(found.device))
            for sketcher, read in ((self.sketcher, found), (self.before, before))
        )
        return (now - then).square().mean()


def without_name(caption: str, rng: np.random.Generator) -> tuple[str, tuple[int, ...]]:
    """Call one of the things in a caption by a word that fits anything.

    Returns:
        the caption, and the kinds of surface that the thing may be: where it is the only one all shapes, of
        one of several what its name says, and none where no thing is named.
    """
    named = list(_NOUN.finditer(caption))
    if not named:
        return caption, ()
    chosen = named[rng.integers(len(named))]
    changed = caption[: chosen.start()] + str(rng.choice(GENERIC)) + caption[chosen.end() :]
    changed = re.sub(r"\ban? (\w+)", lambda found: article(found[1]), changed)
    shapes = tuple(range(_FAMILIES.start, _FAMILIES.stop))
    return changed, shapes if len(named) == 1 else (_KIND_OF[chosen[1]],)


def spread_over_shapes(rng: np.random.Generator, count: int, sharpness: tuple[float, float]) -> Tensor:
    """Draw logits of things that are none of the shapes, `(count, KINDS)`.

    Their spread lies between the ends of `sharpness`.
    """
    spread = rng.uniform(*sharpness, (count, 1)) * rng.standard_normal((count, len(SEEN)))
    logits = torch.full((count, KINDS), _NEVER)
    logits[:, _FAMILIES] = torch.from_numpy(spread[:, _FAMILIES]).float()
    return logits
