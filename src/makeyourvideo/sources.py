"""What the settings say about structure -> DepthVideo: files, a video, a 3D scene or keyframes.

What only one source needs loads with it: most depth is read from a file, and OpenCV alone takes a third
of a second.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.model_folder import own_estimator
from makeyourvideo.planning import Mask
from makeyourvideo.settings import Settings
from makeyourvideo.structure.arrays import is_saved_depth
from makeyourvideo.structure.depth import DepthClip, DepthVideo, Units, pick_frames
from makeyourvideo.structure.depth_file import DepthFile
from makeyourvideo.structure.estimators import load_estimator
from makeyourvideo.structure.files import read_depth, read_fractions
from makeyourvideo.structure.streaming import save_streamed, stack_depth

Floats = NDArray[np.float32]


def read_structure(
    settings: Settings,
    *,
    fps: float,
    num_frames: int,
    size: tuple[int, int],
    estimate: bool = True,
    scratch: Path | None = None,
) -> tuple[DepthClip, list[str]]:
    """Read or make the depth that the settings name, and say what was made up or picked, a sentence each.

    Args:
        settings: whose one source is read.
        fps: frames a second of the result.
        num_frames: of the result, where the settings leave it open.
        size: height and width in pixels of a scene's depth, where the settings leave them open.
        estimate: False leaves a video's depth out: the clip has its shape alone.
        scratch: a folder; where one is given, depth goes to a file in it, from which it is read as it is
            needed: of a video or a scene frame by frame, of other files after they are read. An .npz as
            `DepthVideo.save` writes it is read where it is.

    Raises:
        InputError: the source is missing, unreadable, or gives no depth.
    """
    wanted = settings.num_frames or num_frames
    if settings.depth is not None:
        has_range = settings.depth_near is not None or settings.depth_far is not None
        is_plain = not settings.inverted and settings.depth_kind == "inverse" and not has_range
        if scratch and is_plain and is_saved_depth(settings.depth):
            return DepthFile(settings.depth), []
        return _set_aside(_read(settings, settings.depth), scratch), []
    if settings.video is not None:
        return _from_video(settings, settings.video, fps, wanted, scratch, estimate)
    if settings.keyframes:
        made_up, notes = _from_keyframes(settings, fps, wanted)
        return _set_aside(made_up, scratch), notes
    assert settings.scene is not None, "settings have one source"
    from makeyourvideo.structure.filming import film

    shot = film(
        settings.scene,
        camera=settings.camera,
        num_frames=wanted,
        fps=fps,
        height=settings.height or size[0],
        width=settings.width or size[1],
        start=settings.start,
        animation=settings.animation,
    )
    notes = [f"the depth is cast from {settings.scene.name}"]
    if scratch is None:
        return shot.depth(), notes
    inverse = (np.reciprocal(frame) for frame in shot.stream())
    return _stored(scratch, inverse, "metric", str(shot.model.path), shot.fps), notes


def _set_aside(depth: DepthVideo, scratch: Path | None) -> DepthClip:
    if scratch is None:
        return depth
    depth.save(scratch / "depth.npz")
    return DepthFile(scratch / "depth.npz")


def _stored(
    scratch: Path, inverse: Iterator[Floats], units: Units, source: str, fps: float | None
) -> DepthFile:
    path = scratch / "depth.npz"
    for _ in save_streamed(path, inverse, units=units, source=source, fps=fps):
        pass
    return DepthFile(path)


def _read(settings: Settings, path: Path) -> DepthVideo:
    return read_depth(
        path,
        kind=settings.depth_kind,
        inverted=settings.inverted,
        near=settings.depth_near,
        far=settings.depth_far,
    )


def _from_video(
    settings: Settings, video: Path, fps: float, wanted: int, scratch: Path | None, estimate: bool
) -> tuple[DepthClip, list[str]]:
    from makeyourvideo.structure.picking import count_frames, pick_from_video
    from makeyourvideo.structure.video import estimate_frames

    stride = settings.frame_stride
    if stride is None:
        picked, how = pick_from_video(video, fps=fps), f"one every {1 / fps:.3g} s"
    else:  # the reference's rule knows the whole length
        length = count_frames(video)
        indices = pick_frames(length, min(wanted, length), stride)
        step = indices[1] - indices[0] if len(indices) > 1 else 1
        picked, how = pick_from_video(video, frame_stride=step), f"one in {step}"
    used = islice(picked, wanted)
    units: Units = "relative"
    if estimate:
        estimator = load_estimator(settings.estimator or own_estimator(settings.model))
        inverse, units = estimate_frames(used, estimator), estimator.units
        notes = [f"their depth is estimated ({estimator.name})"]
    else:
        inverse, notes = map(_ramp, used), []
    depth: DepthClip
    if scratch is None:
        depth = stack_depth(inverse, units=units, source=str(video), fps=fps)
    else:
        depth = _stored(scratch, inverse, units, str(video), fps)
    return depth, [f"{depth.num_frames} frames of the video are used, {how}", *notes]


def _ramp(frame: NDArray[np.uint8]) -> Floats:
    """What stands for the depth of a frame that is not estimated."""
    height, width = frame.shape[:2]
    return np.broadcast_to(np.linspace(0, 1, height, dtype=np.float32)[:, None], (height, width))


def _from_keyframes(settings: Settings, fps: float, wanted: int) -> tuple[DepthVideo, list[str]]:
    from makeyourvideo.structure.keyframes import interpolate_keyframes

    last, path = max(settings.keyframes)
    if settings.num_frames is None:
        wanted = min(wanted, last + 1)
    if last >= wanted:
        used = f"a frame from 0 to {wanted - 1}, or a num_frames of {last + 1}"
        raise InputError(f"{path}: keyframes", used, str(last))
    read = {frame: _read(settings, path) for frame, path in settings.keyframes}
    _check_one_size(settings, read)
    inverse = interpolate_keyframes(
        {frame: depth.inverse_depth()[0] for frame, depth in read.items()}, wanted
    )
    units = {depth.units for depth in read.values()}
    depth = DepthVideo.from_inverse_depth(
        inverse, units=units.pop() if len(units) == 1 else "relative", source="keyframes", fps=fps
    )
    made_up = wanted - len(read)
    given = ", ".join(map(str, sorted(read)))
    return depth, [
        f"depth is given at frames {given}; the other {made_up} of {wanted} are made up from motion"
    ]


def _check_one_size(settings: Settings, read: Mapping[int, DepthVideo]) -> None:
    (_, first), *_ = settings.keyframes
    wanted, *sizes = (f"{read[frame].width}x{read[frame].height}" for frame, _ in settings.keyframes)
    for (_, path), size in zip(settings.keyframes[1:], sizes, strict=True):
        if size != wanted:
            raise InputError(path, f"{wanted} as in {first.name}", size)


def read_mask(settings: Settings, num_frames: int) -> Mask | None:
    """Read the strength of the depth over time and space, `(frames, height, width)` in [0, 1], if any is set.

    Raises:
        InputError: the mask or the curve is missing or unreadable, or their lengths differ.
    """
    curve = None if settings.depth_curve is None else read_curve(settings.depth_curve, num_frames)
    if settings.depth_mask is None:
        return None if curve is None else curve[:, None, None]
    mask = np.clip(read_fractions(settings.depth_mask), 0, 1)
    if curve is None:
        return mask
    if len(mask) not in (1, num_frames):
        raise InputError(settings.depth_mask, f"1 or {num_frames} frames beside a curve", str(len(mask)))
    return mask * curve[:, None, None]


def read_curve(path: Path, num_frames: int) -> Mask:
    """Read lines "frame, strength" and fill the frames between them linearly: `(num_frames,)`.

    Raises:
        InputError: unreadable, other lines, frames that do not rise, or strengths outside [0, 1].
    """
    with unreadable_unless(path, "a text file"):
        lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    points: list[tuple[float, float]] = []
    for number, line in enumerate(lines, start=1):
        if line:
            try:
                frame, strength = map(float, line.split(","))
            except ValueError:
                raise InputError(
                    path, 'lines of "frame, strength"', f"line {number}: {line[:80]!r}"
                ) from None
            rises = np.isfinite(frame) and (not points or frame > points[-1][0])
            if not (0 <= strength <= 1 and rises):
                raise InputError(path, "rising frames and strengths from 0 to 1", f"line {number}: {line!r}")
            points.append((frame, strength))
    if not points:
        raise InputError(path, 'lines of "frame, strength"', "none")
    return np.interp(np.arange(num_frames), *np.array(points).T).astype(np.float32)
