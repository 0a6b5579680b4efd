import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from makeyourvideo.errors import InputError
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.structure.export import write_depth
from makeyourvideo.structure.files import read_depth
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import sample_scene


@pytest.fixture(autouse=True)
def no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture(scope="module")
def metric() -> DepthVideo:
    z = render(sample_scene(11, num_frames=3), 48).depth
    return DepthVideo.from_metric_depth(z, fps=12.5, source="scene 11")


FORMS: dict[str, tuple[str, dict[str, object], float]] = {  # precision as a share of the clip's range
    "npz": ("a.npz", {}, 0),
    "npy": ("a.npy", {}, 1e-7),
    "exr": ("a", {"frames_as": "exr"}, 3e-7),
    "png 16": ("a", {}, 0.5 / 65535),
    "tiff 16": ("a", {"frames_as": "tif"}, 0.5 / 65535),
    "video 8": ("a.mp4", {"bits": 8}, 0.5 / 255),
    "video 10": ("a.mkv", {}, 0.5 / 1023),
}


@pytest.mark.parametrize("units", ["metric", "relative"])
@pytest.mark.parametrize("form", FORMS)
def test_depth_comes_back_to_the_formats_precision(
    tmp_path: Path, metric: DepthVideo, form: str, units: str
) -> None:
    inverse = metric.inverse_depth()
    depth = metric if units == "metric" else DepthVideo.from_inverse_depth(3 * inverse + 1, fps=12.5)
    name, options, precision = FORMS[form]
    write_depth(depth, tmp_path / name, **options)  # type: ignore[arg-type]
    again = read_depth(tmp_path / name)
    wanted = depth.inverse_depth()
    assert np.abs(again.inverse_depth() - wanted).max() <= (precision + 2e-7) * np.ptp(wanted)
    assert (again.units, again.normalization, again.fps) == (units, "clip", 12.5)
    if precision == 0:
        assert (again.values == depth.values).all()


@pytest.mark.parametrize("name", ["a.npy", "a"])
def test_a_second_round_through_floats_changes_no_bit(tmp_path: Path, metric: DepthVideo, name: str) -> None:
    write_depth(metric, tmp_path / name, frames_as="exr")
    once = read_depth(tmp_path / name)
    write_depth(once, tmp_path / f"again{Path(name).suffix}", frames_as="exr")
    twice = read_depth(tmp_path / f"again{Path(name).suffix}")
    assert np.abs(twice.inverse_depth() - once.inverse_depth()).max() <= 2e-7
    if name == "a.npy":
        assert (twice.inverse_depth() == once.inverse_depth()).all()


@pytest.mark.parametrize("form", ["npy", "png 16", "video 10"])
@pytest.mark.parametrize("shape", [(31, 47), (32, 47)])
def test_odd_sizes_and_frame_normalisation(tmp_path: Path, form: str, shape: tuple[int, int]) -> None:
    y, x = np.ogrid[: shape[0], : shape[1]]
    frames = np.stack([(y + 0.3 * x) * factor for factor in (1.0, 2.0)])
    depth = DepthVideo.from_inverse_depth(frames, normalization="frame")
    name, options, precision = FORMS[form]
    write_depth(depth, tmp_path / name, **options)  # type: ignore[arg-type]
    again = read_depth(tmp_path / name)
    assert again.normalization == "frame"
    assert again.values.shape == (2, *shape)
    assert (
        np.abs(again.values - depth.values).max() <= 8 * precision + 1e-5
    )  # the ends of half the range, too, are rounded


@pytest.mark.parametrize("kind", ["inverse", "metric"])
@pytest.mark.parametrize("inverted", [False, True])
def test_near_and_far_make_integers_metric(tmp_path: Path, kind: str, inverted: bool) -> None:
    if kind == "metric" and inverted:
        return
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16)
    upright = codes[::-1] if kind == "metric" or inverted else codes
    Image.fromarray(upright).save(tmp_path / "a.png")
    depth = read_depth(tmp_path / "a.png", kind=kind, inverted=inverted, near=0.5, far=20)  # type: ignore[arg-type]
    share = upright / 255
    wanted = (
        0.5 + share * 19.5 if kind == "metric" else 1 / (0.05 + (1 - share if inverted else share) * 1.95)
    )
    assert depth.units == "metric"
    np.testing.assert_allclose(depth.metric_depth()[0], wanted, rtol=1e-4)


def test_without_far_black_is_infinitely_far(tmp_path: Path) -> None:
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(tmp_path / "a.png")
    z = read_depth(tmp_path / "a.png", near=2).metric_depth()[0]
    assert np.isinf(z[0, 0])
    assert z[-1, -1] == pytest.approx(2)


@pytest.mark.parametrize(("near", "far"), [(0, 1), (2, 1), (None, 3), (-1, None), (float("nan"), 2)])
def test_ends_that_make_no_sense_are_refused(tmp_path: Path, near: float | None, far: float | None) -> None:
    with pytest.raises(InputError, match=r"a\.png: expected 0 < near < far, in metres, found near"):
        read_depth(tmp_path / "a.png", near=near, far=far)


def test_near_and_far_of_floats_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(4))
    with pytest.raises(InputError, match="integer samples or grey levels for near and far, found float64"):
        read_depth(tmp_path / "a.npy", near=1, far=2)
    with pytest.raises(InputError, match="near and far for metric samples"):
        read_depth(tmp_path / "a.npy", kind="metric", near=1)


def test_what_is_stated_wins_over_flags_with_a_warning(tmp_path: Path, metric: DepthVideo) -> None:
    write_depth(metric, tmp_path / "a")
    with pytest.warns(UserWarning, match="states its own convention"):
        assert read_depth(tmp_path / "a", inverted=True).units == "metric"


@pytest.mark.parametrize(
    ("text", "found"), [("{", "Invalid JSON"), ('{"kind": "far"}', "kind: Input should")]
)
def test_a_broken_convention_is_one_line(tmp_path: Path, metric: DepthVideo, text: str, found: str) -> None:
    write_depth(metric, tmp_path / "a.npy")
    (tmp_path / "a.npy.depth.json").write_text(text)
    with pytest.raises(
        InputError, match=rf"a\.npy\.depth\.json: expected a depth convention, found .*{found}"
    ):
        read_depth(tmp_path / "a.npy")


def test_the_convention_says_what_the_samples_mean(tmp_path: Path, metric: DepthVideo) -> None:
    write_depth(metric, tmp_path / "a")
    stated = json.loads((tmp_path / "a/depth.json").read_text())
    assert (stated["kind"], stated["units"], stated["fps"]) == ("inverse", "metric", 12.5)
    z = metric.metric_depth()
    assert stated["near"] == pytest.approx(z.min())
    assert stated["far"] is None if np.isinf(z).any() else stated["far"] == pytest.approx(z.max())


def test_writing_is_all_or_nothing(
    tmp_path: Path, metric: DepthVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("broken")

    monkeypatch.setattr("makeyourvideo.structure.export.write_gray_image", fail)
    with pytest.raises(OSError, match="broken"):
        write_depth(metric, tmp_path / "a")
    assert not list(tmp_path.iterdir())
    write_depth(metric, tmp_path / "a.npy")
    with pytest.raises(InputError, match="does not exist yet"):
        write_depth(metric, tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"\.npz, \.npy, .*, found \.tif"):
        write_depth(metric, tmp_path / "a.tif")
