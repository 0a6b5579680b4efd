"""Skies and times of day: their colours, and the light that comes with them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.world.colors import mixed, rgb

Floats = NDArray[np.float32]


def _light(*levels: float) -> Floats:
    return np.array(levels, dtype=np.float32)


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
        rgb(185, 215, 245),
        rgb(50, 110, 210),
        _light(1.0, 0.97, 0.9),
        _light(0.40, 0.43, 0.48),
        50,
    ),
    "sunset": Sky(
        rgb(255, 150, 60),
        rgb(110, 60, 130),
        _light(1.05, 0.8, 0.55),
        _light(0.42, 0.36, 0.38),
        22,
    ),
    "dawn": Sky(
        rgb(255, 205, 215),
        rgb(160, 170, 225),
        _light(0.75, 0.65, 0.68),
        _light(0.50, 0.47, 0.54),
        16,
    ),
    "night": Sky(rgb(30, 38, 75), rgb(6, 8, 25), _light(0.42, 0.46, 0.6), _light(0.22, 0.24, 0.32), 45),
    "overcast": Sky(
        rgb(205, 208, 212),
        rgb(140, 146, 155),
        _light(0.25, 0.25, 0.26),
        _light(0.66, 0.67, 0.69),
        65,
    ),
}


def sky_color(directions: Floats, sky: Sky) -> Floats:
    """Return the sky's colour `(rays, 3)` along unit `directions`."""
    height = np.clip(directions[:, 1] * 1.8, 0, 1) ** 0.7
    return mixed(height, sky.horizon, sky.zenith)
