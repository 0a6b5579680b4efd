"""The motion between two pictures."""

import numpy as np
import pytest

from makeyourvideo.structure.motion import optical_flow


@pytest.mark.parametrize("finest", [False, True])
def test_what_moved_is_followed_there_and_back(finest: bool) -> None:
    wide = np.kron(np.random.default_rng(0).integers(0, 256, (12, 20)), np.ones((8, 8))).astype(np.uint8)
    there, back = optical_flow(wide[:, :128].copy(), wide[:, 3:131].copy(), finest=finest)
    assert there.shape == back.shape == (96, 128, 2)
    assert np.abs(np.median(there, axis=(0, 1)) - (-3, 0)).max() < 0.2
    assert np.abs(np.median(back, axis=(0, 1)) - (3, 0)).max() < 0.2
