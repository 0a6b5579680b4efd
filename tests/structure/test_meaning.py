"""A file that belies its flags is named as such; a sound one is not."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from makeyourvideo.errors import InputError
from makeyourvideo.media import Luma
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.structure.meaning import Samples, from_inverse, from_metric

PATH = Path("clip.xyz")


def seen(samples: Samples, kind: str = "inverse", *, inverted: bool = False) -> tuple[DepthVideo, list[str]]:
    """Interpret samples; return the depth and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if kind == "metric":
            depth = from_metric(PATH, samples, "clip")
        else:
            depth = from_inverse(PATH, samples, "clip", inverted=inverted)
    messages = [str(warning.message) for warning in caught]
    assert all(message.startswith("clip.xyz: ") for message in messages)
    return depth, messages


def luma(codes: np.ndarray, full_range: bool | None, *, bits: int = 8, chroma: float = 0.0) -> Luma:
    return Luma(codes.astype(np.uint16 if bits > 8 else np.uint8), bits, full_range, chroma, 25.0)


@pytest.fixture
def metres(inverse: np.ndarray) -> np.ndarray:
    return 1 / (inverse + 0.05)


@pytest.mark.parametrize("turn", ["as it is", "seen by a rolled camera", "one frame"])
def test_sound_depth_is_not_doubted(inverse: np.ndarray, metres: np.ndarray, turn: str) -> None:
    views = {
        "as it is": lambda d: d,
        "seen by a rolled camera": lambda d: d.swapaxes(1, 2)[:, :, :24],
        "one frame": lambda d: d[:1],
    }
    view = views[turn]
    assert seen(view(inverse))[1] == []
    assert seen(view(1 - inverse), inverted=True)[1] == []
    assert seen(view(metres), "metric")[1] == []


def test_what_is_the_wrong_way_round_is_doubted(inverse: np.ndarray, metres: np.ndarray) -> None:
    for samples, flags, doubt in (
        (1 - inverse, {}, "is it inverted, or metric depth?"),
        (metres, {}, "is it inverted, or metric depth?"),
        (inverse, {"inverted": True}, "is it not inverted?"),
        (inverse + 0.05, {"kind": "metric"}, "is it inverse depth?"),
    ):
        (message,) = seen(samples, **flags)[1]
        assert "the upper third of the picture is nearer than" in message
        assert message.endswith(doubt)


def test_a_single_frame_the_wrong_way_round_is_no_evidence(inverse: np.ndarray) -> None:
    inverse[0] = 1 - inverse[0]
    assert seen(inverse)[1] == []


def test_metric_depth_declared_as_inverse_is_named_by_its_background(metres: np.ndarray) -> None:
    metres[:, :3] = 1e10
    assert "values up to 1e+10 look like metric depth (kind metric)" in seen(metres)[1][0]
    metres[:, :3] = np.inf
    with pytest.raises(InputError, match="found infinity, as in metric depth"):
        seen(metres)


def test_negative_values_are_named(inverse: np.ndarray) -> None:
    assert seen(inverse - 0.5)[1] == []  # relative inverse depth has no zero
    assert "all values are negative, -3 to -2, which inverse depth never is" in seen(inverse - 3)[1][0]


@pytest.mark.parametrize("hole", [0, -1])
def test_holes_in_metric_depth_are_infinitely_far(metres: np.ndarray, hole: int) -> None:
    metres[:, :4, :24] = hole  # a sixteenth
    depth, (message,) = seen(metres, "metric")
    assert "6.2% of the values are 0 or negative" in message
    assert np.isinf(depth.metric_depth()[:, :4, :24]).all()
    integers = (1000 * metres).clip(0).astype(np.uint16)
    depth, (message,) = seen(integers, "metric")
    assert (depth.values[:, :4, :24] == -1).all()
    assert depth.units == "relative"


@pytest.mark.parametrize("bits", [8, 10])
def test_luma_is_scaled_by_its_range(inverse: np.ndarray, bits: int) -> None:
    unit = 1 << (bits - 8)
    limited = (16 * unit + inverse * 219 * unit).round()
    full = (inverse * ((1 << bits) - 1)).round()
    for codes, stated, precision in ((limited, False, 219), (limited, None, 219), (full, True, 255)):
        depth, messages = seen(luma(codes, stated, bits=bits))
        assert messages == []
        assert np.abs(depth.inverse_depth() - inverse).max() <= 0.5 / (precision * unit) + 1e-7


def test_codes_outside_limited_range_contradict_it(inverse: np.ndarray) -> None:
    full = (inverse * 255).round()
    depth, (message,) = seen(luma(full, None))
    assert "of the luma lies outside limited range, 16 to 235: read as full range" in message
    assert np.abs(depth.inverse_depth() - inverse).max() <= 0.5 / 255 + 1e-7
    depth, (message,) = seen(luma(full, False))
    assert message.endswith("the file states that range wrongly")
    np.testing.assert_allclose(depth.inverse_depth(), (full - 16) / 219, atol=1e-6)


def test_codec_overshoot_is_no_contradiction(inverse: np.ndarray) -> None:
    limited = (16 + inverse * 219).round()
    limited[0, 8:10, :4], limited[1, -1, -9:] = 14, 237
    assert seen(luma(limited, None))[1] == []


def test_a_colour_picture_is_not_grey_depth(inverse: np.ndarray) -> None:
    limited = (16 + inverse * 219).round()
    (message,) = seen(luma(limited, False, chroma=0.17))[1]
    assert "a colour picture, up to 17% away from grey; only its brightness is read" in message
    assert seen(luma(limited, False, chroma=0.03))[1] == []
