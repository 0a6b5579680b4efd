"""What a run would do, for `--dry-run`: sizes, steps, memory and time."""

from pathlib import Path

from makeyourvideo.cost import estimate_memory
from makeyourvideo.job import Job, on_processor
from makeyourvideo.making import is_watched
from makeyourvideo.memory import LAVISH, Thrift, size_text
from makeyourvideo.planning import Plan
from makeyourvideo.run import check_outputs
from makeyourvideo.settings import SOURCES, Settings
from makeyourvideo.timing import estimate_seconds, process_age


def describe(job: Job, output: Path, force: bool, preview: bool) -> None:
    """Print the plan of a run and an estimate of its cost."""
    plan, framing, settings = job.plan, job.plan.framing, job.settings
    memory, seconds = _cost(job)
    files = check_outputs(output, force, preview, streamed=bool(plan.windows), watched=is_watched(job))
    shape = f"{job.depth.num_frames} frames of {job.depth.height}x{job.depth.width}"
    facts = {
        "model": job.model_folder,
        "depth": f"{source_of(settings)}, {shape}",
        "video": f"{plan.num_frames} frames of {framing.height}x{framing.width} at {job.fps:g} a second",
        "network": f"works at {framing.padded_height}x{framing.padded_width}",
        "sampling": f"{settings.scheduler}, {plan.num_inference_steps} steps, {plan.evaluations} evaluations",
        "computing": _computing(settings),
        "windows": _windows(plan),
        "guidance": _guidance(plan),
        "sketch": _sketch(job),
        "refiner": _refiner(job),
        "depth range": f"over each {plan.depth_normalization}"
        if plan.depth_normalization == "frame"
        else "over the clip",
        "depth strength": f"{plan.depth_strength:g}",
        "memory": memory,
        "limit": "none" if settings.memory_limit is None else size_text(settings.memory_limit),
        "saving": _thrift_text(job.thrift, job.skeleton.is_tiled(framing)),
        "time": seconds,
        "files": ", ".join(map(str, files.values())),
    }
    for name, fact in facts.items():
        print(f"{name:>14}  {fact}")


def _cost(job: Job) -> tuple[str, str]:
    """Memory and time in words."""
    if not on_processor(job.settings):
        return ("not estimated: only for runs on the processor that are not compiled",) * 2
    begun = process_age()
    memory = estimate_memory(
        job.skeleton, job.plan, job.depth, job.model_folder, job.thrift, job.memory_in_use
    )
    return (
        f"about {size_text(memory.peak)} ({size_text(memory.weights)} of it weights), estimated",
        f"about {_duration(estimate_seconds(job, begun))} on {job.settings.threads} threads, estimated",
    )


def _guidance(plan: Plan) -> str:
    if not plan.guided:
        return "none"
    passes = len(plan.windows) or 1
    guided, asked = (passes * sum(branches >= least for branches in plan.branches) for least in (2, 1))
    scale = f"scale {plan.guidance_scale:g}"
    if guided == asked:
        return scale
    return f"{scale} at {guided} of {asked} evaluations; the others take half the time"


def _computing(settings: Settings) -> str:
    return f"on {settings.device} in {settings.precision}" + (", compiled" if settings.compiled else "")


def _sketch(job: Job) -> str:
    if job.skeleton.sketcher is None:
        return "the model has none"
    if not job.plan.sketch_share:
        return "left out"
    answered = job.plan.branches.count(0) * (len(job.plan.windows) or 1)
    return f"stands for {answered} of {job.plan.evaluations} evaluations"


def _refiner(job: Job) -> str:
    if job.plan.is_sketch:
        return "left out: the frames are the sketch"
    if job.plan.refine and job.plan.is_led:
        return "left out: the sketch sharpens the frames"
    if job.skeleton.refiner is None:
        return "the model has none"
    return "sharpens the frames" if job.plan.refine else "left out"


def _windows(plan: Plan) -> str:
    if not plan.windows:
        return "none, all frames at once"
    most = max(len(window.seen) for window in plan.windows)
    return f"{len(plan.windows)} of {len(plan.windows[0].made)} frames, up to {most} at once"


def _thrift_text(thrift: Thrift, is_tiled: bool) -> str:
    if thrift == LAVISH:
        return "nothing"
    said = {
        f"layers in slices of {(thrift.slice_bytes or 0) / 2**20:g} MB": thrift.slice_bytes is not None,
        "branches of guidance apart": thrift.clips_apart,
        "single frames decoded": thrift.decoded_frames == 1,
        "freed memory handed back at once": thrift.hands_back,
        "in tiles": is_tiled,
    }
    return ", ".join(text for text, is_so in said.items() if is_so)


def source_of(settings: Settings) -> str:
    """Name what the structure comes from."""
    source = next(name for name in SOURCES if getattr(settings, name))
    return "keyframes" if source == "keyframes" else str(getattr(settings, source))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
