"""Where the sentence has the light come from, taught to a whole model from sentences alone.

Its text encoder stays as it is, but for tokens of words that it has not met. Of sentences that say where the
light comes from, all else is to be read as if they did not; sentences that only sound like it say nothing.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.nn.utils import parametrize
from transformers import CLIPTextModel

from makeyourvideo.model_folder import known_words
from makeyourvideo.models.sketcher import KINDS
from makeyourvideo.training.config import SunConfig
from makeyourvideo.training.record import words_of
from makeyourvideo.training.sketcher_parts import SketcherPartsStage
from makeyourvideo.training.start import take_over_tokens
from makeyourvideo.training.stills import answers_of
from makeyourvideo.training.tokenizer import context_of, tokens_of, with_words
from makeyourvideo.world.captions import GENERIC, NOUNS, article, caption

READING = ("words", "phrases", "ask", "mix", "sun")
"""The parts of the sketcher that are trained."""
MISLEADING = (
    "{} on the left",
    "on the left, {}",
    "{} on the right",
    "{} to the right",
    "a ball to the left, {}",
    "{}, the left one is big",
    "{} in front",
    "{} at the front",
    "{} at the front left",
    "{} in the back",
    "{} on the back right",
    "{} behind the back",
    "{} from above",
    "{} moving from the left",
    "{} coming from the right",
    "{}, coming from the left",
    "coming from the front, {}",
    "{} seen from the front",
    "{} seen from behind",
    "seen from the left, {}",
    "{}, seen from the right",
    "{} seen from above",
    "{}, front view",
    "{}, view from the front",
    "a lit lantern, {}",
    "a lamp lit at night, {}",
    "{} lit by lamps",
    "{} lit by the sun",
    "lit {}",
    "{}, brightly lit",
    "{}, well lit",
    "{}, dimly lit",
    "{}, side lit",
    "sunlit, {}",
    "{}, fully lit",
    "{} lit from above",
    "{}, lit from above",
    "{} with light from above",
    "lit from above, {}",
    "{} with light from the window",
    "{} in soft light",
    "{} in bright light",
    "{} by the light of a lamp",
    "a light on the left, {}",
    "a light {}",
)
"""Sentences about sides, or about light, that do not say where the light comes from."""
_NAMES = (*GENERIC, *(noun for nouns in NOUNS.values() for noun in nouns))
_WORDINGS = 4
"""How many sentences of a scene there are that leave nothing out, and how many that do."""
_ASKED = 4
"""How many surfaces a sentence is asked about as what they are, as mixtures, and as anything."""
_SHARPEST = 5.0
"""Up to which spread logits of what may be anything are drawn."""


class Told(NamedTuple):
    """What is told of a scene.

    Attributes:
        sentences: each as it is, and without the light; such as leave nothing out, and then such as do.
        kinds: what its surfaces are, by number.
        sun: which way the light comes from, `(2,)`.
    """

    sentences: tuple[list[tuple[str, str]], list[tuple[str, str]]]
    kinds: NDArray[np.int64]
    sun: NDArray[np.float64]


class Sentence(NamedTuple):
    """A sentence, what is to be read in its place, and which way it has the light come from, `(2,)`."""

    said: str
    read_as: str
    sun: NDArray[np.float64]


class Grown(nn.Module):
    """A table of tokens, of which nothing but the last rows is trained."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(rows.detach().clone())

    def forward(self, table: Tensor) -> Tensor:
        """Put the rows in the place of the last ones of the table."""
        return torch.cat([table[: len(table) - len(self.rows)], self.rows])


class SunStage(SketcherPartsStage):
    """What the sketcher sees and how it paints stay as they are.

    What it reads of surfaces is held to what it read before of the sentence without the light: asked about
    what they are, about mixtures of that, as places and segments are, and about anything.
    """

    config: SunConfig

    def __init__(self, config: SunConfig, data: Path, model: Path, start: Path | None = None) -> None:
        super().__init__(config, data, model, start, READING)
        self.tokenizer = with_words(self.tokenizer, config.words)
        known = grow(self.text_encoder, len(self.tokenizer))
        if start:
            take_over_tokens(self.text_encoder, self.tokenizer, start, first=known)
        self.table = self.text_encoder.get_input_embeddings()
        parametrize.register_parametrization(self.table, "weight", Grown(self.table.weight[known:]))
        self._told = cache(self._tell)

    def loss(self, step: int) -> Tensor:
        """Return the errors of the sun where it is told and where it is not, and of what is read beside."""
        rng, drawn, captions = self.draw(step)
        scenes = [self._told(name, scene) for name, scene, _ in drawn]
        sentences = [
            self._sentence(rng, told) if wording else Sentence("", "", np.zeros(2))
            for told, wording in zip(scenes, captions, strict=True)
        ]
        plain = context_of(self.text_encoder, self.tokenizer, [one.read_as for one in sentences])
        tokens = tokens_of(self.tokenizer, [one.said for one in sentences]).to(plain.device)
        said = self.text_encoder(tokens).last_hidden_state
        suns = torch.from_numpy(np.stack([one.sun for one in sentences])).to(said)
        wrong = (self.sketcher.sun_in(said) - suns).square().sum(dim=1).mean()
        heard = self.sketcher.sun_in(plain).square().sum(dim=1).mean()
        kinds = torch.stack([asked(rng, told.kinds) for told in scenes]).to(said).mT[..., None]
        with torch.no_grad():
            before = self.before.about(kinds, plain)
        strayed = sum((self.sketcher.about(kinds, text) - before).square().mean() for text in (said, plain))
        return wrong + heard + self.config.held_weight * strayed

    def finish(self, model: Path, **added: Any) -> None:
        """Write the whole model, with the sketcher, the tokenizer and the text encoder."""
        parametrize.remove_parametrizations(self.table, "weight")
        said = (one for data in self.data.values() for wordings in data.captions for one in wordings)
        super().finish(model, words=words_of([*(known_words(self.model) or ()), *said]), **added)
        self.tokenizer.save_pretrained(model / "tokenizer")
        self.text_encoder.save_pretrained(model / "text_encoder")

    def _tell(self, name: str, number: int) -> Told:
        scene = self.data[name].scene(number)
        whole, partial = (
            [
                (caption(scene, seed, full), caption(scene, seed, full, light=False))
                for seed in range(_WORDINGS)
            ]
            for full in (True, False)
        )
        return Told((whole, partial), answers_of(scene)[:, 0], scene.sun)

    def _sentence(self, rng: np.random.Generator, told: Told) -> Sentence:
        """Draw one of the world's sentences, or of a name and the light alone, or a misleading one."""
        said, plain = told.sentences[int(rng.random() >= self.config.whole)][rng.integers(_WORDINGS)]
        light = said.replace(plain, "").strip(", ")
        if rng.random() < self.config.short:
            plain = article(str(rng.choice(_NAMES)))
        if rng.random() < self.config.misleading:
            return Sentence(str(rng.choice(MISLEADING)).format(plain), plain, np.zeros(2))
        if not light:
            return Sentence(plain, plain, np.zeros(2))
        is_first = rng.random() < self.config.light_first
        return Sentence(f"{light}, {plain}" if is_first else f"{plain}, {light}", plain, told.sun)


def grow(encoder: CLIPTextModel, count: int) -> int:
    """Let the table of an encoder's tokens have `count` rows; new ones are drawn as wide as the others.

    Returns:
        how many it had.
    """
    table = encoder.get_input_embeddings().weight
    known, spread = len(table), float(table.std())
    encoder.resize_token_embeddings(count, mean_resizing=False)
    rows = encoder.get_input_embeddings().requires_grad_(False).weight[known:]
    rows.copy_(torch.randn(rows.shape) * spread)
    return known


def asked(rng: np.random.Generator, kinds: NDArray[np.int64]) -> Tensor:
    """As what surfaces of these `kinds` are asked about: rows of how likely each is, `(n, KINDS)`."""
    exact = one_hot(torch.from_numpy(np.resize(rng.permutation(kinds), _ASKED)), KINDS).double()
    mixed = torch.from_numpy(rng.dirichlet([0.5] * _ASKED, _ASKED)) @ exact
    spread = _SHARPEST * rng.random((_ASKED, 1)) * rng.standard_normal((_ASKED, KINDS))
    share = torch.from_numpy(rng.random((_ASKED, 1)))
    anything = torch.lerp(torch.from_numpy(spread).softmax(dim=1), exact, share)
    return torch.cat([exact, mixed, anything])
