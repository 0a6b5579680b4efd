"""The motion between two pictures, one way or both."""

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Floats = NDArray[np.float32]


def flow_to(first: Gray, second: Gray, *, finest: bool = False) -> Floats:
    """Where each pixel of the grey picture `first` `(h, w)` goes in `second`, in pixels.

    Dense inverse search (arXiv 1603.03590); `finest` searches down to single pixels, for pictures that have
    nothing but edges to go by.

    Returns:
        A field `(h, w, 2)` of x and y.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if finest:
        search.setFinestScale(0)
    flow: Floats = search.calc(first, second, None)
    return flow


def optical_flow(first: Gray, second: Gray, *, finest: bool = False) -> tuple[Floats, Floats]:
    """`flow_to` from `first`, and from `second` back."""
    return flow_to(first, second, finest=finest), flow_to(second, first, finest=finest)
