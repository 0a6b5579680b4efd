"""The sketcher: depth and text to a sharp picture at once. Ours: the paper starts from noise alone.

The paper's image model (section 3.1) is a large one that binds words to shapes by itself. A small one learns
that last of all, because noise hides from it what it would have to look at: which is the ball, which the
cube. The sketcher sees no noise. What it paints is what the denoising begins with. And patterns that noise
makes anew in every frame stay put where they are a matter of where on its object a point lies.
"""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, normalize, pad, pixel_shuffle

from makeyourvideo.models.dense import Linear
from makeyourvideo.models.spatial import Attention

_STEEPNESS = (20.0, 200.0)
"""What slopes, in depth a pixel, are multiplied by: for edges of objects, and for the shape within them."""

_NEIGHBORS = 4
"""How many tokens to each side a word is read with: what a shape looks like stands next to its name."""

_HEADS = 4

_FACTORS = 3
"""How many waves are multiplied in a pattern."""
_WAVE_NUMBERS = (0.9, 3.0)
"""Logarithms of the least and largest wave number to begin with, in radians; objects are two units wide."""
_PACE = 30.0
"""What waves are multiplied by, so that their numbers can be learnt as fast as everything else."""

KINDS = 64
"""How many kinds of surface are told apart, at most: floor, sky and shapes of objects."""


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


_OWN = torch.tensor([0, 0, 0, 0, 4, 0, 0, 0, 0]).view(1, 9, 1, 1)
"""To begin with a part takes nearly all from its own place."""


class Painting(nn.Module):
    """Twice the size: what is known of a place goes to its four parts, beside what is seen there.

    A border of two surfaces may run through a place, of which less than both is known. So each part takes a
    mixture of what is known of its place and of the eight around it (Teed & Deng 2020, RAFT, section 3.3).

    Args:
        entering: width of what is known.
        seen: width of what is seen.
        channels: width of what leaves.
        reach: how far its convolution sees, see `Mixing`.
    """

    def __init__(self, entering: int, seen: int, channels: int, reach: tuple[int, int]) -> None:
        super().__init__()
        self.known = nn.Conv2d(entering, channels, 1)
        self.seen = nn.Conv2d(seen, channels, 1)
        self.place = nn.Conv2d(entering, 9, 1)
        self.part = nn.Conv2d(seen, 9, 3, padding=1)
        self.mix = Mixing(channels, reach)

    def forward(self, hidden: Tensor, seen: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Map `b c h w` and `b d 2h 2w` to `b e 2h 2w`; `others`, `b f h w`, are mixed alike."""
        shares = interpolate(self.place(hidden), scale_factor=2) + self.part(seen)
        shares = torch.softmax(shares + _OWN.to(shares.device), dim=1)
        known, *rest = (_mixed(one, shares) for one in (self.known(hidden), *others))
        return self.mix(self.seen(seen) + known), *rest


def _mixed(known: Tensor, shares: Tensor) -> Tensor:
    """Mix what is known of places, `b c h w`, by the `shares` of their parts, `b 9 2h 2w`, to `b c 2h 2w`."""
    around = pad(known, (1, 1, 1, 1), mode="replicate").unfold(2, 3, 1).unfold(3, 3, 1)
    each = rearrange(shares, "b k (h y) (w x) -> b h w (y x) k", y=2, x=2)
    parts = each @ rearrange(around, "b c h w y x -> b h w (y x) c")
    return rearrange(parts, "b h w (y x) c -> b c (h y) (w x)", y=2, x=2)


class Covering(nn.Module):
    """What a surface is covered with at a point of it: patterns of all kinds, and how much there is of each.

    The patterns are products of waves (Fathony et al. 2021, Multiplicative Filter Networks, equation 6).

    Args:
        channels: width of what is known of a surface.
        patterns: how many there are.
        width: how many waves a product takes one of its factors from.
    """

    def __init__(self, channels: int, patterns: int = 64, width: int = 96) -> None:
        super().__init__()
        self.asking = nn.Sequential(
            nn.Conv2d(channels, 2 * patterns, 1), nn.GELU(), nn.Conv2d(2 * patterns, patterns, 1)
        )
        self.waves = nn.ModuleList(nn.Conv2d(3, width, 1) for _ in range(_FACTORS))
        self.mix = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(_FACTORS - 1))
        self.patterns = nn.Conv2d(width, patterns, 1)
        self.albedo = nn.Conv2d(patterns, 3, 1)
        with torch.no_grad():
            for waves in self.waves:
                assert isinstance(waves, nn.Conv2d)
                directions = normalize(torch.randn(width, 3), dim=1)
                numbers = torch.exp(torch.empty(width, 1).uniform_(*_WAVE_NUMBERS)) / _PACE
                waves.weight.copy_((directions * numbers)[:, :, None, None])

    def forward(self, asked: Tensor, points: Tensor) -> Tensor:
        """Cover: how much there is of each pattern, `b p h w`, and points, `b 3 h w`, to albedo, `b 3 h w`.

        The albedo is in [-1, 1] or a little beyond; points see `Sketcher.located`.
        """
        first, *others = (torch.sin(_PACE * waves(points)) for waves in self.waves)
        product = first
        for mix, factor in zip(self.mix, others, strict=True):
            product = mix(product) * factor
        covered: Tensor = self.albedo(self.patterns(product) * asked)
        return covered


class Sketcher(ModelMixin, ConfigMixin):
    """Look at the shapes first, then read about them, then paint.

    All that goes from looking to reading is how likely each place is of which kind. So the reading can be
    learnt from sentences alone. All that goes from looking to patterns is where on its object a point is, so
    patterns can be learnt without pictures, too.

    Args:
        channels: width of its looking and reading; divisible by 8.
        context_channels: width of the text embeddings.
    """

    @register_to_config
    def __init__(self, channels: int = 88, context_channels: int = 192) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.look = nn.Sequential(
            *(nn.Conv2d(1 + 2 * len(_STEEPNESS), quarter, 3, 2, 1), nn.GroupNorm(1, quarter), nn.GELU()),
            *(nn.Conv2d(quarter, half, 3, 2, 1), nn.GroupNorm(1, half), nn.GELU()),
            nn.Conv2d(half, channels, 3, 2, 1),
            *(Mixing(channels) for _ in range(3)),
            Asking(channels),
        )
        self.kinds = nn.Conv2d(channels, KINDS, 1)
        self.names = nn.Conv2d(KINDS, channels, 1)
        self.words = Linear(context_channels, channels)
        self.phrases = Mixing(channels, reach=(0, _NEIGHBORS))
        self.read = nn.ModuleList(Asking(channels) for _ in range(2))
        self.mix = nn.ModuleList(Mixing(channels) for _ in range(2))
        self.norm = nn.GroupNorm(1, channels)
        self.paint = nn.ModuleList(
            [
                Painting(2 * channels, half, 3 * quarter, reach=(3, 3)),
                Painting(3 * quarter, quarter, half, reach=(1, 1)),
            ]
        )
        self.locate = nn.ModuleList(
            [Painting(channels, half, half, reach=(3, 3)), Painting(half, quarter, quarter, reach=(1, 1))]
        )
        self.points = nn.Conv2d(quarter, 3, 3, padding=1)
        self.cover = Covering(channels)
        self.light = nn.Conv2d(half, 3, 3, padding=1)
        self.colors = nn.Conv2d(half, 12, 3, padding=1)

    def forward(self, depth: Tensor, context: Tensor) -> Tensor:
        """Sketch each frame by itself.

        Args:
            depth: `(n, 1, height, width)`, normalised as the denoising network is shown it; divisible by 8.
            context: text embeddings `(n, tokens, channels)`.

        Returns:
            Frames `(n, 3, height, width)`, in [-1, 1] or a little beyond.
        """
        seen, kinds = self.shapes(depth)
        return self.picture(seen, self.about(kinds.softmax(dim=1), context), self.located(seen))

    def shapes(self, depth: Tensor) -> tuple[list[Tensor], Tensor]:
        """Look: depth `b 1 y x` to what is seen at halves, quarters and eighths of its size, and kinds.

        The kinds `b k y/8 x/8` are logits of what stands there.
        """
        framed = pad(depth, (1, 1, 1, 1), mode="replicate")
        across = (framed[:, :, 1:-1, 2:] - framed[:, :, 1:-1, :-2]) / 2
        down = (framed[:, :, 2:, 1:-1] - framed[:, :, :-2, 1:-1]) / 2
        slopes = [torch.tanh(steepness * slope) for steepness in _STEEPNESS for slope in (across, down)]
        hidden = torch.cat([depth, *slopes], dim=1).contiguous(memory_format=torch.channels_last)
        seen = []
        for layer in self.look:
            hidden = layer(hidden)
            if isinstance(layer, nn.GELU):
                seen.append(hidden)
        return [*seen, hidden], self.kinds(hidden)

    def about(self, kinds: Tensor, context: Tensor) -> Tensor:
        """Read: what the text `b n d` says of the kinds, each with its probability `b k h w`: `b c h w`."""
        words = rearrange(self.words(context), "b n c -> b c 1 n")
        phrases = rearrange(self.phrases(words), "b c 1 n -> b n c")
        found = self.names(kinds)
        for read, mix in zip(self.read, self.mix, strict=True):
            found = mix(read(found, phrases))
        return self.norm(found)

    def located(self, seen: list[Tensor]) -> Tensor:
        """Where on its object each point lies, by what is seen: `b 3 4h 4w` (Wang et al. 2019, NOCS).

        In the object's own frame, upright, in units of its size: about -1 to 1. Where no object is they mean
        nothing.
        """
        halves, quarters, hidden = seen
        for locate, part in zip(self.locate, (quarters, halves), strict=True):
            (hidden,) = locate(hidden, part)
        found: Tensor = self.points(gelu(hidden))
        return found

    def picture(self, seen: list[Tensor], found: Tensor, points: Tensor) -> Tensor:
        """Paint: what is seen, what the text says of it, `b c h w`, and where on its object each point lies.

        Args:
            seen: from `shapes`.
            found: from `about`.
            points: `b 3 4h 4w`, as `located` finds them.

        Returns:
            Frames `b 3 8h 8w`.
        """
        halves, quarters, eighths = seen
        hidden, asked = torch.cat([found, eighths], dim=1), self.cover.asking(found)
        for paint, part in zip(self.paint, (quarters, halves), strict=True):
            hidden, asked = paint(hidden, part, asked)
        hidden = gelu(hidden)
        lit = self.light(hidden) * self.cover(asked, points)
        return pixel_shuffle(self.colors(hidden), 2) + interpolate(lit, scale_factor=2, mode="bilinear")
