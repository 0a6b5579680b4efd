"""DepthVideo: its conventions, and the one place where depth is normalised."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.outputs import written_whole

Normalization = Literal["clip", "frame"]
Units = Literal["metric", "relative"]
Resampling = Literal["bicubic", "bilinear", "area", "nearest-exact"]


@runtime_checkable
class DepthClip(Protocol):
    """What a run needs of depth, wherever it lies: in memory (`DepthVideo`) or on disk (`DepthFile`)."""

    @property
    def num_frames(self) -> int:
        """How many frames the clip has."""

    @property
    def height(self) -> int:
        """Height in pixels."""

    @property
    def width(self) -> int:
        """Width in pixels."""

    @property
    def units(self) -> Units:
        """As in `DepthVideo`."""

    @property
    def source(self) -> str:
        """As in `DepthVideo`."""

    @property
    def about(self) -> dict[str, str | float]:
        """What there is to say of the clip in a manifest."""

    def inverse_at(self, frames: Sequence[int]) -> NDArray[np.float32]:
        """The inverse depth `(len(frames), height, width)` of some frames."""


@dataclass(frozen=True, eq=False)
class DepthVideo:
    """Normalised inverse depth of a clip: near = +1, far = -1, and what it takes to undo that.

    Inverse depth 1/z is what monocular estimators predict and what the network is conditioned on
    (Make-Your-Video, section 3.2: MiDaS, min-max to [-1, 1]); infinity is plainly 1/z = 0.

    Attributes:
        values: float32 `(frames, height, width)` in [-1, 1].
        scale: float64 `(frames,)`; `inverse_depth = values * scale + offset`.
        offset: float64 `(frames,)`.
        normalization: whether min and max were taken over the clip or over each frame.
        units: "metric" where the inverse depth is in 1/metres, "relative" where its scale is unknown.
        source: the file or process it comes from, for messages and manifests.
        fps: frames a second, where the source says.
    """

    values: NDArray[np.float32]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    normalization: Normalization = "clip"
    units: Units = "relative"
    source: str = "memory"
    fps: float | None = None

    @classmethod
    def from_inverse_depth(
        cls,
        inverse: NDArray[np.floating] | NDArray[np.integer],
        *,
        normalization: Normalization = "clip",
        units: Units = "relative",
        source: str = "memory",
        fps: float | None = None,
    ) -> "DepthVideo":
        """Min-max inverse depth `(frames, height, width)` to [-1, 1].

        Raises:
            InputError: empty, not of three axes, not finite, negative in metric units, or constant over
                what the minimum and maximum are taken over.
        """
        if inverse.ndim != 3 or inverse.size == 0:
            raise InputError(source, "depth of shape (frames, height, width)", f"shape {inverse.shape}")
        low = inverse.min(axis=(1, 2)).astype(np.float64)
        high = inverse.max(axis=(1, 2)).astype(np.float64)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            frame = int(np.argmin(np.isfinite(low) & np.isfinite(high)))
            raise InputError(source, "finite inverse depth", f"NaN or infinity in frame {frame}")
        if units == "metric" and low.min() < 0:
            raise InputError(source, "inverse depth of at least 0 in metric units", f"{low.min():g}")
        if normalization == "clip":
            low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
        if (low == high).any():
            frame = int(np.argmax(low == high))
            raise constant_depth(source, low[frame], None if normalization == "clip" else frame)
        scale, offset = (high - low) / 2, (high + low) / 2
        return cls(normalize(inverse, low, high), scale, offset, normalization, units, source, fps)

    @classmethod
    def from_metric_depth(
        cls,
        depth: NDArray[np.floating] | NDArray[np.integer],
        *,
        normalization: Normalization = "clip",
        source: str = "memory",
        fps: float | None = None,
    ) -> "DepthVideo":
        """Normalise metric depth z `(frames, height, width)` in metres; infinity means nothing there.

        Raises:
            InputError: a value that is not positive, NaN, or as in `from_inverse_depth`.
        """
        if not (depth > 0).all():  # NaN compares false, too
            found = "NaN" if np.isnan(depth).any() else f"{depth.min():g}"
            raise InputError(source, "metric depth above 0", found)
        with np.errstate(over="ignore"):  # the smallest subnormals have no finite inverse: refused below
            inverse = 1 / depth.astype(np.float32)
        return cls.from_inverse_depth(
            inverse, normalization=normalization, units="metric", source=source, fps=fps
        )

    @property
    def about(self) -> dict[str, str | float]:
        """What there is to say of the clip in a manifest."""
        return describe(self.scale, self.offset, self.normalization, self.units, self.source)

    @property
    def num_frames(self) -> int:
        """How many frames the clip has."""
        return self.values.shape[0]

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.values.shape[1]

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.values.shape[2]

    def inverse_depth(self) -> NDArray[np.float32]:
        """The inverse depth `(frames, height, width)` before normalisation."""
        return self.inverse_at(range(self.num_frames))

    def inverse_at(self, frames: Sequence[int]) -> NDArray[np.float32]:
        """The inverse depth `(len(frames), height, width)` of some frames."""
        inverse = np.empty((len(frames), self.height, self.width), np.float32)
        for target, frame in zip(inverse, frames, strict=True):
            target[:] = self.values[frame] * self.scale[frame] + self.offset[frame]
        return inverse

    def metric_depth(self) -> NDArray[np.float32]:
        """Depth z in metres `(frames, height, width)`, infinite where the inverse depth is 0.

        Raises:
            InputError: the units are relative, so that no distance in metres is known.
        """
        if self.units != "metric":
            raise InputError(self.source, "metric depth", "relative inverse depth, whose scale is unknown")
        with np.errstate(divide="ignore"):
            return np.reciprocal(np.maximum(self.inverse_depth(), 0))

    def normalized(self, normalization: Normalization) -> "DepthVideo":
        """The same depth with minimum and maximum over the clip or over each frame."""
        if normalization == self.normalization:
            return self
        return self._again(self.inverse_depth(), normalization)

    def resized(self, height: int, width: int, mode: Resampling = "bicubic") -> "DepthVideo":
        """Resample the inverse depth to a size in pixels, then normalise it again.

        The reference resizes first and takes minimum and maximum after; its `mode` is "bicubic".
        """
        if (height, width) == (self.height, self.width):
            return self
        inverse = resample(self.inverse_depth(), height, width, self.units, mode)
        return self._again(inverse, self.normalization)

    def save(self, path: Path, *, force: bool = False) -> None:
        """Write an .npz from which `structure.files.read_depth` restores every attribute exactly.

        Raises:
            InputError: `path` exists and `force` is false.
        """
        with written_whole(path, force) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file,
                values=self.values,
                scale=self.scale,
                offset=self.offset,
                normalization=np.array(self.normalization),
                units=np.array(self.units),
                source=np.array(self.source),
                fps=np.array(np.nan if self.fps is None else self.fps),
            )

    def _again(self, inverse: NDArray[np.float32], normalization: Normalization) -> "DepthVideo":
        return DepthVideo.from_inverse_depth(
            inverse, normalization=normalization, units=self.units, source=self.source, fps=self.fps
        )


def normalize(
    inverse: NDArray[np.floating] | NDArray[np.integer], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Map inverse depth `(frames, height, width)` so that each frame's `low` is -1 and its `high` +1."""
    scale, offset = (high - low) / 2, (high + low) / 2
    values = np.empty(inverse.shape, np.float32)
    for frame, target in enumerate(values):  # float64 for one frame at a time, to save memory
        target[:] = (inverse[frame] - offset[frame]) / scale[frame]
    return values


def resample(
    inverse: NDArray[np.float32], height: int, width: int, units: Units, mode: Resampling = "bicubic"
) -> NDArray[np.float32]:
    """Resample inverse depth `(frames, h, w)` to a size in pixels, each frame by itself."""
    import torch  # here, because nothing else in this file needs it and it takes a second to load

    aligned = {"align_corners": False} if mode in ("bicubic", "bilinear") else {}
    resized: NDArray[np.float32] = torch.nn.functional.interpolate(
        torch.from_numpy(inverse)[:, None], size=(height, width), mode=mode, **aligned
    )[:, 0].numpy()
    # bicubic overshoots at edges, but nothing lies beyond infinity
    return np.maximum(resized, 0) if units == "metric" else resized


def constant_depth(source: str, value: float, frame: int | None) -> InputError:
    """The complaint about a frame, or without one the whole clip, that is the same everywhere."""
    where = "the whole clip" if frame is None else f"frame {frame}"
    return InputError(source, "depth that varies", f"the constant {value:g} in {where}")


def describe(
    scale: NDArray[np.float64],
    offset: NDArray[np.float64],
    normalization: Normalization,
    units: Units,
    source: str,
) -> dict[str, str | float]:
    """What there is to say of a clip in a manifest."""
    return {
        "units": units,
        "nearest_inverse_depth": float((offset + scale).max()),
        "farthest_inverse_depth": float((offset - scale).min()),
        "normalization": normalization,
        "source": source,
    }


def pick_frames(length: int, num_frames: int, frame_stride: int = 1) -> list[int]:
    """Which frames of a clip are used: `i * frame_stride` from 0, as the reference picks them.

    Where the clip is too short for the stride, or the stride is -1, the stride is `length // num_frames`.

    Raises:
        InputError: the clip has fewer frames than asked for, or the numbers make no sense.
    """
    if not 1 <= num_frames <= length:
        raise InputError("num_frames", f"between 1 and the clip's {length} frames", str(num_frames))
    if frame_stride < 1 and frame_stride != -1:
        raise InputError("frame_stride", "at least 1, or -1 for the whole clip", str(frame_stride))
    if frame_stride == -1 or (num_frames - 1) * frame_stride >= length:
        frame_stride = length // num_frames
    return [i * frame_stride for i in range(num_frames)]
