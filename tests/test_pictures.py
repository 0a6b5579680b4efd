import numpy as np
import pytest

from makeyourvideo.pictures import strip
from makeyourvideo.structure.depth import DepthVideo


def ramp(num_frames: int, height: int, width: int) -> np.ndarray:
    """Frames that are all of one colour, which counts from 0 at the first to 255 at the last."""
    level = np.linspace(0, 255, num_frames).round().astype(np.uint8)
    return np.broadcast_to(level[:, None, None, None], (num_frames, height, width, 3)).copy()


@pytest.mark.parametrize("num_frames", [1, 3, 16, 128])
def test_evenly_chosen_frames_from_first_to_last(num_frames: int) -> None:
    sheet = strip(ramp(num_frames, 20, 30))
    columns = min(num_frames, 8)
    assert sheet.shape == (20, columns * 32 - 2, 3)
    shown = sheet[10, 15::32, 0].astype(float)
    assert np.abs(shown - np.linspace(0, 255, columns) * (num_frames > 1)).max() <= 255 / num_frames
    assert (shown[0], shown[-1]) == (0, 0 if num_frames == 1 else 255)


def test_depth_stands_over_the_output_near_in_white_in_one_shape() -> None:
    inverse = np.zeros((4, 10, 10), np.float32)
    inverse[:, 5:] = 1  # near below
    sheet = strip(DepthVideo.from_inverse_depth(inverse), ramp(4, 20, 20))
    assert sheet.shape == (20 + 2 + 20, 4 * 22 - 2, 3)
    assert (sheet[0, 0] == 0).all()
    assert (sheet[19, 0] == 255).all()
    assert (sheet[20:22] == 255).all()
    assert (sheet[:, 20:22] == 255).all()
    assert sheet[22:, ::22, 0].tolist() == [[0, 85, 170, 255]] * 20


def test_large_frames_are_made_smaller_in_their_shape() -> None:
    assert strip(ramp(2, 1080, 1920)).shape == (144, 2 * 256 + 2, 3)
