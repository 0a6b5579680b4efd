"""Convolutions by fewer multiplications: Winograd's minimal filtering, as products of matrices.

A tile of outputs is, over channels, a sum of products of the inputs under it with the taps, both transformed
(Lavin & Gray 2016, arXiv 1509.09308, equations 5 to 8): 36 products for 4x4 outputs in place of 144, 16 for
2x2 in place of 36, 6 for 4 frames in place of 12. Where many channels make products dear, that pays.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from makeyourvideo.models.dense import MKL_IS_FAST

_LEAST_PIXELS = 256
"""With fewer in all frames at once, the taps' transform costs what the products save."""
_LEAST_CHANNELS = {3: 128, 1: 256}
"""With fewer, as the parallel sum of those that enter and leave, the inputs' and outputs' transforms do; for
kernels of so many columns."""
_LARGE = 32
"""Side of a map from which tiles are the larger ones, whose taps take more to transform."""
_BLOCK_BYTES = 2**24
"""Roughly what is transformed, and multiplied by, at once."""
_STEP = 32
"""Blocks of taps are as many outputs wide, or a multiple: others leave vectors half empty."""


@dataclass(frozen=True)
class Filtering:
    """F(m, 3): m outputs of 3 taps from m + 2 inputs, along some axes; tensors of a tile are laid flat.

    Attributes:
        inputs, taps, outputs: matrices that transform a tile's inputs and its taps, and give its outputs.
    """

    inputs: Tensor
    taps: Tensor
    outputs: Tensor

    @classmethod
    def at(cls, *points: float) -> "Filtering":
        """Multiply polynomials by their values at `points`, one fewer than inputs, and at infinity.

        (Cook and Toom's way, see Blahut 2010, Fast Algorithms for Signal Processing, section 5.2.)
        """
        others = [np.delete(points, index) for index in range(len(points))]
        scales = [np.prod(point - some) for point, some in zip(points, others, strict=True)]
        products = [*map(np.poly, others), np.poly(points)]
        inputs = [np.pad(product[::-1], (0, len(points) + 1 - len(product))) for product in products]
        infinity = np.eye(len(points) + 1)[-1]
        taps = np.vander(points, 3, increasing=True) / np.reshape(scales, (-1, 1))
        outputs = np.vander([*points, 0], len(points) - 1, increasing=True).T
        outputs[:, -1] = infinity[-len(outputs) :]
        matrices = (np.array(inputs), np.vstack([taps, infinity[-3:]]), outputs)
        return cls(*(torch.from_numpy(matrix).float() for matrix in matrices))

    def along_two(self) -> "Filtering":
        """The same along two axes."""
        return Filtering(*(torch.kron(part, part) for part in vars(self).values()))


_TWO, _FOUR = Filtering.at(0, 1, -1), Filtering.at(0, 0.75, -0.75, 1.5, -1.5)
"""For two outputs and for four. With these points normally distributed inputs are rounded as by the library;
with 0, 1, -1, 2 and -2, the usual ones, four times as much."""
_TWO_BY_TWO, _FOUR_BY_FOUR = _TWO.along_two(), _FOUR.along_two()


def pays(inputs: Tensor, weight: Tensor) -> bool:
    """Say whether that is the faster way for `inputs`, by `weight`, `(outputs, channels, 3, 3 or 1)`."""
    leaving, entering, _, columns = weight.shape
    return (
        MKL_IS_FAST  # else oneDNN's convolutions may be the faster way
        and inputs.device.type in ("cpu", "meta")  # other devices' libraries do so themselves
        and inputs.dtype == weight.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and inputs.numel() // entering >= _LEAST_PIXELS
        and entering * leaving >= _LEAST_CHANNELS[columns] * (entering + leaving)
    )


def convolve_pixels(pictures: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve by three by three, zero-padded, what is even in height and width.

    Args:
        pictures: `n h w c`.
        weight: `(outputs, channels, 3, 3)`.
        bias: `(outputs,)`.

    Returns:
        `n h w outputs`.
    """
    _, height, width, channels = pictures.shape
    large = min(height, width) >= _LARGE and height % 4 == width % 4 == 0
    side, filtering = (4, _FOUR_BY_FOUR) if large else (2, _TWO_BY_TWO)
    tiles, outputs, reach = (height // side, width // side), len(weight), side + 2

    def tiled(some: Tensor) -> Tensor:
        windows = pad(some, (0, 0, 1, 1, 1, 1)).unfold(1, reach, side).unfold(2, reach, side)
        return windows.permute(4, 5, 0, 1, 2, 3).reshape(reach**2, -1, channels)

    size = max(1, _BLOCK_BYTES * side**2 // (reach**2 * _bytes(pictures[0])))
    convolved = pictures.new_empty(*pictures.shape[:3], outputs)
    found = _filtered(map(tiled, pictures.split(size)), weight, filtering)
    for into, part in zip(convolved.split(size), found, strict=True):
        laid = part.view(side, side, -1, *tiles, outputs).permute(2, 3, 0, 4, 1, 5)
        into.view_as(laid).copy_(laid)
    return convolved.add_(bias)


def convolve_frames(clips: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve by three frames, the first and the last one repeated.

    Args:
        clips: `b f p c`.
        weight: `(outputs, channels, 3, 1)`.
        bias: `(outputs,)`.

    Returns:
        `b f p outputs`.
    """
    batch, frames, positions, channels = clips.shape
    tiles, outputs = -(-frames // 4), len(weight)
    last = clips[:, -1:].expand(-1, 4 * tiles - frames + 1, -1, -1)
    padded = torch.cat([clips[:, :1], clips, last], dim=1)

    def tiled(some: Tensor) -> Tensor:
        return some.unfold(1, 6, 4).permute(4, 0, 1, 2, 3).reshape(6, -1, channels)

    size = max(1, _BLOCK_BYTES // (6 * tiles * _bytes(clips[:, 0, 0])))
    convolved = clips.new_empty(batch, tiles, 4, positions, outputs)
    found = _filtered(map(tiled, padded.split(size, dim=2)), weight, _FOUR)
    for into, part in zip(convolved.split(size, dim=3), found, strict=True):
        into.copy_(part.view(4, batch, tiles, -1, outputs).permute(1, 2, 0, 3, 4))
    return convolved.flatten(1, 2)[:, :frames].add_(bias)


def _filtered(tiles: Iterable[Tensor], weight: Tensor, filtering: Filtering) -> list[Tensor]:
    """Map each `(inputs of a tile, n, channels)` to `(outputs of a tile, n, outputs)`.

    Transformed inputs are held all at once, transformed taps in blocks: there are more of them.
    """
    seen = [_transformed(filtering.inputs, some) for some in tiles]
    taps = weight.permute(2, 3, 0, 1).flatten(0, 1)
    width = _BLOCK_BYTES // (len(filtering.inputs) * _bytes(taps[0, 0]))
    found: list[list[Tensor]] = [[] for _ in seen]
    for some in taps.split(max(width // _STEP, 1) * _STEP, dim=1):
        multiplied = _transformed(filtering.taps, some).transpose(1, 2)
        for part, into in zip(seen, found, strict=True):
            into.append(_transformed(filtering.outputs, torch.bmm(part, multiplied)))
    return [torch.cat(some, dim=2) for some in found]


def _bytes(part: Tensor) -> int:
    return part.numel() * part.element_size()  # `nbytes` does not go through torch.compile


def _transformed(matrix: Tensor, tiles: Tensor) -> Tensor:
    return torch.mm(matrix.to(tiles.device), tiles.flatten(1)).unflatten(1, tiles.shape[1:])
