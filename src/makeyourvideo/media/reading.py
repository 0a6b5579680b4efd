"""Videos and animations -> frames, decoded within bounds and never cut short unnoticed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media.images import (
    MAX_BYTES,
    Frames,
    check_unpacked,
    opened_image,
    read_folder,
    read_image,
)

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
ANIMATION_SUFFIXES = (".gif", ".webp")

# Playlists could reach for other files and the network, so only plain containers are opened.
_CONTAINERS = {"format_whitelist": "mov,matroska,avi", "protocol_whitelist": "file"}


def read_video(path: Path, *, max_bytes: int = MAX_BYTES) -> tuple[Frames, float | None]:
    """Read a video, an animated GIF or WebP, or a folder of PNG.

    Returns:
        uint8 `(frames, height, width, 3)`, and the mean frames a second where the file has a rate.

    Raises:
        InputError: unreadable, cut short, no frames, mixed sizes, or more than `max_bytes` unpacked.
    """
    if path.is_dir():
        return read_folder(path, ".png", partial(read_image, max_bytes=max_bytes), max_bytes), None
    if path.suffix.lower() in ANIMATION_SUFFIXES:
        return _read_animation(path, max_bytes)
    with _video_stream(path) as stream:
        frames = [
            np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
            for frame in _decode(path, stream, 3, max_bytes)
        ]
        return np.stack(frames), _rate(stream)


def iterate_video(path: Path) -> Iterator[tuple[float, Frames]]:
    """Decode a video one frame at a time, so that memory does not grow with its length.

    Yields:
        when a frame is shown, in seconds after the first, and the frame, uint8 `(height, width, 3)`.

    Raises:
        InputError: unreadable, cut short, no frames, mixed sizes, or a frame of more than `MAX_BYTES`.
    """
    with _video_stream(path) as stream:
        step, start = 1 / (_rate(stream) or 1), None
        check_unpacked(path, stream.width * stream.height * 3, MAX_BYTES)
        for index, frame in enumerate(_decode(path, stream, 3, max_bytes=sys.maxsize)):
            time = index * step if frame.time is None else frame.time
            start = time if start is None else start
            yield time - start, np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)


def video_header(path: Path) -> tuple[float | None, int | None]:
    """Return the mean frames a second of a video and how many frames it states, where it has either.

    What is stated need not be right: to know, count what `iterate_video` yields.

    Raises:
        InputError: unreadable, or no video.
    """
    with _video_stream(path) as stream:
        rate = _rate(stream)
        return rate, stream.frames or round(_duration(stream) * (rate or 0)) or None


@dataclass(frozen=True)
class Luma:
    """The luma planes of a video as stored.

    Attributes:
        codes: uint8 or uint16 `(frames, height, width)`, of which `bits` are used.
        bits: bits a sample.
        full_range: whether black and white are the ends of the codes, as the stream states; None: unstated.
        chroma: how far the picture is from grey, 0 to 1: the most colourful frame's 99th percentile.
        fps: mean frames a second, where the file has a rate.
    """

    codes: NDArray[np.uint8] | NDArray[np.uint16]
    bits: int
    full_range: bool | None
    chroma: float
    fps: float | None


def read_luma(path: Path, *, max_bytes: int = MAX_BYTES) -> Luma:
    """Read the luma plane of a video without any conversion; of an RGB video, the green channel.

    Raises:
        InputError: as `read_video`.
    """
    with _video_stream(path) as stream:
        planes, chroma = [], 0.0
        for frame in _decode(path, stream, 4, max_bytes):
            luma, bits, full_range, colorfulness = _split_luma(frame)
            planes.append(np.rot90(luma, frame.rotation // 90))
            chroma = max(chroma, colorfulness)
        return Luma(np.stack(planes), bits, full_range, chroma, _rate(stream))


@contextmanager
def _video_stream(path: Path) -> Iterator[av.VideoStream]:
    with (
        unreadable_unless(path, "a video"),
        av.open(path.absolute(), options=_CONTAINERS, metadata_errors="replace") as container,
    ):
        if not container.streams.video:
            raise InputError(path, "a video", "a file without a video stream")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield stream


def _decode(path: Path, stream: av.VideoStream, pixel_bytes: int, max_bytes: int) -> Iterator[av.VideoFrame]:
    """Yield every frame; at the end, refuse a video that was cut short."""
    check_unpacked(path, stream.width * stream.height * pixel_bytes * max(stream.frames, 1), max_bytes)
    found, end, is_whole, size = 0, 0.0, True, None
    duration, step = _duration(stream), 1 / (_rate(stream) or 1)
    try:
        for packet in stream.container.demux(stream):
            is_whole &= not packet.is_corrupt
            for frame in packet.decode():
                size = size or (frame.width, frame.height)
                if (frame.width, frame.height) != size:
                    this = f"{frame.width}x{frame.height}"
                    raise InputError(path, "frames of one size", f"{size[0]}x{size[1]} and then {this}")
                found += 1
                check_unpacked(path, frame.width * frame.height * pixel_bytes * found, max_bytes)
                end = max(end, (frame.time or 0.0) + (float(frame.duration * frame.time_base) or step))
                yield frame
    except av.FFmpegError:
        is_whole = False
    # Counted in time: an edit list hides frames that the header counts, and not every header counts them.
    if not is_whole or end < duration - step / 2:
        expected = stream.frames or round(duration / step) or "only"
        raise InputError(path, f"{expected} whole frames", f"{found} before the file breaks off")
    if not found:
        raise InputError(path, "a video", "no frames")


def _duration(stream: av.VideoStream) -> float:
    """Seconds as the header states them, 0 where it does not."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if len(stream.container.streams) == 1 and stream.container.duration is not None:
        return stream.container.duration / av.time_base
    return 0.0


def _rate(stream: av.VideoStream) -> float | None:
    return float(stream.average_rate) if stream.average_rate else None


def _split_luma(frame: av.VideoFrame) -> tuple[NDArray[Any], int, bool | None, float]:
    """The luma plane, its bits, whether its range is full (None: unstated), and how far it is from grey."""
    if not frame.format.name.startswith(("yuv", "gray", "nv12")):
        rgb = frame.to_ndarray(format="rgb24")
        away = np.ptp(rgb, axis=2) / 255
        return rgb[..., 1], 8, True, float(np.percentile(away, 99))
    bits = frame.format.components[0].bits
    order = ">" if frame.format.is_big_endian else "<"
    luma, *chroma = (_plane(plane, f"{order}u{1 if bits == 8 else 2}") for plane in frame.planes[:3])
    full_range = {ColorRange.MPEG: False, ColorRange.JPEG: True}.get(frame.color_range)
    if frame.format.name.startswith("yuvj"):
        full_range = True
    neutral = 1 << (bits - 1)
    away = max((np.percentile(np.abs(plane.astype(np.int32) - neutral), 99) for plane in chroma), default=0)
    return luma, bits, full_range, float(away / neutral)


def _plane(plane: VideoPlane, dtype: str) -> NDArray[Any]:
    rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
    return rows[:, : plane.width].copy()  # rows are padded, and the buffer is reused


def _read_animation(path: Path, max_bytes: int) -> tuple[Frames, float | None]:
    with opened_image(path, max_bytes) as image:
        count: int = getattr(image, "n_frames", 1)
        check_unpacked(path, image.width * image.height * 3 * count, max_bytes)
        frames, milliseconds = [], 0.0
        for index in range(count):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
            milliseconds += image.info.get("duration", 0)
        return np.stack(frames), 1000 * count / milliseconds if milliseconds else None
