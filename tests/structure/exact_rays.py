"""Depth by brute force: every ray against every triangle, in float64, to hold the ray caster to."""

import numpy as np


def exact_depth(
    vertices: np.ndarray, faces: np.ndarray, pose: np.ndarray, fov: float, height: int, width: int
) -> np.ndarray:
    """Z along the optical axis `(height, width)` of a camera that looks along its -z."""
    y, x = np.mgrid[:height, :width]
    lens = np.tan(fov / 2)
    rays = (
        np.stack(
            [
                (x + 0.5 - width / 2) / (height / 2) * lens,
                -(y + 0.5 - height / 2) / (height / 2) * lens,
                -np.ones(x.shape),
            ],
            axis=-1,
        ).reshape(-1, 1, 3)
        @ pose[:3, :3].T
    )
    first, second, third = np.moveaxis(vertices[faces], 1, 0)
    one, two, origin = second - first, third - first, pose[:3, 3] - first
    across = np.cross(rays, two)
    with np.errstate(all="ignore"):
        inverse = 1 / (across * one).sum(axis=-1)
        u = (across * origin).sum(axis=-1) * inverse
        other = np.cross(origin, one)
        v = (rays * other).sum(axis=-1) * inverse
        reach = (two * other).sum(axis=-1) * inverse
        met = (u >= 0) & (v >= 0) & (u + v <= 1) & (reach > 0)
    return np.where(met, reach, np.inf).min(axis=1).reshape(height, width)


def assert_same_view(found: np.ndarray, exact: np.ndarray) -> None:
    """Silhouettes agree within one pixel, and depth wherever a pixel and all around it show one thing."""
    hit, truth = np.isfinite(found), np.isfinite(exact)
    grown, shrunk = _around(truth, np.max), _around(truth, np.min)
    assert not (hit & ~grown).any()
    assert not (shrunk & ~hit).any()
    assert (hit != truth).mean() < 0.01, "rounding decides hardly any pixel"
    both = hit & truth
    close = np.abs(found[both] - exact[both]) <= 1e-5 * exact[both]
    assert close.mean() > 0.99, "but for edges within the silhouette, where rounding decides"


def _around(mask: np.ndarray, pick: np.ufunc) -> np.ndarray:
    padded = np.pad(mask, 1, mode="edge")
    height, width = mask.shape
    return pick([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)
