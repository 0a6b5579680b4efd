"""What the ground is made of: colours as functions of its plane coordinates, in metres."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.world.colors import COLORS, mixed, rgb
from makeyourvideo.world.noise import value_noise

Floats = NDArray[np.float32]


def _wood(points: Floats) -> Floats:
    board = np.floor(points[:, 0] * 1.4)
    seam = np.mod(points[:, 0] * 1.4, 1) < 0.06
    tone = np.mod(board * 0.37, 1) * 0.5 + 0.3 * value_noise(points * [6, 0.7], 3)
    return np.where(seam[:, None], rgb(70, 42, 22), mixed(tone, rgb(125, 78, 42), rgb(190, 135, 84)))


def _grass(points: Floats) -> Floats:
    tone = 0.6 * value_noise(points * 1.5, 1) + 0.4 * value_noise(points * 5, 2)
    return mixed(tone, rgb(45, 100, 35), rgb(120, 175, 65))


def _sand(points: Floats) -> Floats:
    tone = 0.5 + 0.5 * np.sin(points[:, 1] * 6 + 4 * value_noise(points * 0.8, 4))
    return mixed(tone.astype(np.float32), rgb(205, 175, 120), rgb(230, 205, 155))


def _stone(points: Floats) -> Floats:
    shifted = points + np.stack([0.5 * (np.floor(points[:, 1]) % 2), 0 * points[:, 1]], axis=1)
    seam = (np.mod(shifted, 1) < 0.07).any(axis=1)
    tone = value_noise(np.floor(shifted) * 7.3 + 0.5, 5)
    return np.where(seam[:, None], rgb(75, 75, 78), mixed(tone, rgb(120, 120, 122), rgb(170, 168, 162)))


def _snow(points: Floats) -> Floats:
    return mixed(value_noise(points * 1.2, 6), rgb(220, 226, 238), rgb(250, 250, 252))


def _tiles(points: Floats) -> Floats:
    share = (np.floor(points * 0.9).sum(axis=1) % 2).astype(np.float32)
    return mixed(share, rgb(235, 235, 232), rgb(45, 45, 50))


def _water(points: Floats) -> Floats:
    swell = points[:, 0] * 3 + points[:, 1] * 5 + 5 * value_noise(points * 0.9, 7)
    return mixed((0.5 + 0.5 * np.sin(swell)).astype(np.float32), rgb(20, 80, 120), rgb(70, 150, 185))


def _brick(points: Floats) -> Floats:
    row = np.floor(points[:, 1] * 2.4)
    along = points[:, 0] * 1.2 + 0.5 * (row % 2)
    mortar = (np.mod(points[:, 1] * 2.4, 1) < 0.12) | (np.mod(along, 1) < 0.06)
    tone = value_noise(np.stack([np.floor(along) * 3.1 + 0.5, row * 5.7 + 0.5], axis=1), 8)
    return np.where(mortar[:, None], rgb(190, 185, 175), mixed(tone, rgb(135, 55, 42), rgb(185, 88, 66)))


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
    "water": _water,
    "brick": _brick,
}
NATURAL = ("grass", "sand", "stone", "snow", "green", "brown")  # what hills are made of
