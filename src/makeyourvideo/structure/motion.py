"""The motion between two pictures, both ways."""

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Floats = NDArray[np.float32]


def optical_flow(first: Gray, second: Gray, *, finest: bool = False) -> tuple[Floats, Floats]:
    """Where each pixel of two grey pictures `(h, w)` goes, in pixels: from `first`, and from `second` back.

    Dense inverse search (arXiv 1603.03590); `finest` searches down to single pixels, for pictures that have
    nothing but edges to go by.

    Returns:
        Two fields `(h, w, 2)` of x and y.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if finest:
        flow.setFinestScale(0)
    return flow.calc(first, second, None), flow.calc(second, first, None)
