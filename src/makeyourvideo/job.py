"""Settings -> a job: the depth read, the model looked at, everything settled that can be."""

import json
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from makeyourvideo.cost import choose_rung
from makeyourvideo.errors import InputError, naming_files, unreadable_unless
from makeyourvideo.memory import LADDER, LAVISH, Thrift, resident_bytes
from makeyourvideo.model_folder import unknown_words
from makeyourvideo.pipeline import BUNDLED_MODEL, MakeYourVideoPipeline
from makeyourvideo.planning import WINDOW, Plan, is_streamed
from makeyourvideo.sampling.schedulers import scheduler_class, takes_eta
from makeyourvideo.settings import Settings, anchored, parse_settings
from makeyourvideo.sources import read_mask, read_structure
from makeyourvideo.structure.depth import DepthClip

BUNDLED_EXAMPLES = Path(__file__).parent / "bundled" / "examples"


@dataclass(frozen=True)
class Job:
    """Settings whose inputs have been read and checked; nothing heavy is loaded yet.

    Attributes:
        settings: with every number filled in and absolute paths.
        depth: the clip as read.
        plan: what the pipeline will do.
        skeleton: the pipeline without weights.
        warnings: what was odd about the inputs, a sentence each.
        memory_in_use: what this process held when the job was settled.
        scratch: where the depth of a streamed run lies; it is gone when the job is.
    """

    settings: Settings
    depth: DepthClip
    plan: Plan
    skeleton: MakeYourVideoPipeline
    warnings: tuple[str, ...]
    memory_in_use: int = 0
    scratch: TemporaryDirectory[str] | None = field(default=None, compare=False, repr=False)

    @property
    def model_folder(self) -> Path:
        """Where the weights are."""
        return self.settings.model or BUNDLED_MODEL

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return dtype_of(self.settings)

    @property
    def thrift(self) -> Thrift:
        """What is done to hold less at once."""
        return LAVISH if self.settings.memory_rung is None else LADDER[self.settings.memory_rung]

    @property
    def fps(self) -> float:
        """Frames a second of the written video."""
        return self.settings.fps or self.skeleton.config.fps


def dtype_of(settings: Settings) -> torch.dtype:
    """The precision as PyTorch has it."""
    dtype: torch.dtype = getattr(torch, settings.precision)
    return dtype


def prepare(settings: Settings, *, estimate: bool = True) -> Job:
    """Read the depth, look at the model's configs, and settle everything that can be settled.

    Args:
        settings: what is asked for.
        estimate: False leaves out the depth of a video, which takes a network's weights; such a job tells
            what would happen, and is not to be run.

    Raises:
        InputError: anything about the settings, the depth or the model folder that would stop the run.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        _tell_unknown_words(settings)
        _check_device(settings)
        pipe = MakeYourVideoPipeline.without_weights(settings.model or BUNDLED_MODEL, dtype_of(settings))
        if settings.scheduler is not None:
            scheduler_class(settings.scheduler)  # refuses others before depth is read, which may take long
        fps = settings.fps or pipe.config.fps
        size = (pipe.config.height, pipe.config.width)
        frames = settings.num_frames or pipe.config.num_frames
        scratch = TemporaryDirectory(prefix="makeyourvideo.") if is_streamed(settings, frames) else None
        depth, notes = read_structure(
            settings,
            fps=fps,
            num_frames=pipe.config.num_frames,
            size=size,
            estimate=estimate,
            scratch=None if scratch is None else Path(scratch.name),
        )
        mask = read_mask(settings, settings.num_frames or min(pipe.config.num_frames, depth.num_frames))
        options = settings.model_copy(update={"frame_stride": None}) if settings.video else settings
        source = settings.depth or settings.video or settings.scene
        with naming_files({"num_frames": source, "depth_mask": settings.depth_mask}):
            plan = pipe.plan(settings.prompt, depth, settings.negative_prompt, options, mask)
        rung, memory_notes = _memory_rung(settings, pipe, plan, depth)
        plan = replace(plan, notes=(*notes, *plan.notes, *memory_notes))
    filled_in: dict[str, Any] = {
        "num_frames": plan.num_frames,
        "height": plan.framing.height,
        "width": plan.framing.width,
        "quality": None,  # its numbers stand here in its place: presets may change
        "scheduler": plan.scheduler,
        "num_inference_steps": plan.num_inference_steps,
        "timestep_spacing": plan.timestep_spacing,
        "guidance_scale": plan.guidance_scale,
        "guidance_interval": plan.guidance_interval,
        "eta": plan.eta if takes_eta(plan.scheduler) else None,
        "sketch_share": plan.sketch_share,
        "refine": plan.refine,
        "antialias": plan.antialias,
        "depth_normalization": plan.depth_normalization,
        "stream": bool(plan.windows),
        "window": (settings.window or WINDOW) if plan.windows else None,
        "context": pipe.unet.config.causal_window if settings.context is None else settings.context,
        "fps": fps,
        "threads": settings.threads or torch.get_num_threads(),
        "memory_rung": rung,
    }
    seen = tuple(dict.fromkeys(str(warning.message) for warning in caught))
    filled = anchored(settings, Path()).model_copy(update=filled_in)
    return Job(filled, depth, plan, pipe, seen, resident_bytes(), scratch)


def _check_device(settings: Settings) -> None:
    try:
        torch.zeros(1, device=settings.device).item()
    except (RuntimeError, AssertionError) as error:  # the latter from builds without CUDA
        raise InputError("device", "one that PyTorch can compute on here", settings.device) from error
    if settings.memory_limit is not None and not on_processor(settings):
        found = "one that is compiled" if settings.compiled else f"one on {settings.device}"
        raise InputError("memory_limit", "a run on the processor that is not compiled", found)


def on_processor(settings: Settings) -> bool:
    """Whether a run needs nothing else, so that its cost can be told beforehand."""
    return torch.device(settings.device).type == "cpu" and not settings.compiled


def _memory_rung(
    settings: Settings, skeleton: MakeYourVideoPipeline, plan: Plan, depth: DepthClip
) -> tuple[int | None, list[str]]:
    """How far down the ladder a memory limit, if there is one, takes a run, and what there is to say."""
    rung = settings.memory_rung  # of a video that is made again: the same one, for the same bytes
    if rung is None and settings.memory_limit is not None:
        folder = settings.model or BUNDLED_MODEL
        rung = choose_rung(skeleton, plan, depth, folder, settings.memory_limit)
    skeleton.save_memory(LAVISH if rung is None else LADDER[rung])
    if not skeleton.is_tiled(plan.framing):
        return rung, []
    return rung, ["frames are decoded in tiles for the memory limit's sake, which changes them a little"]


def _tell_unknown_words(settings: Settings) -> None:
    prompt = f"{settings.prompt} {settings.negative_prompt or ''}"
    unknown = unknown_words(settings.model or BUNDLED_MODEL, prompt)
    if unknown:
        named = ", ".join(repr(word) for word in unknown)
        warnings.warn(f"the model was never trained on {named}: it will guess", UserWarning, stacklevel=2)


def example_settings() -> Settings:
    """The settings of the example inside the package."""
    example = BUNDLED_EXAMPLES / "demo.json"
    with unreadable_unless(example, "the bundled example in JSON"):
        return parse_settings(json.loads(example.read_text(encoding="utf-8")), example)
