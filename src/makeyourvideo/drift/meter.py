"""Does a long video hold? Drift of its colours, seams where windows meet, and unrest, as frames come."""

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from makeyourvideo.drift import LEAST_FRAMES, LEAST_SIDE
from makeyourvideo.drift.seams import Seam, Step, excess, find_steps, score_seams
from makeyourvideo.drift.trends import Trend, fit_trend
from makeyourvideo.errors import InputError
from makeyourvideo.structure.motion import flow_to

Frames = NDArray[np.uint8]
Floats = NDArray[np.float32]
COLORS = ("red", "green", "blue")
_SIDE = 128  # pixels: motion is looked for in pictures of this size
_SAME = 8.0  # 8-bit levels around the median change: beyond, a pixel shows something else than before


class Series(BaseModel):
    """What was measured of each frame, in 8-bit levels; the last three of each frame against the one before.

    Attributes:
        color: mean red, green and blue, one triple a frame.
        change: of red, green and blue along the motion, from frame 1 on.
        difference: mean absolute difference, from frame 1 on.
        warp: the same along the motion, from frame 1 on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    color: tuple[tuple[float, float, float], ...]
    change: tuple[tuple[float, float, float], ...]
    difference: tuple[float, ...]
    warp: tuple[float, ...]


class DriftReport(BaseModel):
    """How a video holds over time; `findings` in `drift_findings` puts it into sentences.

    Attributes:
        num_frames: of the video.
        borders: frames with which a window begins.
        color: trend of the mean `red`, `green` and `blue`, in 8-bit levels in 100 frames.
        warp: trend of the warp error, in 8-bit levels in 100 frames.
        mean_warp: its mean.
        seams: scores of the borders by `color` and by `content`; empty without borders.
        steps: frames that stand out, at borders or elsewhere.
        series: what was measured of each frame.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_frames: int
    borders: tuple[int, ...]
    color: dict[str, Trend]
    warp: Trend
    mean_warp: float
    seams: dict[str, Seam]
    steps: tuple[Step, ...]
    series: Series

    def summary(self) -> dict[str, Any]:
        """All but the series, as plain values for JSON: what fits into a manifest."""
        return self.model_dump(mode="json", exclude={"series"})


class DriftMeter:
    """Measures frames as they come; keeps the last frame and eight numbers of each.

    Args:
        borders: frames with which a window begins, other than the first.

    Raises:
        InputError: borders that do not increase from 1 on.
    """

    def __init__(self, borders: Iterable[int] = ()) -> None:
        self.borders = tuple(borders)
        if any(later <= earlier for earlier, later in zip((0, *self.borders), self.borders, strict=False)):
            raise InputError("borders", "frames that increase from 1 on", ", ".join(map(str, self.borders)))
        self._before: tuple[Frames, Frames] | None = None
        self._shape: tuple[int, ...] | None = None
        self._colors: list[Floats] = []
        self._moves: list[Floats] = []

    def add(self, frames: Frames) -> None:
        """Take the next frames, uint8 `(f, h, w, 3)`.

        Raises:
            InputError: not such frames, under 16x16, or of another size than those before.
        """
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
            raise InputError("frames", "uint8 (f, h, w, 3)", f"{frames.dtype} {frames.shape}")
        if min(frames.shape[1:3]) < LEAST_SIDE:
            raise InputError("frames", f"at least {LEAST_SIDE}x{LEAST_SIDE}", _size(frames.shape[1:3]))
        self._shape = self._shape or frames.shape[1:3]
        if frames.shape[1:3] != self._shape:
            raise InputError("frames", _size(self._shape), _size(frames.shape[1:3]))
        for frame in frames:
            self._add(np.ascontiguousarray(frame))

    def _add(self, frame: Frames) -> None:
        small = _reduced(frame)
        now = small, cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        self._colors.append(np.array(cv2.mean(frame)[:3], np.float32))
        if self._before is not None:
            before, gray = self._before
            rest = _along_motion(before, small, flow_to(now[1], gray))
            difference = cv2.absdiff(small, before).mean()
            self._moves.append(np.array([*_change(rest), difference, np.abs(rest).mean()], np.float32))
        self._before = now

    def report(self) -> DriftReport:
        """Tell what was found so far.

        Raises:
            InputError: fewer than 16 frames, or a border beyond them.
        """
        count = len(self._colors)
        if count < LEAST_FRAMES:
            raise InputError("frames", f"at least {LEAST_FRAMES} to tell a drift", str(count))
        if self.borders and self.borders[-1] >= count:
            raise InputError("borders", f"frames below {count}", str(self.borders[-1]))
        colors, moves = (np.round(np.stack(rows), 4).astype(float) for rows in (self._colors, self._moves))
        found = excess(moves[:, :3], moves[:, 4])
        return DriftReport(
            num_frames=count,
            borders=self.borders,
            color={name: fit_trend(colors[:, index]) for index, name in enumerate(COLORS)},
            warp=fit_trend(moves[:, 4]),
            mean_warp=float(moves[:, 4].mean()),
            seams=score_seams(found, self.borders),
            steps=find_steps(found, self.borders),
            series=Series(
                color=_triples(colors),
                change=_triples(moves[:, :3]),
                difference=tuple(moves[:, 3].tolist()),
                warp=tuple(moves[:, 4].tolist()),
            ),
        )


def _reduced(frame: Frames) -> Frames:
    """The frame with its longer side at most 128 pixels, as far as the shorter one keeps 16."""
    height, width = frame.shape[:2]
    scale = max(_SIDE / max(height, width), LEAST_SIDE / min(height, width))
    if scale >= 1:
        return frame
    return cv2.resize(frame, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)


def _along_motion(before: Frames, frame: Frames, flow: Floats) -> Floats:
    """What each pixel has gained since the frame before, `(n, 3)`, of those that were in the picture then."""
    height, width = flow.shape[:2]
    places = flow + np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    warped = cv2.remap(
        before.astype(np.float32), places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    inside = ((places >= 0) & (places <= (width - 1, height - 1))).all(axis=-1)
    rest = frame - warped
    return rest[inside] if inside.any() else rest.reshape(-1, 3)


def _change(rest: Floats) -> Floats:
    """By how much red, green and blue change: the mean of the pixels near the median of all."""
    middle = np.median(rest, axis=0)
    same = (np.abs(rest - middle) <= _SAME).all(axis=1)
    return rest[same].mean(axis=0) if same.any() else middle


def _triples(rows: NDArray[np.float64]) -> tuple[tuple[float, float, float], ...]:
    return tuple((red, green, blue) for red, green, blue in rows.tolist())


def _size(shape: Iterable[int]) -> str:
    height, width = shape
    return f"{width}x{height}"
