"""One scene for all formats: a floor that nears towards the bottom, and a ball that crosses it."""

import numpy as np
import pytest


@pytest.fixture
def inverse() -> np.ndarray:
    """Inverse depth float32 `(5, 32, 48)` from 0 (sky) to exactly 1."""
    f, y, x = np.ogrid[:5, :32, :48]
    floor = np.maximum(y - 8, 0) / 40
    ball = (y - 16) ** 2 + (x - 10 - 6 * f) ** 2 < 40
    scene = np.where(ball, 0.8 + x / 500, floor).astype(np.float32)
    return scene / scene.max()
