import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import OpenEXR
import pytest
from PIL import Image

from makeyourvideo.errors import InputError
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.structure.files import read_depth


@pytest.fixture(autouse=True)
def no_warning() -> Iterator[None]:
    """What is right gives no warning: none is expected here unless the test catches it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def write_luma(path: Path, codes: np.ndarray, pixels: str, color_range: int) -> Path:
    """Write grey codes losslessly as the luma of a 4:2:0 video."""
    bits = 10 if codes.dtype == np.uint16 else 8
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        (stream.height, stream.width), stream.pix_fmt = codes.shape[1:], pixels
        stream.color_range, stream.colorspace = color_range, 1
        for luma in codes:
            chroma = np.full((luma.shape[0] // 2, luma.shape[1]), 1 << (bits - 1), codes.dtype)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.vstack([luma, chroma]), format=pixels)))
        container.mux(stream.encode())
    return path


def write_exr(path: Path, channels: dict[str, np.ndarray], **header: object) -> None:
    OpenEXR.File({"type": OpenEXR.scanlineimage, **header}, channels).write(str(path))


def as_npy(path: Path, inverse: np.ndarray, dtype: type) -> Path:
    np.save(path / "a.npy", inverse.astype(dtype))
    return path / "a.npy"


def as_npz(path: Path, inverse: np.ndarray) -> Path:
    np.savez(path / "a.npz", depth=inverse, mask=inverse > 0)
    return path / "a.npz"


def as_png(path: Path, inverse: np.ndarray, dtype: type) -> Path:
    for index, frame in enumerate(inverse):
        Image.fromarray((frame * np.iinfo(dtype).max).round().astype(dtype)).save(path / f"{index}.png")
    return path


def as_tiff(path: Path, inverse: np.ndarray, dtype: type) -> Path:
    for index, frame in enumerate(inverse):
        top = 1 if dtype is np.float32 else np.iinfo(dtype).max
        Image.fromarray((frame * top if top == 1 else (frame * top).round()).astype(dtype)).save(
            path / f"{index}.tiff"
        )
    return path


def as_pages(path: Path, inverse: np.ndarray) -> Path:
    first, *others = (Image.fromarray((frame * 65535).round().astype(np.uint16)) for frame in inverse)
    first.save(path / "a.tif", save_all=True, append_images=others)
    return path / "a.tif"


def as_exr(path: Path, inverse: np.ndarray, name: str, dtype: type) -> Path:
    for index, frame in enumerate(inverse):
        write_exr(path / f"{index}.exr", {name: frame.astype(dtype)})
    return path


def as_video(path: Path, inverse: np.ndarray, low: int, high: int, pixels: str, color_range: int) -> Path:
    codes = (low + inverse * (high - low)).round().astype(np.uint16 if "10" in pixels else np.uint8)
    return write_luma(path / "a.mp4", codes, pixels, color_range)


FORMATS: dict[str, tuple[Callable[[Path, np.ndarray], Path], float]] = {
    "npy float64": (lambda path, d: as_npy(path, d, np.float64), 1e-7),
    "npy float32": (lambda path, d: as_npy(path, d, np.float32), 1e-7),
    "npy float16": (lambda path, d: as_npy(path, d, np.float16), 2**-12),
    "npz": (as_npz, 1e-7),
    "png 8": (lambda path, d: as_png(path, d, np.uint8), 0.5 / 255),
    "png 16": (lambda path, d: as_png(path, d, np.uint16), 0.5 / 65535),
    "tiff 8": (lambda path, d: as_tiff(path, d, np.uint8), 0.5 / 255),
    "tiff 16": (lambda path, d: as_tiff(path, d, np.uint16), 0.5 / 65535),
    "tiff float": (lambda path, d: as_tiff(path, d, np.float32), 1e-7),
    "tiff of pages": (as_pages, 0.5 / 65535),
    "exr float": (lambda path, d: as_exr(path, d, "Z", np.float32), 1e-7),
    "exr half": (lambda path, d: as_exr(path, d, "ViewLayer.Depth.V", np.float16), 2**-12),
    "limited 8": (lambda path, d: as_video(path, d, 16, 235, "yuv420p", 1), 0.5 / 219),
    "full 8": (lambda path, d: as_video(path, d, 0, 255, "yuvj420p", 2), 0.5 / 255),
    "limited 10": (lambda path, d: as_video(path, d, 64, 940, "yuv420p10le", 1), 0.5 / 876),
    "full 10": (lambda path, d: as_video(path, d, 0, 1023, "yuv420p10le", 2), 0.5 / 1023),
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_comes_back_to_its_own_precision(tmp_path: Path, inverse: np.ndarray, name: str) -> None:
    write, precision = FORMATS[name]
    path = write(tmp_path, inverse)
    depth = read_depth(path)
    assert np.abs(depth.inverse_depth() - inverse).max() <= precision + 1e-7
    assert np.abs(depth.values - (2 * inverse - 1)).max() <= 2 * precision + 1e-6
    assert (depth.units, depth.normalization, depth.source) == ("relative", "clip", str(path))
    assert depth.fps == (25 if path.suffix == ".mp4" else None)
    assert read_depth(path, fps=12).fps == 12


@pytest.mark.parametrize("name", FORMATS)
def test_an_inverted_file_is_turned_round_by_its_flag(tmp_path: Path, inverse: np.ndarray, name: str) -> None:
    write, precision = FORMATS[name]
    depth = read_depth(write(tmp_path, 1 - inverse), inverted=True)
    assert np.abs(depth.values - (2 * inverse - 1)).max() <= 2 * precision + 1e-6


@pytest.mark.parametrize("name", ["npy float64", "npy float32", "npz", "exr float"])
def test_metres_come_back_in_metres(tmp_path: Path, inverse: np.ndarray, name: str) -> None:
    with np.errstate(divide="ignore"):
        metres = 2 / inverse  # the sky is infinitely far
    depth = read_depth(FORMATS[name][0](tmp_path, metres), kind="metric")
    assert depth.units == "metric"
    np.testing.assert_allclose(depth.metric_depth(), metres, rtol=2e-6)
    np.testing.assert_allclose(depth.values, 2 * inverse - 1, atol=1e-6)


@pytest.mark.parametrize(
    ("background", "dtype"), [(1e10, np.float32), (np.inf, np.float32), (np.inf, np.float16)]
)
def test_a_blender_background_is_infinitely_far(
    tmp_path: Path, inverse: np.ndarray, background: float, dtype: type
) -> None:
    sky = inverse == 0
    metres = np.where(sky, background, 2 / np.where(sky, 1, inverse))
    depth = read_depth(as_exr(tmp_path, metres, "ViewLayer.Depth.Z", dtype), kind="metric")
    assert (np.isinf(depth.metric_depth()) == sky).all()
    np.testing.assert_allclose(depth.metric_depth()[~sky], metres[~sky], rtol=2**-10)


def test_integers_and_grey_levels_have_no_unit(tmp_path: Path, inverse: np.ndarray) -> None:
    millimetres = 100 / (inverse + 0.01)
    for index, frame in enumerate(millimetres):
        Image.fromarray(frame.round().astype(np.uint16)).save(tmp_path / f"{index}.png")
    depth = read_depth(tmp_path, kind="metric")
    assert depth.units == "relative"
    assert np.abs(depth.values - (2 * inverse - 1)).max() < 0.01


def test_normalisation_and_single_pictures(tmp_path: Path, inverse: np.ndarray) -> None:
    depth = read_depth(as_png(tmp_path, inverse, np.uint8), normalization="frame")
    assert (depth.values.max(axis=(1, 2)) == 1).all()
    single = read_depth(tmp_path / "3.png")
    assert single.values.shape == (1, 32, 48)
    np.testing.assert_allclose(single.values[0], depth.values[3], atol=1e-6)
    np.save(tmp_path / "one.npy", inverse[2])
    np.save(tmp_path / "channel.npy", inverse[..., None])
    assert read_depth(tmp_path / "one.npy").num_frames == 1
    assert read_depth(tmp_path / "channel.npy").values.shape == inverse.shape


def test_our_own_file_is_taken_at_its_word(tmp_path: Path, inverse: np.ndarray) -> None:
    depth = DepthVideo.from_metric_depth(2 / (inverse + 0.1), normalization="frame", fps=30)
    depth.save(tmp_path / "own.npz")
    assert read_depth(tmp_path / "own.npz", kind="metric").normalization == "frame"
    again = read_depth(tmp_path / "own.npz", normalization="clip", fps=8)
    assert (again.normalization, again.fps, again.units) == ("clip", 8, "metric")
    with pytest.warns(UserWarning, match=r"own\.npz: it states its own convention"):
        flagged = read_depth(tmp_path / "own.npz", inverted=True)
    assert (flagged.values == depth.values).all()


LAYERS = [
    (["Z"], "Z"),
    (["V"], "V"),
    (["Y"], "Y"),
    (["R"], "R"),
    (["R", "G", "B", "A", "Z"], "Z"),
    (["A", "Y"], "Y"),
    (["ViewLayer.Combined.R", "ViewLayer.Depth.V"], "ViewLayer.Depth.V"),
    (["L.Depth.Z", "L.Denoising Depth.Z", "L.Vector.X", "L.Vector.Z"], "L.Depth.Z"),
    (["L.Normal.X", "L.Normal.Y", "L.Normal.Z", "L.Mist.Z"], "L.Mist.Z"),
]


@pytest.mark.parametrize(("names", "wanted"), LAYERS)
def test_the_depth_channel_is_found(
    tmp_path: Path, inverse: np.ndarray, names: list[str], wanted: str
) -> None:
    noise = np.random.default_rng(0).random(inverse[0].shape).astype(np.float32)
    write_exr(tmp_path / "a.exr", {name: inverse[0] if name == wanted else noise for name in names})
    np.testing.assert_allclose(read_depth(tmp_path / "a.exr").inverse_depth()[0], inverse[0], atol=1e-7)


def test_the_depth_channel_is_found_in_another_part(tmp_path: Path, inverse: np.ndarray) -> None:
    colour = {name: np.ones_like(inverse[0]) for name in "RGB"}
    parts = [
        OpenEXR.Part({"type": OpenEXR.scanlineimage}, colour, "ViewLayer.Combined"),
        OpenEXR.Part({"type": OpenEXR.scanlineimage}, {"Z": inverse[0]}, "ViewLayer.Depth"),
    ]
    OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
    np.testing.assert_allclose(read_depth(tmp_path / "a.exr").inverse_depth()[0], inverse[0], atol=1e-7)


@pytest.mark.parametrize("names", [["R", "G", "B"], ["a.Depth.Z", "b.Depth.Z"], ["Normal.X", "Normal.Z"]])
def test_channels_that_may_not_be_depth_are_not_guessed(tmp_path: Path, names: list[str]) -> None:
    write_exr(tmp_path / "a.exr", {name: np.eye(4, dtype=np.float32) for name in names})
    with pytest.raises(InputError, match=r"a\.exr: expected one depth channel .*, found .*" + names[0][0]):
        read_depth(tmp_path / "a.exr")


def test_a_cropped_exr_is_infinitely_far_where_it_holds_nothing(tmp_path: Path, inverse: np.ndarray) -> None:
    near = inverse[0] + np.float32(0.1)
    window = (np.array([-5, -3], np.int32), np.array([59, 36], np.int32))
    write_exr(tmp_path / "a.exr", {"Z": near}, displayWindow=window)
    depth = read_depth(tmp_path / "a.exr")
    assert depth.values.shape == (1, 40, 65)
    np.testing.assert_allclose(depth.inverse_depth()[0, 3:35, 5:53], near, atol=1e-6)
    assert not depth.inverse_depth()[0, :3].any()
    write_exr(tmp_path / "z.exr", {"Z": 1 / near}, displayWindow=window)
    z = read_depth(tmp_path / "z.exr", kind="metric").metric_depth()[0]
    np.testing.assert_allclose(z[3:35, 5:53], 1 / near, rtol=1e-5)
    assert np.isinf(z[35:]).all()


def test_what_an_exr_holds_beyond_the_picture_is_cut_off(tmp_path: Path, inverse: np.ndarray) -> None:
    window = (np.array([8, 4], np.int32), np.array([47, 31], np.int32))
    write_exr(tmp_path / "a.exr", {"Z": inverse[0]}, displayWindow=window)
    np.testing.assert_allclose(
        read_depth(tmp_path / "a.exr").inverse_depth()[0], inverse[0, 4:, 8:], atol=1e-7
    )
    apart = (np.array([80, 4], np.int32), np.array([99, 31], np.int32))
    write_exr(tmp_path / "b.exr", {"Z": inverse[0]}, displayWindow=apart)
    with pytest.raises(InputError, match="pixels inside the picture"):
        read_depth(tmp_path / "b.exr")


def test_without_openexr_the_extra_is_named(
    tmp_path: Path, inverse: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = as_exr(tmp_path, inverse, "Z", np.float32)
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(InputError, match=r"pip install 'makeyourvideo\[exr\]'"):
        read_depth(path)


@pytest.mark.parametrize("name", FORMATS)
def test_reading_is_bounded(tmp_path: Path, inverse: np.ndarray, name: str) -> None:
    path = FORMATS[name][0](tmp_path, inverse)
    with pytest.raises(InputError, match="MiB unpacked"):
        read_depth(path, max_bytes=inverse.size - 1)
