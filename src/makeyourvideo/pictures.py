"""Pictures for people: what went in above what came out."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from makeyourvideo.media import Frames
from makeyourvideo.structure.depth import DepthVideo

_GAP = 2  # pixels of white between the tiles


def strip(*rows: DepthVideo | Frames, columns: int = 8, longest_side: int = 256) -> Frames:
    """Lay out evenly chosen frames, the first and the last among them, one row for each clip.

    Args:
        rows: depth, drawn with near = white, or frames uint8 `(frames, height, width, 3)`. All are drawn in
            the shape of the last one.
        columns: how many frames to show at most.
        longest_side: of one frame, in pixels; larger frames are made smaller.

    Returns:
        One picture, uint8 `(height, width, 3)`.
    """
    clips = [drawn_depth(row) if isinstance(row, DepthVideo) else row for row in rows]
    columns = min(columns, max(len(clip) for clip in clips))
    height, width = clips[-1].shape[1:3]
    shrink = min(1.0, longest_side / max(height, width))
    height, width = max(round(height * shrink), 1), max(round(width * shrink), 1)
    sheet = np.full((len(clips) * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, np.uint8)
    for row, clip in enumerate(clips):
        for column, index in enumerate(evenly_chosen(len(clip), columns)):
            top, left = row * (height + _GAP), column * (width + _GAP)
            tile = Image.fromarray(clip[index]).resize((width, height), Image.Resampling.BICUBIC)
            sheet[top : top + height, left : left + width] = tile
    return sheet


def evenly_chosen(num_frames: int, columns: int = 8) -> list[int]:
    """Which frames of a clip a strip shows, as many as it has columns."""
    chosen: list[int] = np.linspace(0, num_frames - 1, columns).round().astype(int).tolist()
    return chosen


def drawn_depth(depth: DepthVideo) -> Frames:
    """Draw depth as grey frames uint8 `(frames, height, width, 3)`, near = white."""
    return drawn_values(depth.values)


def drawn_values(values: NDArray[np.float32]) -> Frames:
    """Draw normalised inverse depth `(frames, height, width)` likewise, cut to [-1, 1]."""
    gray = ((values.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8)
    return np.broadcast_to(gray[..., None], (*gray.shape, 3))
