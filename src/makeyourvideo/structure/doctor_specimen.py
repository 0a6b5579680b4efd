"""What the depth doctor looks at, and what it says."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.structure.convention import Kind

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

NOWHERE = 1e9
"""From here on a distance means that nothing is there; no inverse depth is as large."""

FAULTS = {
    "infinities": "infinite or undefined samples",
    "bit depth": "samples of fewer bits than their container",
    "limited range": "limited range read as full, or the reverse",
    "srgb": "an sRGB curve applied to depth",
    "polarity": "near and far swapped, or distances read as inverse depth",
    "holes": "isolated samples without depth",
    "scale jump": "the scale jumps between two frames",
    "flicker": "each frame normalised on its own",
    "banding": "steps where surfaces are smooth",
    "compression": "noise of lossy compression",
    "clipping": "near depth cut off",
}
"""Every fault by name, in the order in which they are mended."""


@dataclass(frozen=True)
class Finding:
    """One fault.

    Attributes:
        fault: a name of `FAULTS`.
        confidence: 0 to 1.
        evidence: what was seen, in a sentence with numbers.
        frame: the frame in which it is seen best; none where it is in all of them.
        numbers: what mending needs, and what was measured.
    """

    fault: str
    confidence: float
    evidence: str
    frame: int | None = None
    numbers: dict[str, float | list[float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Specimen:
    """Depth samples as stored, with what is claimed about them.

    Attributes:
        stored: `(frames, height, width)`, unsigned integers or floats.
        bits: of integer codes; 0 for floats.
        kind: what the samples are claimed to be.
        limited: whether black and white are claimed to be at limited range's codes.
        inverted: whether inverse depth is claimed to be stored upside down.
    """

    stored: NDArray[Any]
    bits: int = 0
    kind: Kind = "inverse"
    limited: bool = False
    inverted: bool = False

    @cached_property
    def levels(self) -> Floats:
        """Samples as fractions of the claimed full scale; floats as they are."""
        floats = self.stored.astype(np.float32)
        if not self.bits:
            return floats
        black, white = 0, (1 << self.bits) - 1
        if self.limited:
            black, white = 16 << (self.bits - 8), 235 << (self.bits - 8)
        return (floats - black) / np.float32(white - black)

    @cached_property
    def valid(self) -> Mask:
        """Where samples say something about depth; infinity does in metric depth only."""
        if self.kind == "metric":
            return ~np.isnan(self.levels) & (self.levels > 0)
        return np.isfinite(self.levels) & (np.abs(self.levels) < NOWHERE)

    @cached_property
    def span(self) -> tuple[float, float]:
        """Least and greatest inverse depth."""
        valid = self.inverse[self.valid]
        return (float(valid.min()), float(valid.max())) if valid.size else (0.0, 0.0)

    @cached_property
    def nearness(self) -> Floats:
        """Inverse depth from 0 to 1 over the clip; 0 where samples say nothing."""
        low, high = self.span
        shares = (self.inverse - np.float32(low)) / np.float32(max(high - low, 1e-12))
        return np.where(self.valid, shares, 0).astype(np.float32)

    @cached_property
    def inverse(self) -> Floats:
        """Inverse depth in the samples' own units, 0 where metric samples say that nothing is there."""
        if self.kind == "inverse":
            return -self.levels if self.inverted else self.levels
        nothing = ~self.valid | (self.levels >= NOWHERE)
        return np.where(nothing, 0, 1 / np.where(nothing, 1, self.levels)).astype(np.float32)

    @cached_property
    def step(self) -> float:
        """The least difference between two nearnesses that the samples can express: 0 for floats."""
        low, high = self.span
        if not self.bits or self.kind == "metric":
            return 0.0
        codes = (219 << (self.bits - 8)) if self.limited else (1 << self.bits) - 1
        return 1 / (codes * max(high - low, 1e-12))


def box_mean(values: NDArray[Any], reach: int) -> Floats:
    """Mean over a square of `2 * reach + 1` pixels around each, `(frames, height, width)`; borders repeat."""
    size = 2 * reach + 1
    padded = np.pad(values.astype(np.float64), ((0, 0), (reach + 1, reach), (reach + 1, reach)), mode="edge")
    total = padded.cumsum(axis=1).cumsum(axis=2)
    window = (
        total[:, size:, size:] - total[:, :-size, size:] - total[:, size:, :-size] + total[:, :-size, :-size]
    )
    return (window / size**2).astype(np.float32)
