"""Frames -> videos: the same frames give the same bytes."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image

from makeyourvideo.errors import InputError
from makeyourvideo.media.images import Frames
from makeyourvideo.outputs import check_free, written_whole

_BT709 = 1  # ITU-T H.273 uses this code for primaries, transfer and matrix alike


def write_video(path: Path, frames: Frames, fps: float, *, force: bool = False) -> None:
    """Write frames as .mp4 (H.264), .gif, .webp (lossless), or, without a suffix, as a folder of PNG.

    The same frames and rate give the same bytes: the encoders run in one thread and store no date.

    Args:
        path: where to; its suffix chooses the format.
        frames: uint8 `(frames, height, width, 3)`.
        fps: frames a second, kept as the nearest fraction (29.97003 as 30000/1001). A GIF counts in
            hundredths of a second; a folder has no rate.
        force: whether an existing result may be replaced.

    Raises:
        InputError: `path` exists and `force` is false, an unknown suffix, a rate out of range.
    """
    check_video_path(path, force)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or frames.size == 0:
        raise ValueError(f"expected uint8 (frames, height, width, 3), got {frames.dtype} {frames.shape}")
    check_fps(fps)
    with written_whole(path, force) as unfinished:
        _WRITERS[path.suffix.lower()](unfinished, frames, Fraction(fps).limit_denominator(1001))


def write_gray_video(
    path: Path, codes: NDArray[np.uint8] | NDArray[np.uint16], bits: int, fps: float
) -> None:
    """Write grey codes without loss as the luma of an H.264 video in full range; colour is neutral.

    It is for the inside of `written_whole`: it does not look at what exists.

    Args:
        path: .mp4, .mkv or .mov.
        codes: `(frames, height, width)`, uint8 for 8 bits and uint16 for 10.
        bits: 8 or 10.
        fps: frames a second.
    """
    is_odd = codes.shape[1] % 2 or codes.shape[2] % 2
    pixels = ("yuv444p" if is_odd else "yuv420p") + ("10le" if bits == 10 else "")
    with av.open(path, "w") as container:
        # x264's macroblock tree reads memory it never wrote; with no quantiser at all, nothing is lost.
        options = {"qp": "0", "x264-params": "mbtree=0"}
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=options)
        (stream.height, stream.width), stream.pix_fmt, stream.thread_count = codes.shape[1:], pixels, 1
        stream.color_range = ColorRange.JPEG
        stream.colorspace = stream.color_primaries = stream.color_trc = _BT709
        for luma in codes:
            container.mux(stream.encode(_gray_frame(luma, pixels, bits)))
        container.mux(stream.encode())


def _gray_frame(luma: NDArray[np.uint8] | NDArray[np.uint16], pixels: str, bits: int) -> av.VideoFrame:
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], pixels)
    for index, plane in enumerate(frame.planes):
        rows = np.full((plane.height, plane.line_size // luma.itemsize), 1 << (bits - 1), luma.dtype)
        if index == 0:
            rows[:, : luma.shape[1]] = luma
        plane.update(rows.tobytes())
    return frame


def check_fps(fps: float) -> None:
    """Refuse what is no rate of frames a second.

    Raises:
        InputError: 0 or less, more than 1000, or NaN.
    """
    if not 0 < fps <= 1000:
        raise InputError("fps", "above 0 and at most 1000", f"{fps:g}")


def check_video_path(path: Path, force: bool) -> None:
    """Refuse, before any long work, a path that `write_video` would refuse.

    Raises:
        InputError: `path` exists and `force` is false, or an unknown suffix.
    """
    if path.suffix.lower() not in _WRITERS:
        raise InputError(path, ".mp4, .gif, .webp or no suffix (a folder of PNG)", f"{path.suffix}")
    check_free(path, force)


def _write_mp4(path: Path, frames: Frames, rate: Fraction) -> None:
    # 4:2:0 plays everywhere but halves both sides, so that an odd size is met exactly by 4:4:4 only.
    is_odd = frames.shape[1] % 2 or frames.shape[2] % 2
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        # x264's macroblock tree reads memory it never wrote, so that the bytes would change from run to run.
        options = {"crf": "12", "x264-params": "mbtree=0"}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv444p" if is_odd else "yuv420p"
        stream.thread_count = 1  # the number is stored in the file and changes the result
        stream.color_range = ColorRange.MPEG
        stream.colorspace = stream.color_primaries = stream.color_trc = _BT709
        for frame in _video_frames(frames):
            converted = frame.reformat(
                format=stream.pix_fmt, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            container.mux(stream.encode(converted))
        container.mux(stream.encode())


def _write_webp(path: Path, frames: Frames, rate: Fraction) -> None:
    with av.open(path, "w", format="webp", options={"loop": "0"}) as container:
        stream = container.add_stream("libwebp", rate=rate, options={"lossless": "1"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "bgra"
        for frame in _video_frames(frames):
            container.mux(stream.encode(frame.reformat(format="bgra")))
        container.mux(stream.encode())


def _write_gif(path: Path, frames: Frames, rate: Fraction) -> None:
    height, width = frames.shape[1:3]
    graph = av.filter.Graph()  # one palette of the whole clip, so that still parts do not shimmer
    source = graph.add_buffer(width=width, height=height, format="rgb24", time_base=1 / rate)
    split, palette, dither = graph.add("split"), graph.add("palettegen"), graph.add("paletteuse")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(dither, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(dither, 0, 1)
    dither.link_to(sink)
    graph.configure()
    for index, frame in enumerate(_video_frames(frames)):
        frame.pts, frame.time_base = index, 1 / rate
        source.push(frame)
    source.push(None)
    with av.open(path, "w", format="gif", options={"loop": "0"}) as container:
        stream = container.add_stream("gif", rate=rate)
        stream.height, stream.width, stream.pix_fmt = height, width, "pal8"
        for _ in frames:
            container.mux(stream.encode(sink.pull()))
        container.mux(stream.encode())


def _write_folder(path: Path, frames: Frames, _rate: Fraction) -> None:
    path.mkdir()
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(path / f"{index:05}.png")


_WRITERS: dict[str, Callable[[Path, Frames, Fraction], None]] = {
    ".mp4": _write_mp4,
    ".gif": _write_gif,
    ".webp": _write_webp,
    "": _write_folder,
}


def _video_frames(frames: Frames) -> Iterator[av.VideoFrame]:
    for frame in frames:
        yield av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
