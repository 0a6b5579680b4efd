"""Pictures for people: what went in above what came out."""

import numpy as np
from PIL import Image

from makeyourvideo.media import Frames
from makeyourvideo.structure.depth import DepthVideo

_GAP = 2  # pixels of white between the tiles


def strip(*rows: DepthVideo | Frames, columns: int = 8) -> Frames:
    """Lay out evenly chosen frames, the first and the last among them, a row for each argument.

    Args:
        rows: depth, drawn with near = white, or frames uint8 `(frames, height, width, 3)`; all are drawn in
            the size of the last one. Frames stand under each other where they are of the same moment.
        columns: how many frames to show at most.

    Returns:
        One picture, uint8 `(height, width, 3)`.
    """
    pictures = [_drawn(row) if isinstance(row, DepthVideo) else row for row in rows]
    columns = min(columns, max(len(frames) for frames in pictures))
    height, width = pictures[-1].shape[1:3]
    sheet = np.full((len(rows) * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, np.uint8)
    for row, frames in enumerate(pictures):
        for column, index in enumerate(np.linspace(0, len(frames) - 1, columns).round().astype(int)):
            top, left = row * (height + _GAP), column * (width + _GAP)
            sheet[top : top + height, left : left + width] = _resized(frames[index], height, width)
    return sheet


def _drawn(depth: DepthVideo) -> Frames:
    gray = ((depth.values + 1) * 127.5).round().astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=-1)


def _resized(frame: Frames, height: int, width: int) -> Frames:
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC))
