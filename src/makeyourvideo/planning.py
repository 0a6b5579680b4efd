"""What a run does, settled before anything is computed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.framing import Framing
from makeyourvideo.settings import Options
from makeyourvideo.structure.depth import DepthVideo, Normalization, pick_frames

Mask = NDArray[np.float32]


@dataclass(frozen=True)
class Plan:
    """One sample's run, every number filled in.

    Attributes:
        prompt, negative_prompt: the text of the two branches.
        framing: the sizes.
        frame_indices: which frames of the depth are used, one for each frame of the result.
        depth_normalization, depth_strength, num_inference_steps, guidance_scale, eta: as in `Options`.
        depth_mask: strength over time and space `(num_frames, height, width)` of the depth as given, or none.
        evaluations: how often the network is called.
        notes: what differs from the plain case, a sentence each.
    """

    prompt: str
    negative_prompt: str
    framing: Framing
    frame_indices: tuple[int, ...]
    depth_normalization: Normalization
    depth_strength: float
    depth_mask: Mask | None = field(compare=False)
    num_inference_steps: int
    guidance_scale: float
    eta: float
    evaluations: int
    notes: tuple[str, ...]

    @property
    def num_frames(self) -> int:
        """Frames of the result."""
        return len(self.frame_indices)

    @property
    def guided(self) -> bool:
        """Whether there is an unconditional branch; at a scale of 1 or less it would change nothing."""
        return self.guidance_scale > 1


def plan_frames(
    depth: DepthVideo, options: Options, trained_frames: int
) -> tuple[tuple[int, ...], list[str]]:
    """Which frames of the depth are used, and what there is to say about it.

    Raises:
        InputError: more frames are wanted than there are, or a number makes no sense.
    """
    available = depth.num_frames
    wanted = min(trained_frames, available) if options.num_frames is None else options.num_frames
    if available == 1 and wanted > 1:
        return (0,) * wanted, [f"the depth is a single frame, held still for {wanted} frames"]
    stride = 1 if options.frame_stride is None else options.frame_stride
    indices = pick_frames(available, wanted, stride)
    if available == wanted:
        return tuple(indices), []
    ends = indices if wanted <= 4 else [*indices[:2], "...", indices[-1]]
    shown = ", ".join(str(index) for index in ends)
    return tuple(indices), [f"{wanted} of the depth's {available} frames are used: {shown}"]


def plan_mask(mask: Mask, depth: DepthVideo, frame_indices: Sequence[int]) -> Mask:
    """The mask of each frame of the result; one of 1x1 is the same everywhere.

    Raises:
        InputError: another shape or number of frames than depth or result have, or values outside [0, 1].
    """
    if mask.ndim != 3 or not (mask.size and mask.min() >= 0 and mask.max() <= 1):
        found = f"shape {mask.shape}" if mask.ndim != 3 else "other values"
        raise InputError("depth_mask", "strengths (frames, height, width) in [0, 1]", found)
    height, width = mask.shape[1:]
    if (height, width) != (1, 1) and abs(height / width * depth.width / depth.height - 1) > 0.02:
        raise InputError("depth_mask", f"the shape of {depth.height}x{depth.width}", f"{height}x{width}")
    if len(mask) == 1:
        mask = np.repeat(mask, len(frame_indices), axis=0)
    elif len(mask) == depth.num_frames:
        mask = mask[list(frame_indices)]
    elif len(mask) != len(frame_indices):
        wanted = f"1, {len(frame_indices)} or {depth.num_frames} frames"
        raise InputError("depth_mask", wanted, str(len(mask)))
    return np.ascontiguousarray(mask, np.float32)
