"""Before stage 1: the network's grounding, trained on what the world's scenes are known to hold."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, one_hot, pixel_unshuffle

from makeyourvideo.errors import InputError
from makeyourvideo.models.grounding import KINDS
from makeyourvideo.training.config import GroundingConfig
from makeyourvideo.training.data import draw_clips, step_generator
from makeyourvideo.training.diffusion import ImageStage
from makeyourvideo.world.colors import COLORS
from makeyourvideo.world.finishes import FINISHES
from makeyourvideo.world.geometry import FAMILIES

_FAMILIES = (None, *FAMILIES)
_COLORS = (None, *COLORS)  # materials bring their own
_UNKNOWN = -100
_COVERED = 0.35
"""The share of a place that an object must cover for the place to be its own."""
_EMPTY_WEIGHT = 0.1
"""What a place without an object counts; there are more of them, and they are easy."""
_READINGS = 4
"""How many sentences are read alone for each that is read with its picture."""


class GroundingStage(ImageStage):
    """The grounding says of each place which family its object is of, and by the text its colour and finish.

    The layer that turns what it finds into colours and finishes is thrown away.
    """

    def __init__(self, config: GroundingConfig, data: Path, model: Path, start: Path | None = None) -> None:
        super().__init__(config, data, model, start)
        if self.unet.grounding is None:
            raise InputError("unet", "a grounding_channels above 0", "none")
        self.grounding = self.unet.grounding
        self.heads = {
            "looks": nn.Conv2d(self.unet.config.grounding_channels, len(_COLORS) + len(FINISHES), 1)
        }
        self.answers: dict[tuple[str, int], NDArray[np.int64]] = {}

    def loss(self, step: int) -> Tensor:
        """Return the cross-entropy of families by depth, and of looks by the text, with depth and without."""
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, self.num_frames)
        tokens, depth = self._tokens(rng, drawn), self._depth(drawn)
        labels = torch.from_numpy(np.stack([self._labels(name, scene) for name, scene, _ in drawn]))
        mirrored = torch.from_numpy(rng.random(len(drawn)) < 0.5)[:, None, None, None]
        depth, labels = (torch.where(mirrored, part.flip(3), part) for part in (depth, labels))
        depth, labels, tokens = (part.to(self.unet.device) for part in (depth, labels, tokens))
        shapes = self.grounding.shapes(pixel_unshuffle(depth, self.unet.config.depth_patch_size)).float()
        weight = torch.ones(shapes.shape[1], device=shapes.device)
        weight[0] = _EMPTY_WEIGHT
        families = cross_entropy(shapes, labels[:, 0], weight)
        read = self._looks(shapes.softmax(dim=1), self.text_encoder(tokens).last_hidden_state, labels[:, 1:])
        return families + read + self._reading(rng)

    def _reading(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of sentences alone, where the family of every object is given."""
        drawn = draw_clips(rng, self.data, _READINGS * self.config.batch_size, self.num_frames)
        answers = [self._answers(name, scene) for name, scene, _ in drawn]
        tokens = self._tokens(rng, drawn).to(self.unet.device)
        context = self.text_encoder(tokens).last_hidden_state
        told = torch.from_numpy(np.concatenate(answers)).to(self.unet.device)[:, :, None, None]
        kinds = one_hot(told[:, 0], KINDS).movedim(-1, 1).to(context.dtype)
        counts = torch.tensor([len(answer) for answer in answers], device=context.device)
        return self._looks(kinds, context.repeat_interleave(counts, dim=0), told[:, 1:])

    def _looks(self, kinds: Tensor, context: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy of colour and finish, `(b, 2, h, w)` of them."""
        looks = self.heads["looks"](self.grounding.about(kinds, context)).float()
        colors, finishes = looks.split([len(_COLORS), len(FINISHES)], dim=1)
        return cross_entropy(colors, labels[:, 0], ignore_index=_UNKNOWN) + cross_entropy(
            finishes, labels[:, 1], ignore_index=_UNKNOWN
        )

    def _labels(self, name: str, scene: int) -> NDArray[np.int64]:
        """Number family, colour and finish of the object at each place of a still: `(3, h, w)`."""
        answers = torch.from_numpy(self._answers(name, scene))
        surfaces = torch.from_numpy(self.data[name].surfaces[scene][:1].copy())
        covered = torch.cat([surfaces == number for number in range(1, len(answers) + 1)]).float()
        shares, nearest = avg_pool2d(covered, self.unet.config.depth_patch_size).max(dim=0)
        empty = torch.tensor([0, _UNKNOWN, _UNKNOWN])[:, None, None]
        return answers[nearest].movedim(-1, 0).where(shares > _COVERED, empty).numpy()

    def _answers(self, name: str, scene: int) -> NDArray[np.int64]:
        """Number family, colour and finish of each object of a scene: `(objects, 3)`."""
        if (name, scene) not in self.answers:
            things = self.data[name].scene(scene).things
            self.answers[name, scene] = np.array(
                [
                    (_FAMILIES.index(thing.family), _COLORS.index(thing.color), FINISHES.index(thing.finish))
                    for thing in things
                ]
            )
        return self.answers[name, scene]
