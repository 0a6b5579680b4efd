"""Smooth noise from a hash of the grid: the same everywhere, without any table or state."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def value_noise(points: NDArray[np.floating], seed: int) -> Floats:
    """Smooth noise in [0, 1] over the plane; `points` is `(points, 2)`."""
    cell = np.floor(points).astype(np.int64)
    offset = (points - cell).astype(np.float32)
    weight = offset * offset * (3 - 2 * offset)

    def corner(dx: int, dy: int) -> Floats:
        mixed = (cell[:, 0] + dx) * 374761393 + (cell[:, 1] + dy) * 668265263 + seed * 974711
        mixed = (mixed ^ (mixed >> 13)) * 1274126177
        return ((mixed ^ (mixed >> 16)) & 0xFFFF).astype(np.float32) / 65535

    low = corner(0, 0) * (1 - weight[:, 0]) + corner(1, 0) * weight[:, 0]
    high = corner(0, 1) * (1 - weight[:, 0]) + corner(1, 1) * weight[:, 0]
    return low * (1 - weight[:, 1]) + high * weight[:, 1]
