"""Rendering styles that a prompt can ask for: how lit surfaces become colour, and what is drawn over them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.world.colors import linear_to_srgb, rgb, srgb_to_linear

Floats = NDArray[np.float32]
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
_CREAM = rgb(225, 205, 180)


@dataclass(frozen=True)
class Style:
    """How a picture is made; all colours are linear RGB `(n, 3)`.

    Attributes:
        shade: albedo, irradiance, gloss and rim `(n, 1)` (see `render.Samples`) -> colours of surfaces.
        grade: colours of the whole picture, sky included -> the same, graded.
        outline: colour of the lines along silhouettes and folds, or none.
    """

    shade: Callable[[Floats, Floats, Floats, Floats], Floats]
    grade: Callable[[Floats], Floats]
    outline: Floats | None = None

    def draw_over(self, picture: Floats, ink: Floats) -> Floats:
        """Draw lines over colours `(n, 3)`, where their share is `ink`, `(n, 1)`."""
        return picture if self.outline is None else picture + (self.outline - picture) * ink


def _realistic(albedo: Floats, light: Floats, gloss: Floats, _rim: Floats) -> Floats:
    return albedo * light + gloss


def _clay(albedo: Floats, light: Floats, _gloss: Floats, rim: Floats) -> Floats:
    return (0.85 * albedo + 0.1 * _CREAM) * (0.35 + 0.65 * light) * (1 - 0.35 * rim)


def _cartoon(albedo: Floats, light: Floats, gloss: Floats, _rim: Floats) -> Floats:
    level = light @ _LUMA
    steps = np.select([level > 0.75, level > 0.35], [1.05, 0.7], 0.35)[:, None]
    luma = (albedo @ _LUMA)[:, None]
    vivid = np.maximum(luma + 1.35 * (albedo - luma), 0)
    return vivid * steps + (gloss.max(axis=1, keepdims=True) > 0.2) * 0.5


def _neon(albedo: Floats, light: Floats, _gloss: Floats, rim: Floats) -> Floats:
    return albedo * (0.08 * light + 0.10) + albedo * 1.6 * rim**1.5


def _flatten(picture: Floats) -> Floats:
    """Round the sky's and the floor's tones to a few flat ones."""
    return srgb_to_linear(np.round(linear_to_srgb(picture) * 9) / 9)


def _dusk(picture: Floats) -> Floats:
    """Tint what is dark towards violet."""
    return picture + 0.02 * rgb(150, 60, 255) * np.maximum(1 - (picture @ _LUMA)[:, None] * 12, 0)


def _graphite(picture: Floats) -> Floats:
    """Keep the brightness alone, as a soft pencil would put it on paper."""
    tone = linear_to_srgb((picture @ _LUMA)[:, None])
    return srgb_to_linear(0.32 + 0.65 * tone) * rgb(255, 252, 245)


def _same(picture: Floats) -> Floats:
    return picture


def _warm(picture: Floats) -> Floats:
    return 0.85 * picture + 0.08 * _CREAM


STYLES: dict[str, Style] = {
    "realistic": Style(_realistic, _same),
    "clay": Style(_clay, _warm),
    "cartoon": Style(_cartoon, _flatten, outline=rgb(15, 12, 20)),
    "neon": Style(_neon, _dusk, outline=rgb(255, 70, 220)),
    "pencil": Style(_realistic, _graphite, outline=rgb(50, 50, 52)),
}
COLORLESS = ("pencil",)  # styles that no colour can be told from
