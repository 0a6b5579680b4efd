"""What depth looks at, shaded plainly: a colour a mesh, light from above and from the camera."""

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.structure.scenes.casting import View

Floats = NDArray[np.float32]
_SKY = np.array([206, 219, 232], np.float32) / 255
_SUN = np.array([0.4, 0.8, 0.45], np.float32) / np.float32(1.001)
PALETTE: Floats = np.array(
    [
        [221, 110, 84], [86, 145, 205], [118, 170, 92], [232, 184, 83], [158, 118, 190],
        [92, 180, 172], [216, 132, 168], [150, 120, 94], [128, 136, 150],
    ],
    np.float32,
) / np.float32(255)  # fmt: skip
"""sRGB colours that differ from one another in brightness, too."""


def shade(view: View, colors: Floats, checkered: NDArray[np.bool_], square: float) -> NDArray[np.uint8]:
    """Lambert's law for a sun and for a light at the camera, on flat colours.

    Args:
        view: what is met.
        colors: sRGB in [0, 1], one a mesh, `(meshes, 3)`.
        checkered: which meshes bear a pattern of squares, seen from above, `(meshes,)`.
        square: the side of such a square.

    Returns:
        A picture uint8 `(h, w, 3)`.
    """
    met = view.mesh >= 0
    albedo = colors[view.mesh]
    squares = np.floor(view.points / square + 1e-3).astype(np.int64)
    dark = checkered[view.mesh] & ((squares[..., 0] + squares[..., 2]) % 2 == 1)
    albedo = np.where(dark[..., None], 0.8 * albedo, albedo)
    sun = np.maximum(view.normals @ _SUN, 0)
    picture = albedo * (0.35 + 0.4 * sun + 0.25 * _facing(view))[..., None]
    picture = np.where(met[..., None], picture, _SKY)
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _facing(view: View) -> Floats:
    """How squarely a surface faces the camera, from 0 to 1."""
    away = view.points - view.eye
    away /= np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    return np.abs((view.normals * away).sum(axis=-1))
