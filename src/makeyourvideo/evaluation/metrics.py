"""Does a video show what was asked, where it was asked, without flicker? Each measure against exact truth."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from makeyourvideo.world.colors import COLORS, companion
from makeyourvideo.world.render import Clip, flow

Frames = NDArray[np.uint8]
Masks = NDArray[np.bool_]
Floats = NDArray[np.float32]
_LEVELS = np.linspace(0.02, 0.98, 49)
_TOLERANCE = 2
_REACH = 10
_BINS = 8


def object_masks(clip: Clip, thing: int) -> Masks:
    """Return the exact mask `(frames, height, width)` of thing `thing`."""
    return clip.surfaces == thing + 1


def visible_things(clip: Clip, least: float) -> list[int]:
    """Return the things that cover at least a share `least` of the clip's pixels, the largest first."""
    areas = {thing: object_masks(clip, thing).mean() for thing in range(len(clip.scene.things))}
    return sorted((thing for thing, area in areas.items() if area >= least), key=lambda thing: -areas[thing])


def largest_thing(clip: Clip) -> int:
    """Return which thing covers most pixels over the clip."""
    return visible_things(clip, 0)[0]


def seen_color(frames: Frames, clip: Clip, thing: int) -> str:
    """Name the colour of a thing as the video shows it.

    For each named colour the object is painted anew with the exact light and lines; the name is the one whose
    pixel values are distributed most like the video's (Wasserstein-1 a channel). Distributions do not mind
    where a stripe begins, which neither prompt nor depth tells, and little where exactly the sun stands.
    """
    item = clip.scene.things[thing]
    inside = np.stack([ndimage.binary_erosion(mask, iterations=1) for mask in object_masks(clip, thing)])
    shown = np.quantile(frames[inside].astype(np.float64), _LEVELS, axis=0)

    def distance(color: str) -> float:
        painted = clip.repaint(inside, color, item.finish)
        return float(np.abs(np.quantile(painted, _LEVELS, axis=0) - shown).mean())

    return min(COLORS, key=distance)


def color_is_right(frames: Frames, clip: Clip, thing: int) -> bool:
    """Say whether a thing shows its named colour.

    A black pattern on white and a white one on black are the same picture, so each counts as the other.
    """
    item = clip.scene.things[thing]
    seen = seen_color(frames, clip, thing)
    assert item.color is not None, "materials have no named colour"
    if seen == item.color:
        return True
    return item.finish != "plain" and seen == companion(item.color) and companion(seen) == item.color


def warping_error(frames: Frames, clip: Clip) -> float:
    """Mean absolute difference, in 8-bit levels, between each frame and the next one warped back onto it.

    The flow is exact, and only pixels that stay visible count (cf. Lai et al., arXiv 1808.00449, eq. 8).
    """
    flows, visible = flow(clip)
    rows, columns = np.indices(frames.shape[1:3], dtype=np.float32)
    errors = []
    for frame, after, moved, seen in zip(frames, frames[1:], flows, visible, strict=False):
        warped = cv2.remap(
            after.astype(np.float32),
            columns + moved[..., 0].astype(np.float32),
            rows + moved[..., 1].astype(np.float32),
            cv2.INTER_LINEAR,
        )
        errors.append(np.abs(warped - frame)[seen].mean())
    return float(np.mean(errors))


def depth_error(estimated: Floats, exact: Floats) -> float:
    """Root mean square error of inverse depth `(frames, height, width)` after one scale and shift a clip.

    In units of the exact inverse depth's standard deviation (si-RMSE, cf. arXiv 1907.01341, section 5).
    """
    guess, truth = estimated.ravel().astype(np.float64), exact.ravel().astype(np.float64)
    guess, truth = guess - guess.mean(), truth - truth.mean()
    scale = guess @ truth / max(float(guess @ guess), 1e-12)
    return float(np.sqrt(np.mean((scale * guess - truth) ** 2) / max(float(np.mean(truth**2)), 1e-12)))


def psnr(frames: Frames, truth: Frames) -> float:
    """Peak signal-to-noise ratio in dB over a clip."""
    error = np.mean((frames.astype(np.float64) - truth) ** 2)
    return float(10 * np.log10(255**2 / max(float(error), 1e-9)))


def kernel_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Unbiased squared maximum mean discrepancy of two sets of features `(clips, d)`.

    The kernel is the cubic polynomial of the kernel inception distance (arXiv 1801.01401, section 4); a
    value below 0 is within the noise.
    """

    def kernel(left: NDArray[np.floating], right: NDArray[np.floating]) -> NDArray[np.floating]:
        return (left @ right.T / left.shape[1] + 1) ** 3

    def within(features: NDArray[np.floating]) -> float:
        values, count = kernel(features, features), len(features)
        return float((values.sum() - np.trace(values)) / (count * (count - 1)))

    return within(first) + within(second) - 2 * float(kernel(first, second).mean())


def boundary_f1(frames: Frames, clip: Clip, thing: int) -> float:
    """Boundary F1 of a thing's silhouette in the video against its exact mask, tolerance 2 pixels.

    The video's silhouette: pixels near the object whose colour is likelier inside it than around it, both
    colour histograms taken over the whole clip. A video that stands still while the depth moves scores low.
    """
    masks = object_masks(clip, thing)
    grown = np.stack([ndimage.binary_dilation(mask, iterations=_REACH) for mask in masks])
    shrunk = np.stack([ndimage.binary_erosion(mask, iterations=2) for mask in masks])
    around = grown & ~np.stack([ndimage.binary_dilation(mask, iterations=2) for mask in masks])
    codes = (frames // (256 // _BINS)).astype(np.int64) @ [_BINS * _BINS, _BINS, 1]
    ratio = _histogram(codes[shrunk]) - _histogram(codes[around])
    found = (ratio[codes] > 0) & grown
    scores = []
    for guess, exact in zip(found, masks, strict=True):
        if exact.any():
            cleaned = ndimage.median_filter(guess.astype(np.uint8), size=3) > 0
            scores.append(_f1(_outline(cleaned), _outline(exact)))
    return float(np.mean(scores))


def _histogram(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    counts = np.bincount(codes, minlength=_BINS**3).reshape(_BINS, _BINS, _BINS).astype(np.float64)
    smooth = ndimage.gaussian_filter(counts, 0.6) + 1e-3
    return np.log(smooth / smooth.sum()).ravel()


def _outline(mask: Masks) -> Masks:
    """Pixels of a mask that touch its outside; the picture's border is no outline."""
    return mask & ~ndimage.binary_erosion(mask, border_value=1)


def _f1(guess: Masks, exact: Masks) -> float:
    if not guess.any() or not exact.any():
        return float(guess.any() == exact.any())
    precision = (ndimage.distance_transform_edt(~exact)[guess] <= _TOLERANCE).mean()
    recall = (ndimage.distance_transform_edt(~guess)[exact] <= _TOLERANCE).mean()
    return float(2 * precision * recall / max(precision + recall, 1e-9))
