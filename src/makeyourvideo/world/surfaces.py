"""What surfaces look like: named colours, solid patterns, floors and skies.

Patterns are functions of a point in the object's own frame, so they stay put on it as it moves. Colours are
linear RGB in [0, 1]; the palette is given in sRGB as people name it.
"""

from collections.abc import Callable
from dataclasses import dataclass

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


def _palette(**colors: tuple[int, int, int]) -> dict[str, Floats]:
    return {name: srgb_to_linear(np.array(rgb, dtype=np.float32) / 255) for name, rgb in colors.items()}


COLORS = _palette(
    red=(215, 35, 35),
    green=(45, 160, 50),
    blue=(35, 75, 215),
    yellow=(240, 215, 30),
    orange=(245, 125, 20),
    purple=(130, 45, 175),
    pink=(250, 140, 190),
    white=(240, 240, 240),
    black=(28, 28, 30),
    brown=(120, 72, 38),
    gray=(130, 130, 132),
    cyan=(45, 205, 215),
)
_PALE = ("white", "yellow", "cyan", "pink")


def companion(color: str) -> str:
    """Name the second colour of a pattern: black beside pale colours, white beside the others."""
    return "black" if color in _PALE else "white"


def _plain(points: Floats) -> Floats:
    return np.zeros(len(points), dtype=np.float32)


def _striped(points: Floats) -> Floats:
    phase = points @ np.array([0.55, 0.8, 0.25], dtype=np.float32)
    return (np.mod(phase * 1.6 + 0.2, 1) < 0.45).astype(np.float32)


def _checkered(points: Floats) -> Floats:
    return (np.floor(points * 1.8 + 0.41).sum(axis=1) % 2).astype(np.float32)


PATTERNS: dict[str, Callable[[Floats], Floats]] = {
    "plain": _plain,
    "striped": _striped,
    "checkered": _checkered,
}


def paint(points: Floats, color: str, pattern: str) -> Floats:
    """Return the albedo `(points, 3)` at `points` given in units of the object's size."""
    share = PATTERNS[pattern](points)[:, None]
    return COLORS[color] * (1 - share) + COLORS[companion(color)] * share


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


def _rgb(*rgb: int) -> Floats:
    return srgb_to_linear(np.array(rgb, dtype=np.float32) / 255)


def _mixed(share: Floats, first: Floats, second: Floats) -> Floats:
    return first + (second - first) * share[:, None]


def _wood(points: Floats) -> Floats:
    board = np.floor(points[:, 0] * 1.4)
    seam = np.mod(points[:, 0] * 1.4, 1) < 0.06
    tone = np.mod(board * 0.37, 1) * 0.5 + 0.3 * value_noise(points * [6, 0.7], 3)
    return np.where(seam[:, None], _rgb(70, 42, 22), _mixed(tone, _rgb(125, 78, 42), _rgb(190, 135, 84)))


def _grass(points: Floats) -> Floats:
    tone = 0.6 * value_noise(points * 1.5, 1) + 0.4 * value_noise(points * 5, 2)
    return _mixed(tone, _rgb(45, 100, 35), _rgb(120, 175, 65))


def _sand(points: Floats) -> Floats:
    tone = 0.5 + 0.5 * np.sin(points[:, 1] * 6 + 4 * value_noise(points * 0.8, 4))
    return _mixed(tone.astype(np.float32), _rgb(205, 175, 120), _rgb(230, 205, 155))


def _stone(points: Floats) -> Floats:
    shifted = points + np.stack([0.5 * (np.floor(points[:, 1]) % 2), 0 * points[:, 1]], axis=1)
    seam = (np.mod(shifted, 1) < 0.07).any(axis=1)
    tone = value_noise(np.floor(shifted) * 7.3 + 0.5, 5)
    return np.where(seam[:, None], _rgb(75, 75, 78), _mixed(tone, _rgb(120, 120, 122), _rgb(170, 168, 162)))


def _snow(points: Floats) -> Floats:
    return _mixed(value_noise(points * 1.2, 6), _rgb(220, 226, 238), _rgb(250, 250, 252))


def _tiles(points: Floats) -> Floats:
    share = (np.floor(points * 0.9).sum(axis=1) % 2).astype(np.float32)
    return _mixed(share, _rgb(235, 235, 232), _rgb(45, 45, 50))


def _uniform(name: str) -> Callable[[Floats], Floats]:
    return lambda points: np.broadcast_to(COLORS[name] * 0.85, (len(points), 3))


FLOORS: dict[str, Callable[[Floats], Floats]] = {
    "gray": _uniform("gray"),
    "white": _uniform("white"),
    "brown": _uniform("brown"),
    "green": _uniform("green"),
    "checkered": _tiles,
    "wooden": _wood,
    "grass": _grass,
    "sand": _sand,
    "stone": _stone,
    "snow": _snow,
}


def _light(*rgb: float) -> Floats:
    return np.array(rgb, dtype=np.float32)


@dataclass(frozen=True)
class Sky:
    """Colours at horizon and zenith, and the light that comes with them (linear RGB)."""

    horizon: Floats
    zenith: Floats
    sun: Floats
    ambient: Floats
    elevation: float  # of the sun, degrees


SKIES: dict[str, Sky] = {
    "clear blue": Sky(
        _rgb(185, 215, 245),
        _rgb(50, 110, 210),
        _light(1.0, 0.97, 0.9),
        _light(0.40, 0.43, 0.48),
        50,
    ),
    "sunset": Sky(
        _rgb(255, 150, 60),
        _rgb(110, 60, 130),
        _light(1.05, 0.8, 0.55),
        _light(0.42, 0.36, 0.38),
        22,
    ),
    "night": Sky(_rgb(30, 38, 75), _rgb(6, 8, 25), _light(0.42, 0.46, 0.6), _light(0.22, 0.24, 0.32), 45),
    "overcast": Sky(
        _rgb(205, 208, 212),
        _rgb(140, 146, 155),
        _light(0.25, 0.25, 0.26),
        _light(0.66, 0.67, 0.69),
        65,
    ),
}


def sky_color(directions: Floats, sky: Sky) -> Floats:
    """Return the sky's colour `(rays, 3)` along unit `directions`."""
    height = np.clip(directions[:, 1] * 1.8, 0, 1) ** 0.7
    return _mixed(height, sky.horizon, sky.zenith)
