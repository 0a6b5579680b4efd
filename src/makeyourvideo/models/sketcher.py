"""The sketcher: depth and text to a sharp picture at once. Ours: the paper starts from noise alone.

The paper's image model (section 3.1) is a large one that binds words to shapes by itself. A small one learns
that last of all, because noise hides from it what it would have to look at: which is the ball, which the
cube. The sketcher sees no noise. What it paints is what the denoising begins with. And patterns that noise
makes anew in every frame stay put where they are a matter of where on its object a point lies.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, gelu, interpolate, pixel_shuffle

from makeyourvideo.models.camera import turned
from makeyourvideo.models.covering import Covering
from makeyourvideo.models.dense import Linear, by_frames
from makeyourvideo.models.following import Followed, headings_of
from makeyourvideo.models.mixing import Mixing, slopes
from makeyourvideo.models.painting import Painting, Sharpening
from makeyourvideo.models.relief import RELIEF, relief
from makeyourvideo.models.rigid import agreed
from makeyourvideo.models.segments import REACH, Segments, segmented, shared
from makeyourvideo.models.spatial import Attention

_STEEPNESS = (20.0, 200.0)
"""What slopes, in depth a pixel, are multiplied by: for edges of objects, and for the shape within them."""
_SHOWN = 1 + 2 * len(_STEEPNESS)
"""How many numbers of a pixel are looked at: its depth, and each slope in two directions."""

_NEIGHBORS = 4
"""How many tokens to each side a word is read with: what a shape looks like stands next to its name."""

_HEADS = 4

_GRAYS = (-0.5, 1.0)
"""How gray a style may make colours: not at all, but more vivid, to all gray."""
_GAMMA = 2.2
_BLACK = 0.01
"""The least share of white that a colour is taken for, whose brightness is asked for."""

_SURE = 0.05
"""Where floors are less likely than so there is none, and nothing else where they are likely by as much."""

_APART = 0.01
"""From which share of a picture on pixels of no segment are told by more than the place that they are in."""

_PACE = 10.0
"""What words say of the light is multiplied by, so that it is learnt as fast as everything else."""

KINDS = 64
"""How many kinds of surface are told apart, at most: first the floor, then shapes of objects, the sky."""


def upright(points: Tensor, heading: Tensor) -> Tensor:
    """Turn points, `b 3 h w` to the right, up and ahead, about what is up, as `turned` does.

    By one `heading` a picture, `(b, 1, 1)`, or one a point, `(b, h, w)`.
    """
    right, up, ahead = points.unbind(dim=1)
    across = turned(torch.stack([right, ahead], dim=-1), heading)
    return torch.stack([across[..., 0], up, across[..., 1]], dim=1)


def luminance(colors: Tensor) -> Tensor:
    """The gray as bright as colours, `b 3 h w` in [-1, 1], are: `b 1 h w` (ITU-R BT.709)."""
    light = ((colors + 1) / 2).clamp(min=_BLACK, max=1) ** _GAMMA
    shares = light.new_tensor([0.2126, 0.7152, 0.0722])[:, None, None]
    return 2 * (light * shares).sum(dim=1, keepdim=True) ** (1 / _GAMMA) - 1


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


def _one_by_one(layer: nn.Module, places: Tensor) -> Tensor:
    """Apply a layer to each place of `b c h w` as if there were no other."""
    alone = layer(rearrange(places, "b c h w -> (b h w) c 1 1"))
    return rearrange(alone, "(b h w) c 1 1 -> b c h w", h=places.shape[2], w=places.shape[3])


def _around(kinds: Tensor, frames: int) -> Tensor:
    """Means of what stands at places, `b k h w`, and those next to them, over so many frames to each side."""
    near = avg_pool2d(kinds, 3, 1, 1, count_include_pad=False)
    spans = (slice(max(0, frame - frames), frame + frames + 1) for frame in range(len(near)))
    return torch.stack([near[span].mean(dim=0) for span in spans]) if frames else near


def _doubled(part: Tensor) -> Tensor:
    return interpolate(part, scale_factor=2, mode="bilinear")


class Reading(NamedTuple):
    """What the text says of each place, and of each segment, see `Segments`.

    Attributes:
        floorlike: how likely each is of the floor, places and then segments, `(b, 1, h * w + segments, 1)`.
        found: what is said of it, `(b, c, h * w + segments, 1)`.
        size: rows and columns of places.
    """

    floorlike: Tensor
    found: Tensor
    size: tuple[int, int]

    def split(self, told: Tensor) -> tuple[Tensor, Tensor]:
        """Tell places, `b c h w`, from segments, `b c segments 1`."""
        rows, columns = self.size
        places, segments = told.tensor_split([rows * columns], dim=2)
        return places.unflatten(2, self.size).squeeze(-1), segments


class Sketcher(ModelMixin, ConfigMixin):
    """Look at the shapes first, then read about them, then paint.

    All that goes from looking to reading is how likely each surface is of which kind, and each is read about
    by itself. So the reading can be learnt from sentences alone. All that goes from looking to patterns is
    where on its object a point is, so patterns can be learnt without pictures, too.

    Args:
        channels: width of its looking and reading; divisible by 8.
        context_channels: width of the text embeddings.
    """

    @register_to_config
    def __init__(self, channels: int = 88, context_channels: int = 192) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.look = nn.Sequential(
            *(nn.Conv2d(_SHOWN, quarter, 3, 2, 1), nn.GroupNorm(1, quarter), nn.GELU()),
            *(nn.Conv2d(quarter, half, 3, 2, 1), nn.GroupNorm(1, half), nn.GELU()),
            nn.Conv2d(half, channels, 3, 2, 1),
            *(Mixing(channels) for _ in range(3)),
            Asking(channels),
        )
        self.kinds = nn.Conv2d(channels, KINDS, 1)
        self.names = nn.Conv2d(KINDS, channels, 1)
        self.words = Linear(context_channels, channels)
        self.phrases = Mixing(channels, reach=(0, _NEIGHBORS))
        self.ask = nn.ModuleList(Asking(channels) for _ in range(2))
        self.mix = nn.ModuleList(Mixing(channels, reach=(0, 0)) for _ in range(2))
        self.norm = nn.GroupNorm(1, channels)
        self.paint = nn.ModuleList(
            [
                Painting(2 * channels, half, 3 * quarter, reach=(3, 3)),
                Painting(3 * quarter, quarter + RELIEF, half, reach=(1, 1)),
            ]
        )
        self.locate = nn.ModuleList(
            [Painting(channels, half, half, reach=(3, 3)), Painting(half, quarter, quarter, reach=(1, 1))]
        )
        self.points = nn.Conv2d(quarter, 3, 3, padding=1)
        self.cover = Covering(channels, asking=4)
        self.pave = Covering(channels, dimensions=2, patterns=48)
        self.gray = nn.Conv2d(channels, 1, 1)
        self.shade = nn.Sequential(*(Mixing(half, reach=(1, 1)) for _ in range(2)))
        self.light = nn.Conv2d(half, 3, 3, padding=1)
        self.colors = nn.Conv2d(half, 12, 3, padding=1)
        self.sharpen = Sharpening(_SHOWN, quarter)
        unsaid = Linear(quarter, 3)
        nn.init.zeros_(unsaid.weight)
        nn.init.zeros_(unsaid.bias)
        self.sun = nn.Sequential(Linear(channels, quarter), nn.GELU(), unsaid)

    def forward(
        self,
        depth: Tensor,
        context: Tensor,
        heading: Tensor,
        floor: Tensor,
        sun: Tensor,
        followed: Followed | None = None,
        shown: slice | None = None,
        at_once: int | None = None,
        antialias: bool = False,
    ) -> Tensor:
        """Sketch frames, each by itself but for where on their objects points lie.

        Args:
            depth: `(n, 1, height, width)`, normalised as the denoising network is shown it; divisible by 8.
            context: text embeddings `(n, tokens, channels)`.
            heading: where the camera looks, `(n,)`, in radians to the right.
            floor: which point of the floor each pixel of half the size sees, `(n, 2, height/2, width/2)`, in
                metres; `Cameras` tell both.
            sun: which way the light comes from, `(n, 2)`: to the right, and from ahead of the camera.
                Heading, floor and sun are in single precision, whatever the rest is in.
            followed: how the camera heads as objects have it, `(n, …)`; else they are taken to stand still.
            shown: which frames are painted, where all are of one clip and in a row: then what objects are and
                points on them agree with frames around. Without it, all are painted, each for itself.
            at_once: how many frames are painted at once; all by default.
            antialias: see `Covering.in_part`.

        Returns:
            Frames `(shown, 3, height, width)`, in [-1, 1] or a little beyond.
        """
        is_row = shown is not None
        seen, kinds = self.shapes(depth)
        segments = segmented(depth)
        small, objects = (part[:, :, ::2, ::2] for part in (depth, segments.objects))
        headings = heading[:, None, None] if followed is None else headings_of(objects, followed, heading)
        points = agreed(upright(self.located(seen), headings), small, objects, headings, in_a_row=is_row)
        told = segments.means(kinds)
        if is_row:
            told = shared(told, segments)
        kinds = torch.where(segments.are_there, kinds, _around(kinds, REACH if is_row else 0))

        def paint(*given: Tensor) -> Tensor:
            depth, context, floor, sun, kinds, told, points, *rest = given
            segments, seen = Segments(*rest[:3]), rest[3:]
            lit = relief(depth, sun, segments.objects[:, :, ::2, ::2])
            reading = self.read(kinds, told, context)
            return self.picture(seen, reading, points, floor, lit, segments, antialias)

        given = (depth, context, floor, sun, kinds, told, points, *segments, *seen)
        given = tuple(part[shown or slice(None)] for part in given)
        return by_frames(paint, min(at_once or len(given[0]), len(given[0])), *given)

    def shapes(self, depth: Tensor) -> tuple[list[Tensor], Tensor]:
        """Look: depth `b 1 y x` to what is seen at its size, its half, quarter and eighth, and kinds.

        The kinds `b k y/8 x/8` are logits of what stands there.
        """
        sloped = [torch.tanh(steepness * slope) for steepness in _STEEPNESS for slope in slopes(depth)]
        hidden = torch.cat([depth, *sloped], dim=1).to(self.dtype, memory_format=torch.channels_last)
        seen = [hidden]
        for layer in self.look:
            hidden = layer(hidden)
            if isinstance(layer, nn.GELU):
                seen.append(hidden)
        return [*seen, hidden], self.kinds(hidden)

    def read(self, kinds: Tensor, told: Tensor, context: Tensor) -> Reading:
        """Read about each place by itself, and about each segment as one.

        Args:
            kinds: logits of what stands at each place, `(b, k, h, w)`.
            told: of what each segment is, `(b, k, segments)`, as `Segments.means` has them.
            context: text embeddings `(b, n, d)`.
        """
        likely = torch.cat([kinds.flatten(2), told], dim=2)[..., None].softmax(dim=1)
        return Reading(likely[:, :1], self.about(likely, context), (kinds.shape[2], kinds.shape[3]))

    def about(self, kinds: Tensor, context: Tensor) -> Tensor:
        """What the text `b n d` says of surfaces, each of kinds as likely as `b k h w`: `b c h w`.

        Each is read about by itself: it does not know of the others.
        """
        phrases, found = self._phrases(context), self.names(kinds)
        for ask, mix in zip(self.ask, self.mix, strict=True):
            found = _one_by_one(mix, ask(found, phrases))
        return _one_by_one(self.norm, found)

    def sun_in(self, context: Tensor) -> Tensor:
        """Which way the text `b n d` has the light come from, `(b, 2)`: to the right, and from ahead.

        It is the mean of where the sun may stand by what is said: about 0 where nothing is.
        """
        told = _PACE * self.sun(self._phrases(context))
        return (told[..., :2] * told[..., 2:].softmax(dim=1)).sum(dim=1)

    def _phrases(self, context: Tensor) -> Tensor:
        """Each word of the text `b n d` with those next to it: `b n c`."""
        words = rearrange(self.words(context), "b n c -> b c 1 n")
        return rearrange(self.phrases(words), "b c 1 n -> b n c")

    def located(self, seen: list[Tensor]) -> Tensor:
        """Where on its object each point lies, by what is seen: `b 3 4h 4w` (Wang et al. 2019, NOCS).

        In units of the object's size, about -1 to 1, to the right, up and ahead of its middle as an upright
        camera has it; `upright` turns it to the object's own frame. Where none is the points mean nothing.
        """
        _, halves, quarters, hidden = seen
        for locate, part in zip(self.locate, (quarters, halves), strict=True):
            (hidden,) = locate(hidden, part)
        found: Tensor = self.points(gelu(hidden))
        return found

    def picture(
        self,
        seen: Sequence[Tensor],
        reading: Reading,
        points: Tensor,
        floor: Tensor,
        lit: Tensor,
        segments: Segments,
        antialias: bool = False,
    ) -> Tensor:
        """Paint: what is seen, what the text says of it, where on its surface each point lies, and the light.

        Args:
            seen: from `shapes`.
            reading: from `read`.
            points: on objects, `b 3 4h 4w`, in the objects' own frames.
            floor: on the floor, `b 2 4h 4w`, in metres.
            lit: how surfaces stand to the light, from `relief`, `b RELIEF 4h 4w`.
            segments: what belongs together, by pixels `8h 8w`: it is covered alike, as was read about it.
            antialias: see `Covering.in_part`.

        Returns:
            Frames `b 3 8h 8w`.
        """
        pixels, halves, quarters, eighths = seen
        halves = torch.cat([halves, lit.to(halves.dtype)], dim=1)
        found = reading.found
        others = [self.gray(found), reading.floorlike, self.cover.asking(found), self.pave.asking(found)]
        widths = [part.shape[1] for part in others]
        asked, whole = reading.split(torch.cat(others, dim=1))
        hidden = torch.cat([segments.over(*reading.split(found)), eighths], dim=1)
        is_apart = 1 - segments.counted.sum(dim=1).mean(dim=(1, 2)) > _APART
        mixed = [asked] if is_apart.is_meta or is_apart.any() else []
        for paint, part in zip(self.paint, (quarters, halves), strict=True):
            hidden, *mixed = paint(hidden, part, *mixed)
        hidden = self.shade(gelu(hidden))
        light, points, *mixed = self.sharpen(pixels, self.light(hidden), points, *mixed)
        evened = segments.over(mixed[0], whole) if mixed else segments.over_places(asked, whole)
        if mixed and not is_apart.is_meta and not is_apart.all():
            evened = torch.where(is_apart[:, None, None, None], evened, segments.over_places(asked, whole))
        gray, paved, covers, paves = evened.split(widths, dim=1)
        paved = ((paved - _SURE) / (1 - 2 * _SURE)).clamp(0, 1)
        covered = self.cover.in_part(covers, points, 1 - paved, antialias)
        covered = covered + self.pave.in_part(paves, _doubled(floor), paved, antialias)
        # from as vivid as a cartoon to as gray as a pencil
        covered = covered + gray.clamp(*_GRAYS) * (luminance(covered) - covered)
        return pixel_shuffle(self.colors(hidden), 2) + light * (covered + 1) - 1  # -1 is black: no light
