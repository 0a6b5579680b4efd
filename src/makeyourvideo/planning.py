"""What a run does, settled before anything is computed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.framing import Framing
from makeyourvideo.presets import TimestepSpacing
from makeyourvideo.sampling.guidance import Interval, is_guided
from makeyourvideo.sampling.schedulers import create_sampler, takes_eta, takes_spacing
from makeyourvideo.sampling.sketching import is_sketched
from makeyourvideo.sampling.windows import Window, cut_windows
from makeyourvideo.settings import Options
from makeyourvideo.structure.depth import DepthClip, Normalization, constant_depth, normalize, pick_frames

Mask = NDArray[np.float32]
Floats = NDArray[np.float32]

STREAM_ABOVE = 128
"""More frames than this are made in windows, unless it is asked for otherwise."""

WINDOW = 32
"""New frames of a window, unless it is asked for otherwise."""

LED = 0.8
"""From this share of the schedule on the sketch leads nearly to the end."""


@dataclass(frozen=True)
class Plan:
    """One sample's run, every number filled in.

    Attributes:
        prompt, negative_prompt: the text of the two branches.
        framing: the sizes.
        frame_indices: which frames of the depth are used, one for each frame of the result.
        depth_normalization, depth_strength, scheduler, num_inference_steps, timestep_spacing, guidance_scale,
            guidance_interval, eta, sketch_share, refine, antialias: as in `Options`.
        depth_mask: strength over time and space `(num_frames, height, width)` of the depth as given, or none.
        depth_range: least and greatest inverse depth of what the network is shown of the whole clip; none
            where every frame has its own.
        windows: the windows of a streamed run, in order; none where all frames are made at once.
        branches: how many branches each evaluation of a pass, or of a window, takes: 2 with guidance, 0 where
            the sketch answers, else 1.
        notes: what differs from the plain case, a sentence each.
    """

    prompt: str
    negative_prompt: str
    framing: Framing
    frame_indices: tuple[int, ...]
    depth_normalization: Normalization
    depth_strength: float
    depth_mask: Mask | None = field(compare=False)
    scheduler: str
    num_inference_steps: int
    timestep_spacing: TimestepSpacing | None
    guidance_scale: float
    guidance_interval: Interval
    eta: float
    sketch_share: float
    refine: bool
    antialias: bool
    depth_range: tuple[float, float] | None
    windows: tuple[Window, ...]
    branches: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def num_frames(self) -> int:
        """Frames of the result."""
        return len(self.frame_indices)

    @property
    def is_led(self) -> bool:
        """Whether the sketch stands for so much of the schedule that frames come out like it."""
        return self.sketch_share >= LED

    @property
    def is_sketch(self) -> bool:
        """Whether frames are the sketch's: the network is never asked, and detail is the sketch's anyway."""
        return self.refine and self.is_led and not self.branch_evaluations

    @property
    def as_decoded(self) -> "Plan":
        """The same as far as networks decode: none of them refines what takes its detail from the sketch."""
        return replace(self, refine=self.refine and not self.is_led)

    @property
    def guided(self) -> bool:
        """Whether there is an unconditional branch anywhere on the way."""
        return 2 in self.branches

    @property
    def evaluations(self) -> int:
        """How often the solver asks, in all windows."""
        return len(self.branches) * (len(self.windows) or 1)

    @property
    def branch_evaluations(self) -> int:
        """How many branches of the network that takes; the work grows with these."""
        return sum(self.branches) * (len(self.windows) or 1)

    def normalized(self, inverse: Floats) -> Floats:
        """Inverse depth `(frames, h, w)` of any of its frames to [-1, 1], in the range of the whole clip."""
        if self.depth_range is None:
            low, high = (inverse.min((1, 2)).astype(np.float64), inverse.max((1, 2)).astype(np.float64))
        else:
            low, high = (np.full(len(inverse), end) for end in self.depth_range)
        return normalize(inverse, low, high)


def plan_frames(depth: DepthClip, options: Options, trained_frames: int) -> tuple[tuple[int, ...], list[str]]:
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


def plan_sampling(
    options: Options,
    own: Mapping[str, Any],
    scheduler: Any,
    can_sketch: bool = False,
    can_refine: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """What of a `Plan` is about scheduler, guidance and sharpening, and what there is to say about it.

    Args:
        options: what is asked for.
        own: the defaults of the model.
        scheduler: the model's.
        can_sketch: whether there is a sketch of what is asked for.
        can_refine: whether the model has a refiner.

    Raises:
        InputError: the scheduler cannot be used, or not with so many steps.
    """
    asked, trained = options.with_preset(), scheduler.config.num_train_timesteps
    steps, guidance_scale, eta, interval, share = (
        own[name] if getattr(asked, name) is None else getattr(asked, name)
        for name in ("num_inference_steps", "guidance_scale", "eta", "guidance_interval", "sketch_share")
    )
    share = share if can_sketch else 0.0
    name = asked.scheduler or type(scheduler).__name__
    timesteps = create_sampler(name, scheduler.config, steps, asked.timestep_spacing).asked_timesteps()
    is_inside = [is_guided(timestep, tuple(interval), trained) for timestep in timesteps]
    is_answered = [is_sketched(timestep, share, trained) for timestep in timesteps]
    is_used = guidance_scale > 1  # below, the unconditional branch would change nothing or the wrong way
    branches = tuple(
        0 if answered else 1 + (is_used and inside)
        for answered, inside in zip(is_answered, is_inside, strict=True)
    )
    # detail from the sketch costs next to nothing: presets that are quick leave a network out, not that
    is_led = share >= LED
    refine = options.refine is not False and (is_led or (can_refine and asked.refine is not False))
    where = "from {:g} to {:g} of the schedule".format(*interval)
    notes = []
    if options.quality is not None:
        guidance = f"guided {where}" if 2 in branches else "not guided"
        refined = "" if refine else ", not refined"
        begun = f"sketched up to {share:g} of the schedule, " if share else ""
        smoothed = ", patterns not averaged" if share and asked.antialias is False else ""
        notes.append(
            f"{options.quality} quality: {name}, {steps} steps, {begun}{guidance}{refined}{smoothed}"
        )
    if options.refine and not refine:
        notes.append("frames are not refined, because the model has no refiner")
    given = {"eta": takes_eta, "timestep_spacing": takes_spacing}
    for setting, is_taken in given.items():
        if getattr(options, setting) is not None and not is_taken(name):
            notes.append(f"{setting} has no effect, because {name} has no such setting")
    if options.guidance_interval is not None and not is_used:
        notes.append("the guidance interval has no effect at a guidance scale of 1 or less")
    if is_used and not any(is_inside):
        notes.append(f"nothing is guided, because no step lies {where}")
    elif is_used and 2 not in branches and (options.guidance_scale or options.guidance_interval):
        notes.append(f"nothing is guided, because all steps {where} are sketched")
    sampling = {
        "scheduler": name,
        "num_inference_steps": steps,
        "timestep_spacing": asked.timestep_spacing if takes_spacing(name) else None,
        "guidance_scale": guidance_scale,
        "guidance_interval": tuple(interval),
        "eta": eta,
        "sketch_share": share,
        "refine": refine,
        "antialias": asked.antialias is not False,
        "branches": branches,
    }
    return sampling, notes


def is_streamed(options: Options, num_frames: int) -> bool:
    """Whether a video of so many frames is made in windows: as asked, or by its length."""
    if options.stream is not None:
        return options.stream
    return options.window is not None or num_frames > STREAM_ABOVE


def plan_windows(
    options: Options, num_frames: int, causal_window: int
) -> tuple[tuple[Window, ...], list[str]]:
    """The windows of a run, if it has any, and what there is to say about them."""
    if not is_streamed(options, num_frames):
        return (), []
    window = options.window or WINDOW
    context = causal_window if options.context is None else options.context
    windows = tuple(cut_windows(num_frames, window, context, options.lookahead))
    is_asked = options.stream or options.window
    why = "" if is_asked else f", because there are more than {STREAM_ABOVE}"
    said = (
        f"made in {len(windows)} windows of {window} frames{why}: "
        f"each sees {context} finished frames before it and {options.lookahead} after it"
    )
    return windows, [said]


def measure_range(
    depth: DepthClip, frame_indices: Sequence[int], place: Callable[[Floats], Floats], over: Normalization
) -> tuple[float, float] | None:
    """Least and greatest of what is used of a clip, a frame in memory at a time; None if each has its own.

    Args:
        depth: the clip.
        frame_indices: which of its frames are used.
        place: what the network is shown of inverse depth `(1, height, width)`.
        over: whether the range is the clip's or each frame's.

    Raises:
        InputError: the depth is constant over what the range is taken over.
    """
    low, high = np.inf, -np.inf
    for index in dict.fromkeys(frame_indices):
        placed = place(depth.inverse_at([index]))
        lowest, highest = float(placed.min()), float(placed.max())
        if over == "frame" and lowest == highest:
            raise constant_depth(depth.source, lowest, index)
        low, high = min(low, lowest), max(high, highest)
    if low == high:
        raise constant_depth(depth.source, low, None)
    return (low, high) if over == "clip" else None


def plan_mask(mask: Mask, depth: DepthClip, frame_indices: Sequence[int]) -> Mask:
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
        mask = np.broadcast_to(mask, (len(frame_indices), height, width))
    elif len(mask) == depth.num_frames:
        mask = mask[list(frame_indices)]
    elif len(mask) != len(frame_indices):
        wanted = f"1, {len(frame_indices)} or {depth.num_frames} frames"
        raise InputError("depth_mask", wanted, str(len(mask)))
    return mask.astype(np.float32, copy=False)
