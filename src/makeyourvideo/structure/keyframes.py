"""Depth at a few frames -> depth at all of them: what lies between is made up from how things moved."""

from collections.abc import Mapping
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.structure.motion import optical_flow

Floats = NDArray[np.float32]
_NEARER = 20.0  # how much of two things that land on one pixel the nearer one takes, in ranges of the depth


def parse_keyframes(text: str) -> dict[int, str]:
    """Read `0:a.png,8:b.png` as frame -> file.

    Raises:
        InputError: anything else, or a frame named twice.
    """
    keyframes: dict[int, str] = {}
    for part in text.split(","):
        frame, colon, file = part.strip().partition(":")
        if not (colon and file and frame.isdecimal()) or int(frame) in keyframes:
            raise InputError("keyframes", "FRAME:FILE,FRAME:FILE,... with each frame once", text)
        keyframes[int(frame)] = file
    return keyframes


def interpolate_keyframes(keyframes: Mapping[int, Floats], num_frames: int) -> Floats:
    """Make up the inverse depth `(num_frames, height, width)` between keyframes `(height, width)`.

    Each pixel moves along the optical flow between the two keyframes around it, in a straight line and at an
    even pace, and its depth changes evenly; where several land the nearest counts (softmax splatting, arXiv
    2003.05534, eq. 14). Before the first keyframe and after the last, depth stands still.

    Raises:
        InputError: no keyframes, one beyond the last frame, or pictures of several sizes.
    """
    places = sorted(keyframes)
    if not places or places[-1] >= num_frames:
        raise InputError("keyframes", f"frames from 0 to {num_frames - 1}", f"{places or 'none'}")
    sizes = {keyframes[place].shape for place in places}
    if len(sizes) > 1:
        raise InputError("keyframes", "pictures of one size", f"{sorted(sizes)}")
    frames = np.empty((num_frames, *sizes.pop()), np.float32)
    frames[: places[0] + 1] = keyframes[places[0]]
    frames[places[-1] :] = keyframes[places[-1]]
    for first, last in pairwise(places):
        between = _Between(keyframes[first], keyframes[last])
        for place in range(first + 1, last):
            frames[place] = between.at((place - first) / (last - first))
        frames[first], frames[last] = keyframes[first], keyframes[last]
    return frames


class _Between:
    """Two pictures of depth and the motion between them, both ways."""

    def __init__(self, first: Floats, last: Floats) -> None:
        low, high = min(first.min(), last.min()), max(first.max(), last.max())
        self.span = max(float(high - low), 1e-12)
        grays = [  # by rank, because what comes nearer changes its depth, but less often its order
            cv2.equalizeHist(((depth - low) / self.span * 255).astype(np.uint8)) for depth in (first, last)
        ]
        there, back = optical_flow(*grays, finest=True)  # a disc of one depth has nothing but its edge
        grid = np.stack(np.meshgrid(np.arange(first.shape[1]), np.arange(first.shape[0])), axis=-1)
        self.grid = grid.astype(np.float32)
        self.sides = (first, there, self._arriving(last, there)), (last, back, self._arriving(first, back))

    def at(self, time: float) -> Floats:
        """The depth at a share `time` of the way from the first picture to the last."""
        total, weights = np.zeros((2, *self.grid.shape[:2]))
        for share, (depth, flow, arriving) in zip((time, 1 - time), self.sides, strict=True):
            moved = depth + share * (arriving - depth)
            certain = (1 - share) * np.exp(_NEARER * (moved - moved.max()) / self.span)
            _splat(self.grid + share * flow, moved, certain, total, weights)
        plain = self.sides[0][0] * (1 - time) + self.sides[1][0] * time
        return np.where(weights > 1e-9, total / np.maximum(weights, 1e-9), plain).astype(np.float32)

    def _arriving(self, depth: Floats, flow: Floats) -> Floats:
        return cv2.remap(depth, self.grid + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _splat(
    places: Floats,
    values: Floats,
    certain: NDArray[np.float64],
    total: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> None:
    """Add each pixel, with its weight, to the four pixels around the place where it lands."""
    height, width = values.shape
    corner = np.floor(places).astype(np.int64)
    inside = places - corner
    for row in (0, 1):
        for column in (0, 1):
            x, y = corner[..., 0] + column, corner[..., 1] + row
            shares = np.abs(1 - column - inside[..., 0]) * np.abs(1 - row - inside[..., 1]) * certain
            kept = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            spot = (y * width + x)[kept]
            for sums, added in ((total, shares * values), (weights, shares)):
                sums += np.bincount(spot, added[kept], minlength=height * width).reshape(height, width)
