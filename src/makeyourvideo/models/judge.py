"""A small classifier: what a picture shows, for the measures that need an eye."""

from collections.abc import Mapping

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, interpolate, pad, silu

from makeyourvideo.models.mixing import in_full


class _Branch(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        refined: Tensor = hidden + silu(self.conv(self.norm(hidden)))
        return refined


class Judge(ModelMixin, ConfigMixin):
    """Convolutions down to one vector, and a linear head for each question.

    Args:
        questions: the possible answers to each question.
        in_channels: 3, or 4 with a mask.
        widths: channels after each halving.
        depth: residual convolutions after each halving.
        dropout: share of the last vector that is left out in training.
    """

    @register_to_config
    def __init__(
        self,
        questions: Mapping[str, tuple[str, ...]],
        in_channels: int = 3,
        widths: tuple[int, ...] = (32, 64, 96, 128),
        depth: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.halvings = nn.ModuleList(
            nn.Conv2d(channels, width, 3, stride=2, padding=1)
            for channels, width in zip([in_channels, *widths[:-1]], widths, strict=True)
        )
        self.branches = nn.ModuleList(
            nn.Sequential(*(_Branch(width) for _ in range(depth))) for width in widths
        )
        self.thinned = nn.Dropout(dropout)
        self.heads = nn.ModuleDict(
            {question: nn.Linear(2 * widths[-1], len(answers)) for question, answers in questions.items()}
        )

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Map pictures `b c h w` in [-1, 1] to the logits `b answers` of each question."""
        hidden = pictures
        for halve, branches in zip(self.halvings, self.branches, strict=True):
            hidden = branches(silu(halve(hidden)))
        pooled = self.thinned(torch.cat([hidden.mean(dim=(2, 3)), hidden.amax(dim=(2, 3))], dim=1))
        return {question: head(pooled) for question, head in self.heads.items()}


CROP = 64


def object_crop(picture: Tensor, mask: Tensor) -> Tensor:
    """Cut an object out: picture `3 h w` and mask `h w` -> `4 64 64`, a square around the mask and the mask.

    Raises:
        ValueError: the mask is empty.
    """
    rows, columns = mask.any(dim=1).nonzero().flatten(), mask.any(dim=0).nonzero().flatten()
    if not len(rows):
        raise ValueError("a mask of at least one pixel, got an empty one")
    top, left = int(rows[0]), int(columns[0])
    side = max(int(rows[-1]) - top, int(columns[-1]) - left) + 5
    joined = torch.cat([picture, mask[None].to(picture.dtype) * 2 - 1])
    joined = pad(joined[None], (2, side, 2, side), mode="constant", value=-1.0)
    square = joined[..., top : top + side, left : left + side]
    return interpolate(square, size=(CROP, CROP), mode="bilinear", antialias=side > CROP)[0]


def turned(crops: Tensor, angle: Tensor, size: Tensor, shift: Tensor) -> Tensor:
    """Look at crops `b c h w` in [-1, 1] turned, from nearer or farther, and from a little aside.

    Args:
        crops: from `object_crop`; what comes in at their edges is -1, as there.
        angle: in radians, `(b,)`.
        size: how many times as much is shown each way, `(b,)`.
        shift: to the right and down, in halves of a side, `(b, 2)`.
    """
    cosine, sine = size * angle.cos(), size * angle.sin()
    moves = torch.stack([cosine, -sine, shift[:, 0], sine, cosine, shift[:, 1]], dim=1).view(-1, 2, 3)
    with in_full(crops.device):  # a grid in half precision is a jagged one
        grid = affine_grid(moves.to(crops), list(crops.shape), align_corners=False)
        return grid_sample(crops + 1, grid, align_corners=False) - 1
