"""From places to pixels, twice the size at a time: each part mixes what is known of the places around it."""

from itertools import product

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from makeyourvideo.models.mixing import Mixing

_OWN = torch.tensor([0, 0, 0, 0, 4, 0, 0, 0, 0]).view(1, 9, 1, 1)
"""To begin with a part takes nearly all from its own place."""


_NINE = tuple(product((0, 2, 4), repeat=2))
"""Where the places around one begin, in rows and columns of twice as many."""


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


_NEXT = 0.01
"""The share that a pixel takes to begin with from where bilinear interpolation takes none."""


class Sharpening(nn.Module):
    """Twice the size, as bilinear interpolation is to begin with; at edges from the side that a pixel is of.

    Args:
        seen: width of what is seen.
        channels: width of what decides.
    """

    def __init__(self, seen: int, channels: int) -> None:
        super().__init__()
        self.sides = nn.Sequential(
            nn.Conv2d(seen, channels, 3, padding=1), nn.GELU(), nn.Conv2d(channels, 9, 3, padding=1)
        )

    def forward(self, seen: Tensor, *others: Tensor) -> list[Tensor]:
        """Map each of the `others`, `b c h w`, to `b c 2h 2w`, by what is seen, `b d 2h 2w`."""
        near = torch.tensor([[0.25, 0.75, _NEXT], [_NEXT, 0.75, 0.25]], device=seen.device).log()
        nine = rearrange(near[:, None, :, None] + near[None, :, None, :], "y x r c -> (r c) y x")
        rows, columns = (side // 2 for side in seen.shape[2:])
        shares = torch.softmax(self.sides(seen) + nine.repeat(1, rows, columns), dim=1, dtype=torch.float32)
        return [_mixed(one, shares.to(one.dtype)) for one in others]


def _mixed(known: Tensor, shares: Tensor) -> Tensor:
    """Mix what is known of places, `b c h w`, by the `shares` of their parts, `b 9 2h 2w`, to `b c 2h 2w`."""
    rows, columns = shares.shape[2:]
    around = pad(interpolate(known, scale_factor=2), (2, 2, 2, 2), mode="replicate")
    nine = (around[..., down : down + rows, across : across + columns] for down, across in _NINE)
    mixed = torch.zeros_like(around[..., :rows, :columns])
    for place, share in zip(nine, shares.split(1, dim=1), strict=True):
        mixed.addcmul_(place, share)
    return mixed
