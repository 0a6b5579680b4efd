"""What objects are covered with: patterns of a named colour, and materials that bring their own.

All are functions of a point in the object's own frame, in units of its size, so they stay put as it moves.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.world.colors import COLORS, companion, mixed, rgb
from makeyourvideo.world.noise import value_noise

Floats = NDArray[np.float32]


def _plain(points: Floats) -> Floats:
    return np.zeros(len(points), dtype=np.float32)


def _striped(points: Floats) -> Floats:
    phase = points @ np.array([0.55, 0.8, 0.25], dtype=np.float32)
    return (np.mod(phase * 1.6 + 0.2, 1) < 0.45).astype(np.float32)


def _checkered(points: Floats) -> Floats:
    return (np.floor(points * 1.8 + 0.41).sum(axis=1) % 2).astype(np.float32)


def _dotted(points: Floats) -> Floats:
    offset = np.mod(points * 1.9 + 0.5, 1) - 0.5
    return ((offset**2).sum(axis=1) < 0.13).astype(np.float32)


def _wooden(points: Floats) -> Floats:
    rings = np.hypot(points[:, 0] + 0.3, points[:, 2] - 0.2) * 7 + 0.8 * value_noise(points[:, 1:] * 2, 11)
    grain = value_noise(points[:, :2] * [14, 1.5], 12)
    return mixed(
        0.65 * np.mod(rings, 1).astype(np.float32) + 0.35 * grain, rgb(200, 145, 90), rgb(105, 62, 32)
    )


def _stone(points: Floats) -> Floats:
    coarse = value_noise(points[:, :2] * 3 + points[:, 2:] * 2, 13)
    fine = value_noise(points[:, 1:] * 11 + points[:, :1] * 7, 14)
    return mixed(0.5 * coarse + 0.5 * fine, rgb(80, 82, 86), rgb(195, 194, 188))


def _metal(points: Floats) -> Floats:
    return np.broadcast_to(rgb(120, 124, 130), points.shape)


def _brick(points: Floats) -> Floats:
    row = np.floor(points[:, 1] * 5)
    along = (points[:, 0] + points[:, 2]) * 2.6 + 0.5 * (row % 2)
    mortar = (np.mod(points[:, 1] * 5, 1) < 0.16) | (np.mod(along, 1) < 0.1)
    tone = value_noise(np.stack([np.floor(along) * 3.1 + 0.5, row * 5.7 + 0.5], axis=1), 15)
    return np.where(mortar[:, None], rgb(205, 200, 190), mixed(tone, rgb(135, 50, 38), rgb(190, 85, 62)))


PATTERNS: dict[str, Callable[[Floats], Floats]] = {
    "plain": _plain,
    "striped": _striped,
    "checkered": _checkered,
    "dotted": _dotted,
}
MATERIALS: dict[str, Callable[[Floats], Floats]] = {
    "wooden": _wooden,
    "stone": _stone,
    "metal": _metal,
    "brick": _brick,
}
FINISHES = (*PATTERNS, *MATERIALS)


def paint(points: Floats, color: str | None, finish: str) -> Floats:
    """Return the albedo `(points, 3)`; materials have no named colour."""
    if color is None:
        return MATERIALS[finish](points)
    return mixed(PATTERNS[finish](points), COLORS[color], COLORS[companion(color)])


@dataclass(frozen=True)
class Shine:
    """Strength of the highlight, and the share of the surroundings that is mirrored."""

    highlight: float = 0.35
    mirror: float = 0.0


def shine(finish: str) -> Shine:
    """Say how a finish shines: metal mirrors, wood, stone and brick are dull, paint is in between."""
    if finish == "metal":
        return Shine(highlight=1.2, mirror=0.6)
    return Shine(highlight=0.04) if finish in MATERIALS else Shine()
