"""Depth of any length -> the .npz that `DepthVideo.save` writes, with one frame in memory at a time."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.outputs import written_whole
from makeyourvideo.structure.depth import DepthVideo, Units, constant_depth

Floats = NDArray[np.float32]


def save_streamed(
    path: Path,
    frames: Iterator[Floats],
    *,
    units: Units = "relative",
    source: str = "memory",
    fps: float | None = None,
    force: bool = False,
) -> Iterator[int]:
    """Write inverse depth, frame by frame `(height, width)`, normalised over the whole clip.

    The clip's minimum and maximum are known only at its end, so frames wait on the disk beside the result.

    Yields:
        how many frames are done, after each.

    Raises:
        InputError: no frame, one that is not finite or of another shape, depth that is constant, or `path`
            exists and `force` is false.
    """
    with written_whole(path, force) as partial:
        low, high, count, shape = np.inf, -np.inf, 0, (0, 0)
        waiting = partial.with_name("waiting")
        with waiting.open("wb") as raw:
            for frame in frames:
                if not np.isfinite(frame).all():
                    raise InputError(source, "finite inverse depth", f"NaN or infinity in frame {count}")
                if count and frame.shape != shape:
                    raise InputError(
                        source, f"frames of one shape, {shape}", f"{frame.shape} in frame {count}"
                    )
                shape = frame.shape
                low, high, count = min(low, float(frame.min())), max(high, float(frame.max())), count + 1
                raw.write(np.ascontiguousarray(frame, np.float32).tobytes())
                yield count
        if not count:
            raise InputError(source, "at least one frame", "none")
        if low == high:
            raise constant_depth(source, low, None)
        scale, offset = np.full(count, (high - low) / 2), np.full(count, (high + low) / 2)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            with archive.open("values.npy", "w", force_zip64=True) as file, waiting.open("rb") as raw:
                _write_header(file, (count, *shape))
                for _ in range(count):
                    inverse = np.frombuffer(raw.read(4 * shape[0] * shape[1]), np.float32)
                    file.write(((inverse - offset[0]) / scale[0]).astype(np.float32).tobytes())
            about: dict[str, Any] = {
                "scale": scale,
                "offset": offset,
                "normalization": np.array("clip"),
                "units": np.array(units),
                "source": np.array(source),
                "fps": np.array(np.nan if fps is None else fps),
            }
            for name, value in about.items():
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, value, allow_pickle=False)


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def stack_depth(
    frames: Iterator[Floats], *, units: Units = "relative", source: str = "memory", fps: float | None = None
) -> DepthVideo:
    """Gather frames `(height, width)` of inverse depth into a clip in memory."""
    return DepthVideo.from_inverse_depth(np.stack(list(frames)), units=units, source=source, fps=fps)
