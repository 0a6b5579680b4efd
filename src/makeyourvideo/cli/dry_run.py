"""What a run would do, for `--dry-run`: sizes, steps, memory and time, without loading weights."""

import resource
from pathlib import Path

import torch

from makeyourvideo.cost import estimate_cost, measured_flops_per_second
from makeyourvideo.job import Job
from makeyourvideo.making import is_watched
from makeyourvideo.planning import Plan
from makeyourvideo.run import check_outputs
from makeyourvideo.settings import SOURCES, Settings


def describe(job: Job, output: Path, force: bool) -> None:
    """Print the plan of a run and an estimate of its cost."""
    plan, framing, settings = job.plan, job.plan.framing, job.settings
    cost = estimate_cost(job.skeleton, plan, job.depth)
    torch.set_num_threads(settings.threads or torch.get_num_threads())
    seconds = cost.seconds(measured_flops_per_second())
    in_use = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    files = check_outputs(output, force, streamed=bool(plan.windows), watched=is_watched(job))
    shape = f"{job.depth.num_frames} frames of {job.depth.height}x{job.depth.width}"
    facts = {
        "model": job.model_folder,
        "depth": f"{source_of(settings)}, {shape}",
        "video": f"{plan.num_frames} frames of {framing.height}x{framing.width} at {job.fps:g} a second",
        "network": f"works at {framing.padded_height}x{framing.padded_width}",
        "sampling": f"{settings.scheduler}, {plan.num_inference_steps} steps, {plan.evaluations} evaluations",
        "windows": _windows(plan),
        "guidance": _guidance(plan),
        "depth range": f"over each {plan.depth_normalization}"
        if plan.depth_normalization == "frame"
        else "over the clip",
        "depth strength": f"{plan.depth_strength:g}",
        "memory": f"about {_size(in_use + cost.weight_bytes + cost.activation_bytes)} "
        f"({_size(cost.weight_bytes)} of it weights), estimated",
        "time": f"about {_duration(seconds)} on {settings.threads} threads, estimated",
        "files": ", ".join(map(str, files.values())),
    }
    for name, fact in facts.items():
        print(f"{name:>14}  {fact}")


def _guidance(plan: Plan) -> str:
    if not plan.guided:
        return "none"
    guided, evaluations = plan.branch_evaluations - plan.evaluations, plan.evaluations
    scale = f"scale {plan.guidance_scale:g}"
    if guided == evaluations:
        return scale
    return f"{scale} at {guided} of {evaluations} evaluations; the others take half the time"


def _windows(plan: Plan) -> str:
    if not plan.windows:
        return "none, all frames at once"
    most = max(len(window.seen) for window in plan.windows)
    return f"{len(plan.windows)} of {len(plan.windows[0].made)} frames, up to {most} at once"


def source_of(settings: Settings) -> str:
    """Name what the structure comes from."""
    source = next(name for name in SOURCES if getattr(settings, name))
    return "keyframes" if source == "keyframes" else str(getattr(settings, source))


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
