"""DepthVideo -> files that other programs read, with what the samples mean beside them."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.media import write_gray_image, write_gray_video
from makeyourvideo.outputs import written_together, written_whole
from makeyourvideo.structure.convention import IN_FOLDER, Convention, convention_path
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.structure.exr import write_exr

FramesAs = Literal["png", "tif", "exr"]
_VIDEOS = (".mp4", ".mkv", ".mov")
DEPTH_SUFFIXES = (".npz", ".npy", *_VIDEOS, "")
_DEFAULT_FPS = 8.0


def write_depth(
    depth: DepthVideo,
    path: Path,
    *,
    frames_as: FramesAs = "png",
    bits: Literal[8, 10] = 10,
    force: bool = False,
) -> None:
    """Write depth so that `read_depth` brings it back without flags, to the format's own precision.

    .npz holds everything exactly (`DepthVideo.save`), .npy the inverse depth as float32. A folder (no suffix)
    holds 16-bit PNG, 16-bit TIFF or float OpenEXR; .mp4, .mkv and .mov are grey video without loss, in full
    range. White is near throughout, save for OpenEXR of metric depth: that is a Z pass in metres, infinite
    where nothing is. Conventions stand in `depth.json` in a folder, and in NAME.depth.json beside a file.

    Args:
        depth: what to write.
        path: where to; its suffix chooses the format.
        frames_as: format of a folder's frames.
        bits: bits of a grey video.
        force: whether what exists may be replaced.

    Raises:
        InputError: `path` exists and `force` is false, an unknown suffix, OpenEXR is not installed.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        depth.save(path, force=force)
    elif suffix == "":
        with written_whole(path, force) as folder:
            folder.mkdir()
            _write_frames(depth, folder, frames_as)
            (folder / IN_FOLDER).write_text(_stated(_folder_convention(depth, frames_as)))
    elif suffix in (".npy", *_VIDEOS):
        beside = convention_path(path)
        with written_together([path, beside], force) as (file, stated):
            if suffix == ".npy":
                np.save(file, depth.inverse_depth())
                stated.write_text(_stated(_float_convention(depth)))
            else:
                codes = _quantised(depth, (1 << bits) - 1)
                write_gray_video(file, codes, bits, depth.fps or _DEFAULT_FPS)
                stated.write_text(_stated(_code_convention(depth)))
    else:
        raise InputError(path, f".npz, .npy, {', '.join(_VIDEOS)} or no suffix (a folder)", suffix)


def _write_frames(depth: DepthVideo, folder: Path, frames_as: FramesAs) -> None:
    if frames_as == "exr":
        name = "Z" if depth.units == "metric" else "Y"
        for index, frame in enumerate(depth.metric_depth() if name == "Z" else depth.inverse_depth()):
            write_exr(folder / f"{index:05}.exr", name, frame)
        return
    for index, frame in enumerate(_quantised(depth, 65535)):
        write_gray_image(folder / f"{index:05}.{frames_as}", frame)


def _quantised(depth: DepthVideo, white: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Inverse depth with 0 and `white` for the ends of the clip."""
    low, high = _span(depth)
    codes = (depth.inverse_depth().astype(np.float64) - low) * (white / (high - low))
    whole = np.clip(codes.round(), 0, white)
    return whole.astype(np.uint8) if white < 256 else whole.astype(np.uint16)


def _span(depth: DepthVideo) -> tuple[float, float]:
    return float((depth.offset - depth.scale).min()), float((depth.offset + depth.scale).max())


def _float_convention(depth: DepthVideo) -> Convention:
    return Convention(
        kind="inverse",
        units=depth.units,
        normalization=depth.normalization,
        fps=depth.fps,
        source=depth.source,
    ).model_copy(update=_range(depth))


def _code_convention(depth: DepthVideo) -> Convention:
    stated = _float_convention(depth)
    return stated if depth.units == "metric" else stated.model_copy(update={"span": _span(depth)})


def _folder_convention(depth: DepthVideo, frames_as: FramesAs) -> Convention:
    if frames_as != "exr":
        return _code_convention(depth)
    kind = "metric" if depth.units == "metric" else "inverse"
    return _float_convention(depth).model_copy(update={"kind": kind})


def _range(depth: DepthVideo) -> dict[str, float | None]:
    """Near and far in metres; far is none where it is infinite."""
    if depth.units != "metric":
        return {}
    low, high = _span(depth)
    return {"near": 1 / high, "far": 1 / low if low > 0 else None}


def _stated(convention: Convention) -> str:
    return convention.model_dump_json(indent=1) + "\n"
