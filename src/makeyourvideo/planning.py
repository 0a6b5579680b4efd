"""What a run does, settled before anything is computed."""

from dataclasses import dataclass

from makeyourvideo.framing import Framing
from makeyourvideo.settings import Options
from makeyourvideo.structure.depth import DepthVideo, Normalization, pick_frames


@dataclass(frozen=True)
class Plan:
    """One sample's run, every number filled in.

    Attributes:
        prompt, negative_prompt: the text of the two branches.
        framing: the sizes.
        frame_indices: which frames of the depth are used, one for each frame of the result.
        depth_normalization, depth_strength, num_inference_steps, guidance_scale, eta: as in `Options`.
        evaluations: how often the network is called.
        notes: what differs from the plain case, a sentence each.
    """

    prompt: str
    negative_prompt: str
    framing: Framing
    frame_indices: tuple[int, ...]
    depth_normalization: Normalization
    depth_strength: float
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
    indices = pick_frames(available, wanted, options.frame_stride)
    if available == wanted:
        return tuple(indices), []
    ends = indices if wanted <= 4 else [*indices[:2], "...", indices[-1]]
    shown = ", ".join(str(index) for index in ends)
    return tuple(indices), [f"{wanted} of the depth's {available} frames are used: {shown}"]
