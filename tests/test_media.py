import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from makeyourvideo.errors import InputError
from makeyourvideo.media import (
    check_video_path,
    read_folder,
    read_gray_image,
    read_image,
    read_luma,
    read_video,
    write_image,
    write_video,
)

SUFFIXES = [".mp4", ".gif", ".webp", ""]
LARGEST_MEAN_ERROR = {".mp4": 2.0, ".gif": 1.5, ".webp": 0.0, "": 0.0}  # of 255


def waves(num_frames: int, height: int, width: int) -> np.ndarray:
    """Smooth colours that move."""
    f, y, x, c = np.ogrid[:num_frames, :height, :width, :3]
    return (127.5 + 120 * np.sin(0.05 * x + 0.04 * y + 0.3 * f + c)).round().astype(np.uint8)


def encode(
    path: Path, frames: list[np.ndarray], pixels: str, *, codec: str = "libx264", form: str = "gray",
    rate: int = 25, color_range: int = 0, rotation: int = 0, times: list[int] | None = None,
) -> Path:  # fmt: skip
    """Write what other tools may write: any pixel format and range, losslessly."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"qp": "0"} if codec == "libx264" else {})
        stream.height, stream.width = frames[0].shape[:2]
        if form.startswith("yuv420p"):
            stream.height = frames[0].shape[0] * 2 // 3
        stream.pix_fmt = pixels
        if color_range:
            stream.color_range, stream.colorspace = color_range, 1
        if rotation:
            stream.set_display_rotation(rotation)
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index, frame in enumerate(frames):
            video_frame = av.VideoFrame.from_ndarray(frame, format=form)
            if times:
                video_frame.pts, video_frame.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(video_frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("shape", [(16, 48, 64), (5, 33, 17), (3, 1, 2), (1, 2, 2)])
def test_count_size_and_colours_come_back(tmp_path: Path, suffix: str, shape: tuple[int, int, int]) -> None:
    frames = waves(*shape)
    write_video(tmp_path / f"out{suffix}", frames, 12.5)
    again, fps = read_video(tmp_path / f"out{suffix}")
    assert again.shape == frames.shape
    assert again.dtype == np.uint8
    if min(shape) > 16:
        assert np.abs(again.astype(int) - frames).mean() <= LARGEST_MEAN_ERROR[suffix]
    if suffix in (".mp4", ".gif") or (suffix == ".webp" and len(frames) > 1):
        assert fps == 12.5
    assert [path.name for path in tmp_path.iterdir()] == [f"out{suffix}"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_frames_that_repeat_are_kept(tmp_path: Path, suffix: str) -> None:
    frames = waves(3, 32, 32)[[0, 1, 1, 1, 2, 2]]
    write_video(tmp_path / f"out{suffix}", frames, 8)
    assert len(read_video(tmp_path / f"out{suffix}")[0]) == 6


@pytest.mark.parametrize("suffix", SUFFIXES[:3])
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        write_video(tmp_path / (name + suffix), waves(6, 64, 64), 8)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize(("fps", "kept"), [(24000 / 1001, "24000/1001"), (12.5, "25/2"), (8, "8")])
def test_rates_are_kept_as_fractions(tmp_path: Path, fps: float, kept: str) -> None:
    write_video(tmp_path / "out.mp4", waves(4, 16, 16), fps)
    with av.open(tmp_path / "out.mp4") as container:
        assert container.streams.video[0].average_rate == Fraction(kept)


def test_an_mp4_states_its_colours_and_can_be_streamed(tmp_path: Path) -> None:
    pure = np.zeros((2, 32, 32, 3), np.uint8)
    pure[..., 0], pure[..., 1] = 200, 40
    write_video(tmp_path / "out.mp4", pure, 8)
    with av.open(tmp_path / "out.mp4") as container:
        context = container.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p"
        tags = (context.color_range, context.colorspace, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1, 1)  # limited range, BT.709 throughout
        luma = next(container.decode(video=0)).to_ndarray()[0, 0]
    assert luma == round(16 + 219 * (0.2126 * 200 + 0.7152 * 40) / 255)
    assert np.abs(read_video(tmp_path / "out.mp4")[0].astype(int) - pure).max() <= 2
    raw = (tmp_path / "out.mp4").read_bytes()
    assert raw.index(b"moov") < raw.index(b"mdat")


def test_unknown_suffixes_rates_and_arrays_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"out\.avi: expected \.mp4, \.gif, \.webp or no suffix"):
        check_video_path(tmp_path / "out.avi", force=True)
    for fps in (0, -1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="fps"):
            write_video(tmp_path / "out.mp4", waves(2, 8, 8), fps)
    for frames in (waves(2, 8, 8)[..., 0], waves(2, 8, 8)[:0], waves(2, 8, 8).astype(np.float32)):
        with pytest.raises(ValueError, match=r"expected uint8 \(frames, height, width, 3\)"):
            write_video(tmp_path / "out.mp4", frames, 8)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_video_is_only_replaced_by_force(tmp_path: Path) -> None:
    write_video(tmp_path / "out.mp4", waves(2, 8, 8), 8)
    with pytest.raises(InputError, match="--force"):
        write_video(tmp_path / "out.mp4", waves(3, 8, 8), 8)
    write_video(tmp_path / "out.mp4", waves(3, 8, 8), 8, force=True)
    assert len(read_video(tmp_path / "out.mp4")[0]) == 3


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (-90, -1), (180, 2)])
def test_rotated_videos_are_read_upright(tmp_path: Path, rotation: int, turns: int) -> None:
    codes = np.tile(np.linspace(16, 235, 64).astype(np.uint8), (32, 1))
    path = encode(tmp_path / "phone.mp4", [codes] * 2, "gray", rotation=rotation)
    luma = read_luma(path)
    assert (luma.codes == np.rot90(codes, turns)).all()
    assert read_video(path)[0].shape[1:3] == np.rot90(codes, turns).shape


def test_a_variable_rate_gives_every_frame_and_the_mean_rate(tmp_path: Path) -> None:
    frames = [np.full((32, 32), 20 * index + 20, np.uint8) for index in range(8)]
    times = [0, 40, 80, 500, 540, 580, 1500, 1540]
    path = encode(tmp_path / "vfr.mp4", frames, "gray", times=times)
    again, fps = read_video(path)
    assert len(again) == 8
    assert fps == pytest.approx(8 / 1.58, rel=0.02)


def test_frames_hidden_by_an_edit_list_are_not_missed(tmp_path: Path) -> None:
    frames = [np.full((32, 32), 6 * index + 20, np.uint8) for index in range(30)]
    whole = encode(tmp_path / "whole.mp4", frames, "gray")
    with av.open(whole) as source, av.open(tmp_path / "cut.mp4", "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.size:
                shift = round(10 / 25 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copied
                target.mux(packet)
    luma = read_luma(tmp_path / "cut.mp4").codes[:, 0, 0]
    assert luma.tolist() == [6 * index + 20 for index in range(10, 30)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.98])
def test_a_truncated_video_says_how_many_frames_are_missing(
    tmp_path: Path, suffix: str, share: float
) -> None:
    noise = np.random.default_rng(0).integers(16, 235, (20, 32, 32), np.uint8)
    whole = encode(tmp_path / f"whole{suffix}", list(noise), "gray")
    if suffix == ".mp4":
        write_video(whole, np.repeat(noise[..., None], 3, axis=3), 25, force=True)  # its index comes first
    assert len(read_video(whole)[0]) == 20
    raw = whole.read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(InputError, match=r"expected 20 whole frames, found 1?\d before") as caught:
        read_video(tmp_path / f"cut{suffix}")
    assert caught.value.subject == tmp_path / f"cut{suffix}"


@pytest.mark.parametrize("read", [read_video, read_luma])
def test_decoding_is_bounded(tmp_path: Path, read: Callable[..., object]) -> None:
    write_video(tmp_path / "out.mp4", waves(16, 64, 64), 8)
    read(tmp_path / "out.mp4", max_bytes=16 * 64 * 64 * 4)
    with pytest.raises(InputError, match="MiB unpacked"):
        read(tmp_path / "out.mp4", max_bytes=16 * 64 * 64 * 3 - 1)


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_animations_and_folders_are_bounded(tmp_path: Path, suffix: str) -> None:
    write_video(tmp_path / f"out{suffix}", waves(16, 64, 64), 8)
    with pytest.raises(InputError, match="MiB unpacked"):
        read_video(tmp_path / f"out{suffix}", max_bytes=16 * 64 * 64 * 3 - 1)


def test_a_playlist_in_disguise_opens_no_other_file(tmp_path: Path) -> None:
    write_video(tmp_path / "secret.mp4", waves(2, 16, 16), 8)
    for text in (
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    ):
        (tmp_path / "list.mp4").write_text(text)
        with pytest.raises(InputError, match="expected a video"):
            read_video(tmp_path / "list.mp4")


def test_luma_is_read_as_stored(tmp_path: Path) -> None:
    codes = np.random.default_rng(1).integers(0, 256, (2, 32, 48), np.uint8)
    planar = [np.concatenate([frame, np.full((16, 48), 128, np.uint8)]) for frame in codes]
    deep = codes.astype(np.uint16) * 4 + 3
    planar_deep = [frame.astype(np.uint16) * 4 + 3 for frame in planar]
    for color_range, full_range in ((0, None), (1, False), (2, True)):
        options = {"color_range": color_range}
        luma = read_luma(encode(tmp_path / "a.mp4", planar, "yuv420p", form="yuv420p", **options))
        assert (luma.codes == codes).all()
        assert (luma.bits, luma.full_range, luma.chroma, luma.fps) == (8, full_range, 0, 25)
        luma = read_luma(
            encode(tmp_path / "b.mp4", planar_deep, "yuv420p10le", form="yuv420p10le", **options)
        )
        assert (luma.codes == deep).all()
        assert (luma.bits, luma.full_range) == (10, full_range)
    deepest = deep * 64 + 5
    luma = read_luma(encode(tmp_path / "c.mkv", list(deepest), "gray16le", codec="ffv1", form="gray16le"))
    assert (luma.codes == deepest).all()
    assert luma.bits == 16
    rgb = [np.repeat(frame[..., None], 3, axis=2) for frame in codes]
    luma = read_luma(encode(tmp_path / "d.mkv", rgb, "bgr0", codec="ffv1", form="rgb24"))
    assert (luma.codes == codes).all()
    assert (luma.full_range, luma.chroma) == (True, 0)


def test_colour_shows_in_the_chroma(tmp_path: Path) -> None:
    write_video(tmp_path / "colour.mp4", waves(3, 32, 32), 8)
    write_video(tmp_path / "grey.mp4", np.repeat(waves(3, 32, 32)[..., :1], 3, axis=3), 8)
    assert read_luma(tmp_path / "colour.mp4").chroma > 0.3
    assert read_luma(tmp_path / "grey.mp4").chroma < 0.02


def test_pictures_come_back_exactly(tmp_path: Path) -> None:
    picture = waves(1, 9, 7)[0]
    write_image(tmp_path / "a.png", picture)
    assert (read_image(tmp_path / "a.png") == picture).all()
    with pytest.raises(InputError, match="--force"):
        write_image(tmp_path / "a.png", picture)
    with pytest.raises(InputError, match="found a picture in colour"):
        read_gray_image(tmp_path / "a.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_pictures_keep_their_bits(tmp_path: Path, dtype: type) -> None:
    gray = np.random.default_rng(2).integers(0, np.iinfo(dtype).max, (9, 7), dtype, endpoint=True)
    Image.fromarray(gray).save(tmp_path / "a.png")
    again = read_gray_image(tmp_path / "a.png")
    assert again.dtype == dtype
    assert (again == gray).all()
    if dtype == np.uint8:
        Image.fromarray(np.repeat(gray[..., None], 3, axis=2)).save(tmp_path / "rgb.png")
        assert (read_gray_image(tmp_path / "rgb.png") == gray).all()


def test_sixteen_bits_in_colour_are_refused_not_halved(tmp_path: Path) -> None:
    deep = np.full((4, 4, 3), 300, np.uint16)
    with av.open(tmp_path / "deep.png", "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 4, 4, "rgb48be"
        container.mux(
            stream.encode(av.VideoFrame.from_ndarray(deep, format="rgb48le").reformat(format="rgb48be"))
        )
        container.mux(stream.encode())
    with pytest.raises(InputError, match="16 bits a channel"):
        read_gray_image(tmp_path / "deep.png")


def test_folders_are_read_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 100, 1):
        write_image(tmp_path / f"frame{number}.png", np.full((2, 2, 3), number, np.uint8))
    (tmp_path / ".DS_Store").touch()
    assert read_video(tmp_path)[0][:, 0, 0, 0].tolist() == [1, 9, 10, 100]


def test_folders_of_mixed_contents_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a folder of \.png frames only, found nothing in it"):
        read_video(tmp_path)
    for index in range(3):
        Image.fromarray(np.zeros((4, 6 + index // 2), np.uint8)).save(tmp_path / f"{index}.png")
    with pytest.raises(InputError, match=r"2\.png: expected 6x4 uint8 as in 0\.png, found 7x4 uint8"):
        read_folder(tmp_path, ".png", read_gray_image, 10**6)
    Image.fromarray(np.zeros((4, 6), np.uint16)).save(tmp_path / "2.png")
    with pytest.raises(InputError, match=r"found 6x4 uint16"):
        read_folder(tmp_path, ".png", read_gray_image, 10**6)
    (tmp_path / "3.jpg").touch()
    with pytest.raises(InputError, match=r"found \.jpg"):
        read_video(tmp_path)


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    packed = io.BytesIO()
    Image.fromarray(np.zeros((6000, 6000), np.uint8)).save(packed, "PNG")
    (tmp_path / "bomb.png").write_bytes(packed.getvalue())
    with pytest.raises(InputError, match="MiB unpacked"):
        read_gray_image(tmp_path / "bomb.png", max_bytes=10**7)
