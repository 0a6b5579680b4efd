"""Does a video show what was asked, where it was asked, without flicker? Each measure against exact truth."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from makeyourvideo.world.render import Clip, flow
from makeyourvideo.world.surfaces import COLORS, companion, linear_to_srgb, paint

Frames = NDArray[np.uint8]
Masks = NDArray[np.bool_]
_LEVELS = np.linspace(0.02, 0.98, 49)
_TOLERANCE = 2
_REACH = 10
_BINS = 8


def object_masks(clip: Clip, thing: int) -> Masks:
    """Return the exact mask `(frames, height, width)` of thing `thing`."""
    return clip.surfaces == thing + 1


def largest_thing(clip: Clip) -> int:
    """Return which thing covers most pixels over the clip."""
    areas = [int(object_masks(clip, thing).sum()) for thing in range(len(clip.scene.things))]
    return int(np.argmax(areas))


def seen_color(frames: Frames, clip: Clip, thing: int) -> str:
    """Name the colour of a thing as the video shows it.

    For each named colour the object is painted anew with the exact light; the name is the one whose pixel
    values are distributed most like the video's (Wasserstein-1 a channel). Distributions do not mind where
    the sun stands or a stripe begins, neither of which prompt or depth tells.
    """
    item = clip.scene.things[thing]
    inside = np.stack([ndimage.binary_erosion(mask, iterations=1) for mask in object_masks(clip, thing)])
    shown = np.quantile(frames[inside].astype(np.float64), _LEVELS, axis=0)
    points, light = clip.points[inside], clip.light[inside]

    def distance(color: str) -> float:
        painted = 255 * linear_to_srgb(paint(points, color, item.pattern) * light)
        return float(np.abs(np.quantile(painted, _LEVELS, axis=0) - shown).mean())

    return min(COLORS, key=distance)


def color_is_right(frames: Frames, clip: Clip, thing: int) -> bool:
    """Say whether a thing shows its named colour.

    A black pattern on white and a white one on black are the same picture, so each counts as the other.
    """
    item = clip.scene.things[thing]
    seen = seen_color(frames, clip, thing)
    same_look = item.pattern != "plain" and seen == companion(item.color) and companion(seen) == item.color
    return seen == item.color or same_look


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
