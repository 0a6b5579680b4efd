"""Depth between keyframes: made up from how things moved."""

import numpy as np
import pytest

from makeyourvideo.errors import InputError
from makeyourvideo.structure.keyframes import interpolate_keyframes, parse_keyframes


def disc(center, inverse=0.8, size=64, radius=12):
    rows, columns = np.indices((size, size))
    ground = np.linspace(0, 0.3, size, dtype=np.float32)[:, None].repeat(size, axis=1)
    inside = (rows - 32) ** 2 + (columns - center) ** 2 < radius**2
    return np.where(inside, np.float32(inverse), ground)


def test_a_thing_between_keyframes_is_where_it_would_be():
    made = interpolate_keyframes({0: disc(20, 0.6), 8: disc(36, 0.8)}, 9)
    assert np.array_equal(made[0], disc(20, 0.6))
    assert np.array_equal(made[8], disc(36, 0.8))
    for frame in range(1, 8):
        true = disc(20 + 2 * frame, 0.6 + 0.025 * frame)
        faded = disc(20, 0.6) * (1 - frame / 8) + disc(36, 0.8) * frame / 8
        assert np.abs(made[frame] - true).mean() < 0.5 * np.abs(faded - true).mean()
        near = made[frame] > 0.5
        assert np.abs(np.nonzero(near)[1].mean() - (20 + 2 * frame)) < 1.5


def test_depth_stands_still_outside_the_keyframes():
    made = interpolate_keyframes({2: disc(20), 4: disc(24)}, 7)
    for frame, center in ((0, 20), (1, 20), (2, 20), (4, 24), (5, 24), (6, 24)):
        assert np.array_equal(made[frame], disc(center))


def test_keyframes_are_read_from_text():
    assert parse_keyframes("0:a.png, 8:dir/b.png") == {0: "a.png", 8: "dir/b.png"}
    for text in ("a.png", "0:a.png,0:b.png", "x:a.png", "0:"):
        with pytest.raises(InputError, match="keyframes: expected FRAME:FILE"):
            parse_keyframes(text)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="frames from 0 to 3"):
        interpolate_keyframes({4: disc(20)}, 4)
    with pytest.raises(InputError, match="pictures of one size"):
        interpolate_keyframes({0: disc(20), 3: disc(20, size=32)}, 4)
