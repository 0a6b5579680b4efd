"""Named colours. Colours are linear RGB in [0, 1]; the palette is given in sRGB as people name it."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def srgb_to_linear(color: NDArray[np.floating]) -> Floats:
    """Undo the sRGB curve (IEC 61966-2-1); any shape, values in [0, 1]."""
    return np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4).astype(np.float32)


def linear_to_srgb(color: NDArray[np.floating]) -> Floats:
    """Apply the sRGB curve (IEC 61966-2-1); any shape, clipped to [0, 1]."""
    color = np.clip(color, 0, 1)
    return np.where(color <= 0.0031308, color * 12.92, 1.055 * color ** (1 / 2.4) - 0.055).astype(np.float32)


def rgb(*levels: int) -> Floats:
    """Return the linear colour of three sRGB levels from 0 to 255."""
    return srgb_to_linear(np.array(levels, dtype=np.float32) / 255)


def mixed(share: Floats, first: Floats, second: Floats) -> Floats:
    """Blend two colours by a `share` of the second for each point: `(points, 3)`."""
    return first + (second - first) * share[:, None]


COLORS: dict[str, Floats] = {
    "red": rgb(215, 35, 35),
    "green": rgb(45, 160, 50),
    "blue": rgb(35, 75, 215),
    "yellow": rgb(240, 215, 30),
    "orange": rgb(245, 125, 20),
    "purple": rgb(130, 45, 175),
    "pink": rgb(250, 140, 190),
    "white": rgb(240, 240, 240),
    "black": rgb(28, 28, 30),
    "brown": rgb(120, 72, 38),
    "gray": rgb(130, 130, 132),
    "cyan": rgb(45, 205, 215),
}
_PALE = ("white", "yellow", "cyan", "pink")


def companion(color: str) -> str:
    """Name the second colour of a pattern: black beside pale colours, white beside the others."""
    return "black" if color in _PALE else "white"
