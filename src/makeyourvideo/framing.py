"""Sizes: how a depth clip is laid into the frame that the network sees, without ever stretching it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.structure.depth import Units, resample

Floats = NDArray[np.float32]
LARGEST_SIDE = 8192


@dataclass(frozen=True)
class Framing:
    """The frame of one run, sizes in pixels.

    Attributes:
        source_height, source_width: of the depth as given.
        height, width: of the result, met exactly.
        padded_height, padded_width: what the network works on; the surplus is cut off afterwards.
    """

    source_height: int
    source_width: int
    height: int
    width: int
    padded_height: int
    padded_width: int

    @property
    def covering_size(self) -> tuple[int, int]:
        """The source scaled evenly until it covers the result: height and width."""
        scale = max(self.height / self.source_height, self.width / self.source_width)
        covering = round(self.source_height * scale), round(self.source_width * scale)
        return max(self.height, covering[0]), max(self.width, covering[1])

    @property
    def notes(self) -> list[str]:
        """What happens beyond plain scaling, one sentence each."""
        notes = []
        rows, columns = self.covering_size[0] - self.height, self.covering_size[1] - self.width
        if max(rows, columns) > 1:  # a single line is only the rounding of the scaled size
            lost = f"{rows} rows" if rows > columns else f"{columns} columns"
            notes.append(
                f"the depth ({self.source_height}x{self.source_width}) has another shape than the video "
                f"({self.height}x{self.width}): scaled to cover it, its outer {lost} are left out"
            )
        if (self.padded_height, self.padded_width) != (self.height, self.width):
            notes.append(
                f"made at {self.padded_height}x{self.padded_width}, as the network needs, "
                f"and cropped to {self.height}x{self.width}"
            )
        return notes

    def place(self, inverse: Floats, grid: tuple[int, int], units: Units) -> Floats:
        """Inverse depth `(frames, h, w)` on a grid of rows and columns that spans the padded frame.

        Where the source fits, it is resized at once, as the reference does. Otherwise it is scaled to
        cover the result, cropped around its centre, and its last row and column are repeated outwards.
        Every frame is placed by itself, so a stretch of a clip is placed as in the whole of it.
        """
        whole = (self.padded_height, self.padded_width)
        if not self.covering_size == whole == (self.height, self.width):
            missing = (0, whole[0] - self.height), (0, whole[1] - self.width)
            inverse = np.pad(self.crop_to_result(inverse, units), ((0, 0), *missing), mode="edge")
        return inverse if inverse.shape[1:] == grid else resample(inverse, *grid, units)

    def place_mask(self, mask: Floats, grid: tuple[int, int]) -> Floats:
        """A mask `(frames, height, width)` of the source on the same grid, by bilinear resampling."""
        import torch

        def resized(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
            return torch.nn.functional.interpolate(values, size=size, mode="bilinear", align_corners=False)

        rows, columns = self.covering_size
        top, left = (rows - self.height) // 2, (columns - self.width) // 2
        covering = resized(torch.from_numpy(mask)[:, None], (rows, columns))
        shown = covering[..., top : top + self.height, left : left + self.width]
        missing = (0, self.padded_width - self.width, 0, self.padded_height - self.height)
        return resized(torch.nn.functional.pad(shown, missing, mode="replicate"), grid)[:, 0].numpy()

    def crop_to_result(self, inverse: Floats, units: Units) -> Floats:
        """Exactly what the result shows of inverse depth `(frames, h, w)`, at the result's size."""
        rows, columns = self.covering_size
        top, left = (rows - self.height) // 2, (columns - self.width) // 2
        if inverse.shape[1:] != (rows, columns):
            inverse = resample(inverse, rows, columns, units)
        return inverse[:, top : top + self.height, left : left + self.width]


def plan_framing(
    source: tuple[int, int],
    height: int | None,
    width: int | None,
    native_size: tuple[int, int],
    multiple: int,
) -> Framing:
    """Settle the sizes of a run.

    Args:
        source: height and width of the depth.
        height: wanted, or None: from the width and the source's aspect ratio.
        width: likewise. With neither, the native area at the source's aspect ratio, in even numbers
            because common video players need them.
        native_size: height and width that the model was trained at.
        multiple: the network's height and width must be multiples of this.

    Raises:
        InputError: a size below 1 or above `LARGEST_SIDE`.
    """
    height, width = _result_size(source[1] / source[0], height, width, native_size)
    for name, side in (("height", height), ("width", width)):
        if not 1 <= side <= LARGEST_SIDE:
            raise InputError(name, f"between 1 and {LARGEST_SIDE} pixels", str(side))
    padded_height, padded_width = (math.ceil(side / multiple) * multiple for side in (height, width))
    return Framing(*source, height, width, padded_height, padded_width)


def _result_size(
    aspect_ratio: float, height: int | None, width: int | None, native_size: tuple[int, int]
) -> tuple[int, int]:
    if height is not None and width is not None:
        return height, width
    if height is not None:
        return height, max(1, round(height * aspect_ratio))
    if width is not None:
        return max(1, round(width / aspect_ratio)), width
    native_height = _even(math.sqrt(native_size[0] * native_size[1] / aspect_ratio))
    return native_height, _even(native_height * aspect_ratio)


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))
