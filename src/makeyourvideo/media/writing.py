"""Frames -> videos: the same frames give the same bytes."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from itertools import chain, count
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image

from makeyourvideo.errors import InputError
from makeyourvideo.media.images import Frames
from makeyourvideo.outputs import check_free, written_whole

_BT709 = 1  # ITU-T H.273 uses this code for primaries, transfer and matrix alike


Put = Callable[[Frames], None]


def write_video(path: Path, frames: Frames | Iterable[Frames], fps: float, *, force: bool = False) -> None:
    """Write frames as .mp4 (H.264), .gif, .webp (lossless), or, without a suffix, as a folder of PNG.

    The same frames and rate give the same bytes, in one piece or in many: the encoders run in one thread and
    store no date.

    Args:
        path: where to; its suffix chooses the format.
        frames: uint8 `(frames, height, width, 3)`, or pieces of that shape, of which one at a time is kept.
        fps: frames a second, kept as the nearest fraction (29.97003 as 30000/1001). A GIF counts in
            hundredths of a second; a folder has no rate.
        force: whether an existing result may be replaced.

    Raises:
        InputError: `path` exists and `force` is false, an unknown suffix, a rate out of range.
    """
    check_video_path(path, force)
    with written_whole(path, force) as unfinished, growing_video(unfinished, fps) as put:
        for piece in [frames] if isinstance(frames, np.ndarray) else frames:
            put(piece)


@contextmanager
def growing_video(path: Path, fps: float) -> Iterator[Put]:
    """Yield a function that takes the frames of a video piece by piece; the video is whole at the end.

    It is for the inside of `written_whole`: it does not look at what exists. Pieces are as in `write_video`.

    Raises:
        InputError: a rate out of range.
    """
    check_fps(fps)
    with _WRITERS[path.suffix.lower()](path, Fraction(fps).limit_denominator(1001)) as put:

        def put_checked(frames: Frames) -> None:
            if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or frames.size == 0:
                raise ValueError(
                    f"expected uint8 (frames, height, width, 3), got {frames.dtype} {frames.shape}"
                )
            put(frames)

        yield put_checked


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


@contextmanager
def _mp4(path: Path, rate: Fraction) -> Iterator[Put]:
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        # x264's macroblock tree reads memory it never wrote, so that the bytes would change from run to run.
        options = {"crf": "12", "x264-params": "mbtree=0"}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.thread_count = 1  # the number is stored in the file and changes the result
        stream.color_range = ColorRange.MPEG
        stream.colorspace = stream.color_primaries = stream.color_trc = _BT709

        def put(frames: Frames) -> None:
            # 4:2:0 plays everywhere but halves both sides, so that an odd size is met exactly by 4:4:4 only.
            is_odd = frames.shape[1] % 2 or frames.shape[2] % 2
            if not stream.codec_context.is_open:
                stream.height, stream.width = frames.shape[1:3]
                stream.pix_fmt = "yuv444p" if is_odd else "yuv420p"
            for frame in _video_frames(frames):
                converted = frame.reformat(
                    format=stream.pix_fmt, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
                )
                container.mux(stream.encode(converted))

        yield put
        container.mux(stream.encode())


@contextmanager
def _webp(path: Path, rate: Fraction) -> Iterator[Put]:
    with av.open(path, "w", format="webp", options={"loop": "0"}) as container:
        stream = container.add_stream("libwebp", rate=rate, options={"lossless": "1"})

        def put(frames: Frames) -> None:
            if not stream.codec_context.is_open:
                stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "bgra"
            for frame in _video_frames(frames):
                container.mux(stream.encode(frame.reformat(format="bgra")))

        yield put
        container.mux(stream.encode())


@contextmanager
def _gif(path: Path, rate: Fraction) -> Iterator[Put]:
    """One palette of the whole clip, so that still parts do not shimmer: frames wait on the disk for it."""
    sizes: set[tuple[int, int]] = set()
    with tempfile.TemporaryFile(dir=path.parent) as waiting:

        def put(frames: Frames) -> None:
            sizes.add((frames.shape[1], frames.shape[2]))
            waiting.write(np.ascontiguousarray(frames).tobytes())

        yield put
        ((height, width),) = sizes

        def stored() -> Iterator[av.VideoFrame]:
            waiting.seek(0)
            for index in count():
                content = waiting.read(3 * height * width)
                if not content:
                    return
                pixels = np.frombuffer(content, np.uint8).reshape(height, width, 3)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = index, 1 / rate
                yield frame

        _write_gif(path, rate, (height, width), _palette(stored(), (height, width), rate), stored())


def _palette(frames: Iterator[av.VideoFrame], size: tuple[int, int], rate: Fraction) -> av.VideoFrame:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=size[1], height=size[0], format="rgb24", time_base=1 / rate)
    graph.link_nodes(source, graph.add("palettegen"), graph.add("buffersink")).configure()
    for frame in frames:
        graph.push(frame)
    graph.push(None)
    return graph.pull()


def _write_gif(
    path: Path, rate: Fraction, size: tuple[int, int], palette: av.VideoFrame, frames: Iterator[av.VideoFrame]
) -> None:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=size[1], height=size[0], format="rgb24", time_base=1 / rate)
    colors = graph.add_buffer(
        width=palette.width, height=palette.height, format=palette.format.name, time_base=1 / rate
    )
    dither, sink = graph.add("paletteuse"), graph.add("buffersink")
    source.link_to(dither, 0, 0)
    colors.link_to(dither, 0, 1)
    dither.link_to(sink)
    graph.configure()
    palette.pts, palette.time_base = 0, 1 / rate
    colors.push(palette)
    colors.push(None)
    with av.open(path, "w", format="gif", options={"loop": "0"}) as container:
        stream = container.add_stream("gif", rate=rate)
        (stream.height, stream.width), stream.pix_fmt = size, "pal8"
        for frame in chain(frames, [None]):
            source.push(frame)
            for dithered in _ready(sink):
                container.mux(stream.encode(dithered))
        container.mux(stream.encode())


def _ready(sink: Any) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield sink.pull()
        except (BlockingIOError, EOFError):  # it needs more, or there is no more
            return


@contextmanager
def _folder(path: Path, _rate: Fraction) -> Iterator[Put]:
    path.mkdir()
    names = (path / f"{index:05}.png" for index in count())

    def put(frames: Frames) -> None:
        for frame, name in zip(frames, names):  # noqa: B905  (there is no end of names)
            Image.fromarray(frame).save(name)

    yield put


_WRITERS: dict[str, Callable[[Path, Fraction], AbstractContextManager[Put]]] = {
    ".mp4": _mp4,
    ".gif": _gif,
    ".webp": _webp,
    "": _folder,
}


def _video_frames(frames: Frames) -> Iterator[av.VideoFrame]:
    for frame in frames:
        yield av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
