"""Before stage 1: the network's grounding, trained on what the world's scenes are known to hold."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, pixel_unshuffle

from makeyourvideo.errors import InputError
from makeyourvideo.training.config import GroundingConfig
from makeyourvideo.training.data import draw_clips, step_generator
from makeyourvideo.training.diffusion import ImageStage
from makeyourvideo.world.colors import COLORS
from makeyourvideo.world.finishes import FINISHES
from makeyourvideo.world.geometry import FAMILIES
from makeyourvideo.world.scene import Thing

_FAMILIES = tuple(FAMILIES)
_COLORS = (None, *COLORS)  # materials bring their own
_UNKNOWN = -100
_COVERED = 0.35
"""The share of a place that an object must cover for the place to be its own."""


class GroundingStage(ImageStage):
    """The grounding says of each place which family its object is of, and by the text its colour and finish.

    The layers that turn what it finds into answers are thrown away.
    """

    def __init__(self, config: GroundingConfig, data: Path, model: Path, start: Path | None = None) -> None:
        super().__init__(config, data, model, start)
        if self.unet.grounding is None:
            raise InputError("unet", "a grounding_channels above 0", "none")
        width = self.unet.config.grounding_channels
        self.heads = {
            "families": nn.Conv2d(width, len(_FAMILIES), 1),
            "looks": nn.Conv2d(width, len(_COLORS) + len(FINISHES), 1),
        }
        self.labels: dict[tuple[str, int], NDArray[np.int64]] = {}

    def loss(self, step: int) -> Tensor:
        """Return the cross-entropy of family, colour and finish over the places that objects cover."""
        assert self.unet.grounding is not None
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, self.num_frames)
        tokens, depth = self._tokens(rng, drawn), self._depth(drawn)
        labels = torch.from_numpy(np.stack([self._labels(name, scene) for name, scene, _ in drawn]))
        mirrored = torch.from_numpy(rng.random(len(drawn)) < 0.5)[:, None, None, None]
        depth, labels = (torch.where(mirrored, part.flip(3), part) for part in (depth, labels))
        depth, labels, tokens = (part.to(self.unet.device) for part in (depth, labels, tokens))
        shapes = self.unet.grounding.shapes(pixel_unshuffle(depth, self.unet.config.depth_patch_size))
        context = self.text_encoder(tokens).last_hidden_state
        looks = self.heads["looks"](self.unet.grounding.about(shapes, context))
        answers = (self.heads["families"](shapes), looks[:, : len(_COLORS)], looks[:, len(_COLORS) :])
        return torch.stack(
            [
                cross_entropy(answer.float(), labels[:, question], ignore_index=_UNKNOWN)
                for question, answer in enumerate(answers)
            ]
        ).sum()

    def _labels(self, name: str, scene: int) -> NDArray[np.int64]:
        """Number family, colour and finish of the object at each place of a still: `(3, h, w)`."""
        if (name, scene) not in self.labels:
            things = self.data[name].scene(scene).things
            surfaces = torch.from_numpy(self.data[name].surfaces[scene][:1].copy())
            covered = torch.cat([surfaces == number for number in range(1, len(things) + 1)]).float()
            shares, nearest = avg_pool2d(covered, self.unet.config.depth_patch_size).max(dim=0)
            answers = torch.tensor([_answers(thing) for thing in things])[nearest]
            labels = answers.movedim(-1, 0).where(shares > _COVERED, _UNKNOWN)
            self.labels[name, scene] = labels.numpy()
        return self.labels[name, scene]


def _answers(thing: Thing) -> tuple[int, int, int]:
    return _FAMILIES.index(thing.family), _COLORS.index(thing.color), FINISHES.index(thing.finish)
