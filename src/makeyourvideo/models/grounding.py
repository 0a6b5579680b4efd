"""Grounding: which words of the text are about which place, found from depth and text alone.

The paper's image model (section 3.1) is a large one that binds words to shapes by itself. A small one learns
that last of all, because noise hides from it what it would have to look at: which is the ball, which the
cube. This network sees no noise, and what it finds is added to the hidden states of the denoising network.
"""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import gelu, pad, pixel_shuffle

from makeyourvideo.models.dense import Linear, by_frames, slice_size
from makeyourvideo.models.spatial import Attention

_STEEPNESS = (20.0, 200.0)
"""What slopes, in depth a pixel, are multiplied by: for edges of objects, and for the shape within them."""

_NEIGHBORS = 4
"""How many tokens to each side a word is read with: what a shape looks like stands next to its name."""

_HEADS = 4

KINDS = 64
"""How many kinds of shape are told apart, at most; the first stands for none of them: floor, sky, hills."""


class Mixing(nn.Module):
    """A residual: a wide convolution of each channel alone, then two layers of each place alone.

    Args:
        channels: width.
        reach: how far the convolution sees to each side, in rows and columns.
    """

    def __init__(self, channels: int, reach: tuple[int, int] = (3, 3)) -> None:
        super().__init__()
        rows, columns = reach
        size = (2 * rows + 1, 2 * columns + 1)
        self.around = nn.Conv2d(channels, channels, size, padding=reach, groups=channels)
        self.norm = nn.GroupNorm(1, channels)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map `b c h w` to the same."""
        return hidden + self.narrow(gelu(self.widen(self.norm(self.around(hidden)))))


class Asking(nn.Module):
    """A residual: every place attends to all others, or to what it is told."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attention = Attention(channels, channels // _HEADS)

    def forward(self, hidden: Tensor, context: Tensor | None = None) -> Tensor:
        """Map `b c h w` to the same; `context` is `b n c`."""
        places = self.norm(rearrange(hidden, "b c h w -> b (h w) c"))
        asked = self.attention.project(places if context is None else context)
        found = self.attention.attend(places, *asked)
        return hidden + rearrange(found, "b (h w) c -> b c h w", h=hidden.shape[2])


class Grounding(nn.Module):
    """Look at the shapes first, then read about them.

    All that goes from the one to the other is how likely each place is of which kind. So the reading can be
    learnt from sentences alone.

    Args:
        channels: width, of what it gives, too; divisible by 4.
        context_channels: width of the text embeddings.
        patch_size: side of the depth patch folded into each latent pixel, a power of 2.
    """

    def __init__(self, channels: int, context_channels: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        halvings = patch_size.bit_length() - 1
        widths = [channels >> (halvings - step) for step in range(1, halvings)]
        layers: list[nn.Module] = []
        entering = 1 + 2 * len(_STEEPNESS)
        for width in widths:
            layers += [nn.Conv2d(entering, width, 3, 2, 1), nn.GroupNorm(1, width), nn.GELU()]
            entering = width
        layers.append(nn.Conv2d(entering, channels, 3, 2 if halvings else 1, 1))
        self.look = nn.Sequential(*layers, *(Mixing(channels) for _ in range(3)), Asking(channels))
        self.kinds = nn.Conv2d(channels, KINDS, 1)
        self.names = nn.Conv2d(KINDS, channels, 1)
        self.words = Linear(context_channels, channels)
        self.phrases = Mixing(channels, reach=(0, _NEIGHBORS))
        self.read = nn.ModuleList(Asking(channels) for _ in range(2))
        self.mix = nn.ModuleList(Mixing(channels) for _ in range(2))
        self.norm = nn.GroupNorm(1, channels)

    def forward(self, depth: Tensor, context: Tensor, slice_bytes: int) -> Tensor:
        """Tell for each place what is known about it, some frames at a time.

        Args:
            depth: folded, `(b f) p*p h w`.
            context: text embeddings `b n d`, one a clip.
            slice_bytes: roughly what may be held at once.

        Returns:
            `(b f) c h w`.
        """
        context = context.repeat_interleave(len(depth) // len(context), dim=0)
        size = slice_size(depth, 0, 24, slice_bytes)
        return by_frames(
            lambda *part: self.about(self.shapes(part[0]).softmax(dim=1), part[1]), size, depth, context
        )

    def shapes(self, depth: Tensor) -> Tensor:
        """What stands where: folded depth `b p*p h w` to logits of the kinds `b k h w`."""
        seen = pixel_shuffle(depth, self.patch_size)
        framed = pad(seen, (1, 1, 1, 1), mode="replicate")
        across = (framed[:, :, 1:-1, 2:] - framed[:, :, 1:-1, :-2]) / 2
        down = (framed[:, :, 2:, 1:-1] - framed[:, :, :-2, 1:-1]) / 2
        slopes = [torch.tanh(steepness * slope) for steepness in _STEEPNESS for slope in (across, down)]
        entering = torch.cat([seen, *slopes], dim=1)
        return self.kinds(self.look(entering.contiguous(memory_format=torch.channels_last)))

    def about(self, kinds: Tensor, context: Tensor) -> Tensor:
        """What the text `b n d` says of the kinds, each with its probability `b k h w`: `b c h w`."""
        words = rearrange(self.words(context), "b n c -> b c 1 n")
        phrases = rearrange(self.phrases(words), "b c 1 n -> b n c")
        found = self.names(kinds)
        for read, mix in zip(self.read, self.mix, strict=True):
            found = mix(read(found, phrases))
        return self.norm(found)
