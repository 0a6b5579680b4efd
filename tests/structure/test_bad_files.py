"""Bad input: one `InputError` that names the file, says what was expected and found, and nothing else."""

import io
import random
import struct
import warnings
import zipfile
from pathlib import Path

import av
import numpy as np
import OpenEXR
import pytest
from PIL import Image

from makeyourvideo.errors import InputError
from makeyourvideo.media import write_video
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.structure.files import read_depth


def refused(path: Path, capfd: pytest.CaptureFixture[str], **flags: object) -> str:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(InputError) as caught:
            read_depth(path, **flags)  # type: ignore[arg-type]
    assert not warned
    assert capfd.readouterr() == ("", ""), "the one line is all that people see"
    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line
    assert ": expected " in line
    assert ", found " in line
    return line


def write_sound_file(folder: Path, family: str, inverse: np.ndarray) -> Path:
    """Write a sound file or folder; return the file to be broken."""
    rgb = np.repeat((inverse * 255).astype(np.uint8)[..., None], 3, axis=3)
    match family:
        case "mp4":
            write_video(folder / "depth.mp4", rgb, 8)
        case "npy":
            np.save(folder / "depth.npy", inverse)
        case "npz":
            np.savez_compressed(folder / "depth.npz", inverse)
        case "own npz":
            DepthVideo.from_inverse_depth(inverse).save(folder / "depth.npz")
        case "png":
            for index in range(len(inverse)):
                Image.fromarray(rgb[index, ..., 0]).save(folder / f"{index}.png")
        case "exr":
            for index, frame in enumerate(inverse):
                header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
                OpenEXR.File(header, {"Z": frame}).write(str(folder / f"{index}.exr"))
    return sorted(folder.iterdir())[-1]


FAMILIES = ["mp4", "npy", "npz", "own npz", "png", "exr"]


@pytest.mark.parametrize("seed", range(24))
def test_broken_bytes_give_one_line_with_the_path(
    tmp_path: Path, inverse: np.ndarray, capfd: pytest.CaptureFixture[str], seed: int
) -> None:
    rng = random.Random(seed)
    file = write_sound_file(tmp_path, FAMILIES[seed % len(FAMILIES)], inverse)
    whole = file.read_bytes()
    read_depth(tmp_path if file.suffix in (".png", ".exr") else file)
    match seed // len(FAMILIES):
        case 0:
            broken = whole[: rng.randrange(len(whole) // 2, len(whole) - 16)]
        case 1:
            broken = whole[: rng.randrange(len(whole) // 2)]
        case 2:
            broken = rng.randbytes(len(whole))
        case _:
            broken = b""
    file.write_bytes(broken)
    line = refused(file, capfd)
    if file.suffix in (".png", ".exr"):
        assert file.name in refused(tmp_path, capfd) == line


def as_npy(array: np.ndarray) -> bytes:
    packed = io.BytesIO()
    np.save(packed, array)
    return packed.getvalue()


def with_value(inverse: np.ndarray, value: float) -> np.ndarray:
    changed = inverse.copy()
    changed[2, 3, 4] = value
    return changed


@pytest.mark.parametrize(
    ("change", "flags", "message"),
    [
        (lambda d: with_value(d, np.nan), {}, "depth everywhere, found NaN in 1 pixels, first in frame 2"),
        (lambda d: with_value(d, np.nan), {"kind": "metric"}, "found NaN"),
        (lambda d: with_value(d, np.inf), {}, "expected finite inverse depth, found infinity"),
        (lambda d: d * 0 + 3, {}, "expected depth that varies, found the constant 3 in the whole clip"),
        (lambda d: d * 0 + np.inf, {"kind": "metric"}, "the constant 0 in the whole clip"),
        (lambda d: d * (np.arange(5) != 3)[:, None, None], {"normalization": "frame"}, "0 in frame 3"),
        (lambda d: d * 0 - 1, {"kind": "metric"}, "expected metric depth above 0, found at most -1"),
        (lambda d: d, {"kind": "metric", "inverted": True}, "found both flags"),
        (lambda d: d[:0], {}, r"at least one frame, found an array of shape \(0, 32, 48\)"),
        (lambda d: d[..., None].repeat(3, axis=3), {}, r"found shape \(5, 32, 48, 3\)"),
        (lambda d: d[0, 0], {}, r"found shape \(48,\)"),
        (lambda d: d + 1j, {}, "an array of numbers, found one of dtype complex64"),
        (lambda d: d.astype(str), {}, "an array of numbers, found text"),
    ],
)  # fmt: skip
def test_arrays_that_are_not_depth(
    tmp_path: Path, inverse: np.ndarray, capfd: pytest.CaptureFixture[str], change, flags, message
) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "a.npy").write_bytes(as_npy(change(inverse)))
    with pytest.raises(InputError, match=message):
        read_depth(tmp_path / "a.npy", **flags)
    refused(tmp_path / "a.npy", capfd, **flags)


def test_nothing_is_unpickled(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", np.array([{"code": 1}], dtype=object), allow_pickle=True)
    assert "dtype object" in refused(tmp_path / "a.npy", capfd)
    np.savez(tmp_path / "a.npz", depth=np.array([{"code": 1}], dtype=object), allow_pickle=True)
    assert "dtype object" in refused(tmp_path / "a.npz", capfd)


def test_a_header_that_claims_too_much_allocates_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 4096, 4096), }"
    bomb = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n"
    (tmp_path / "a.npy").write_bytes(bomb)
    assert "MiB unpacked, found 64,000,000.0 MiB" in refused(tmp_path / "a.npy", capfd)
    (tmp_path / "b.npy").write_bytes(bomb.replace(b"1000000, 4096, 4096", b"-1000000, 4096,4096"))
    assert "shape (-1000000" in refused(tmp_path / "b.npy", capfd)
    zeros = as_npy(np.zeros((64, 512, 512), np.float32))  # 64 MiB in 64 KiB
    with zipfile.ZipFile(tmp_path / "c.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("depth.npy", zeros)
    assert (tmp_path / "c.npz").stat().st_size < 2**17
    assert "found 64.0 MiB" in refused(tmp_path / "c.npz", capfd, max_bytes=2**20)


def test_archives_in_which_no_array_is_meant(
    tmp_path: Path, inverse: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "two.npz", near=inverse, far=inverse)
    assert "one array, or one named depth, found far, near" in refused(tmp_path / "two.npz", capfd)
    zipfile.ZipFile(tmp_path / "none.npz", "w").close()
    assert "an empty archive" in refused(tmp_path / "none.npz", capfd)


@pytest.mark.parametrize(
    "change",
    [
        {"normalization": np.array("window")},
        {"units": np.array("feet")},
        {"scale": np.zeros(5)},
        {"scale": np.ones(4)},
        {"offset": np.full(5, np.nan)},
        {"values": np.full((5, 3, 4), 2, np.float32)},
        {"values": np.full((5, 3, 4), np.nan, np.float32)},
        {"values": np.zeros((5, 3, 4))},
    ],
)
def test_our_own_file_must_agree_with_itself(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], change: dict[str, np.ndarray]
) -> None:
    fields = {
        "values": np.zeros((5, 3, 4), np.float32),
        "scale": np.ones(5),
        "offset": np.zeros(5),
        "normalization": np.array("clip"),
        "units": np.array("relative"),
        "source": np.array("memory"),
        "fps": np.array(8.0),
    }
    np.savez(tmp_path / "own.npz", **fields)
    read_depth(tmp_path / "own.npz")
    np.savez(tmp_path / "own.npz", **fields | change)
    assert "fields that contradict each other" in refused(tmp_path / "own.npz", capfd)


def test_folders_and_names(tmp_path: Path, inverse: np.ndarray, capfd: pytest.CaptureFixture[str]) -> None:
    assert "folder of frames, found No such file or directory" in refused(tmp_path / "missing.mp4", capfd)
    assert "a folder of .png, .tif, .tiff, .exr frames, found nothing in it" in refused(tmp_path, capfd)
    (tmp_path / "depth.txt").touch()
    assert "one of .png, .tif, .tiff, .exr, .npz, .npy, .mp4" in refused(tmp_path / "depth.txt", capfd)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    write_sound_file(mixed, "png", inverse)
    write_sound_file(mixed, "exr", inverse)
    assert "a folder of .png frames only, found .exr" in refused(mixed, capfd)
    (mixed / "0.png").unlink()
    assert "a folder of .exr frames only, found .png" in refused(mixed, capfd), "the most are meant"
    others = tmp_path / "others"
    others.mkdir()
    (others / "a.jpg").touch()
    assert "a folder of .png, .tif, .tiff, .exr frames, found .jpg" in refused(others, capfd)


@pytest.mark.parametrize("family", ["png", "exr"])
def test_frames_of_mixed_sizes(
    tmp_path: Path, inverse: np.ndarray, capfd: pytest.CaptureFixture[str], family: str
) -> None:
    write_sound_file(tmp_path, family, inverse[:, :, :40])
    for file in sorted(tmp_path.iterdir())[3:]:
        file.unlink()
    smaller = tmp_path / "smaller"
    smaller.mkdir()
    write_sound_file(smaller, family, inverse[3:4]).rename(tmp_path / f"3.{family}")
    smaller.rmdir()
    assert f"3.{family}: expected 40x32" in refused(tmp_path, capfd)


def test_coloured_pictures_are_not_depth(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)).save(tmp_path / "0.png")
    assert "expected a grey picture, found a picture in colour" in refused(tmp_path, capfd)


def test_a_video_without_pictures(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with av.open(tmp_path / "sound.mp4", "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "a file without a video stream" in refused(tmp_path / "sound.mp4", capfd)
