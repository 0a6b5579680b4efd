"""One run from settings to files: what `generate`, `replay` and `demo` share, as events to be consumed."""

import json
import platform
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from makeyourvideo.errors import naming_files, unreadable_unless
from makeyourvideo.manifest import Manifest, current_versions, fingerprint
from makeyourvideo.media import check_video_path, write_image, write_video
from makeyourvideo.model_folder import unknown_words
from makeyourvideo.outputs import check_free, written_together
from makeyourvideo.pictures import strip
from makeyourvideo.pipeline import BUNDLED_MODEL, MakeYourVideoPipeline
from makeyourvideo.pipeline_output import to_uint8
from makeyourvideo.planning import Plan
from makeyourvideo.sampling import SamplingStep
from makeyourvideo.sampling.schedulers import scheduler_class, takes_eta
from makeyourvideo.settings import Settings, anchored, parse_settings
from makeyourvideo.sources import read_mask, read_structure
from makeyourvideo.structure.depth import DepthVideo

BUNDLED_EXAMPLES = Path(__file__).parent / "bundled" / "examples"


@dataclass(frozen=True)
class Stage:
    """A part of the run begins: "loading the model", "sampling", "decoding" or "writing"."""

    name: str


@dataclass(frozen=True)
class Finished:
    """The run is over and its files are in place."""

    manifest: Manifest
    video: Path
    manifest_file: Path
    strip: Path
    preview: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that was written."""
        written = (self.video, self.manifest_file, self.strip, self.preview)
        return tuple(path for path in written if path is not None)


Event = Stage | SamplingStep | Finished


@dataclass(frozen=True)
class Job:
    """Settings whose inputs have been read and checked; nothing heavy is loaded yet.

    Attributes:
        settings: with every number filled in and absolute paths.
        depth: the clip as read.
        plan: what the pipeline will do.
        skeleton: the pipeline without weights.
        warnings: what was odd about the inputs, a sentence each.
    """

    settings: Settings
    depth: DepthVideo
    plan: Plan
    skeleton: MakeYourVideoPipeline
    warnings: tuple[str, ...]

    @property
    def model_folder(self) -> Path:
        """Where the weights are."""
        return self.settings.model or BUNDLED_MODEL

    @property
    def fps(self) -> float:
        """Frames a second of the written video."""
        return self.settings.fps or self.skeleton.config.fps


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
        pipe = MakeYourVideoPipeline.without_weights(settings.model or BUNDLED_MODEL)
        _swap_scheduler(pipe, settings)
        fps = settings.fps or pipe.config.fps
        size = (pipe.config.height, pipe.config.width)
        depth, notes = read_structure(
            settings, fps=fps, num_frames=pipe.config.num_frames, size=size, estimate=estimate
        )
        mask = read_mask(settings, settings.num_frames or min(pipe.config.num_frames, depth.num_frames))
        options = settings.model_copy(update={"frame_stride": None}) if settings.video else settings
        source = settings.depth or settings.video or settings.scene
        with naming_files({"num_frames": source, "depth_mask": settings.depth_mask}):
            plan = pipe.plan(settings.prompt, depth, settings.negative_prompt, options, mask)
        plan = replace(plan, notes=(*notes, *plan.notes))
        pipe.condition(plan, depth)  # refuses depth that is constant where it is used
    scheduler = type(pipe.scheduler).__name__
    filled_in: dict[str, Any] = {
        "num_frames": plan.num_frames,
        "height": plan.framing.height,
        "width": plan.framing.width,
        "num_inference_steps": plan.num_inference_steps,
        "guidance_scale": plan.guidance_scale,
        "eta": plan.eta if takes_eta(scheduler) else None,
        "depth_normalization": plan.depth_normalization,
        "scheduler": scheduler,
        "fps": fps,
        "threads": settings.threads or torch.get_num_threads(),
    }
    seen = tuple(dict.fromkeys(str(warning.message) for warning in caught))
    return Job(anchored(settings, Path()).model_copy(update=filled_in), depth, plan, pipe, seen)


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


def run(
    job: Job,
    output: Path,
    *,
    force: bool = False,
    preview: bool = False,
    pipe: MakeYourVideoPipeline | None = None,
) -> Iterator[Event]:
    """Make the video, its manifest and its strip; all of them appear at the end, or none does.

    Args:
        job: from `prepare`.
        output: the video; the manifest and the strip stand beside it as .json and .png.
        force: whether existing results may be replaced.
        preview: whether to write the depth as the network sees it, too, as NAME.depth.mp4.
        pipe: the job's model, where it is loaded already.

    Yields:
        a `Stage` when it begins, a `SamplingStep` for each evaluation, and `Finished` at the end.

    Raises:
        InputError: an output exists, the model's weights do not fit, or the disk is full.
    """
    files = check_outputs(output, force, preview)
    clock = _Clock()
    threads_before = torch.get_num_threads()
    torch.set_num_threads(job.settings.threads or threads_before)
    try:
        yield clock.begins("loading the model")
        inputs = {"model": job.model_folder} | job.settings.inputs
        inputs_sha256 = {name: fingerprint(path) for name, path in inputs.items()}
        if pipe is None:
            pipe = MakeYourVideoPipeline.from_pretrained(job.model_folder, depth_estimator=None)
        _swap_scheduler(pipe, job.settings)
        yield clock.begins("sampling")
        generator = torch.Generator().manual_seed(job.settings.seed)
        for event in pipe.denoise([job.plan], [job.depth], [generator]):
            yield event
        yield clock.begins("decoding")
        (frames,) = to_uint8(pipe.decode_latents(event.latents, job.plan.framing))
    finally:
        torch.set_num_threads(threads_before)
    yield clock.begins("writing")
    with written_together(files, force) as (video, manifest_file, strip_file, *previews):
        write_video(video, frames, job.fps)
        write_image(strip_file, _strip(job, frames))
        for path in previews:
            write_video(path, seen_depth(job), job.fps)
        manifest = Manifest(
            settings=job.settings,
            inputs_sha256=inputs_sha256,
            depth=job.depth.about,
            video=files[0].name,
            strip=files[2].name,
            preview=files[3].name if preview else None,
            video_sha256=fingerprint(video),
            versions=current_versions(),
            processor=processor(),
            created=datetime.now(UTC).replace(microsecond=0),
            seconds=clock.stopped(),
            notes=(*job.warnings, *job.plan.notes),
        )
        manifest_file.write_text(manifest.dumps(home=output.absolute().parent), encoding="utf-8")
    yield Finished(manifest, *files)


def check_outputs(output: Path, force: bool, preview: bool = False) -> tuple[Path, ...]:
    """The video, the manifest, the strip and perhaps the preview of an output; call it before any long work.

    Raises:
        InputError: one of them exists and `force` is false, or the suffix is unknown.
    """
    check_video_path(output, force)
    beside = [output.with_suffix(suffix) for suffix in (".json", ".png")]
    if preview:
        beside.append(output.with_name(f"{output.stem}.depth.mp4"))
    for path in beside:
        check_free(path, force)
    return output, *beside


def seen_depth(job: Job) -> NDArray[np.uint8]:
    """The depth as the network sees it, at its strength, as grey frames `(frames, height, width, 3)`."""
    framing = job.plan.framing
    folded = job.skeleton.condition(job.plan, job.depth).transpose(0, 1)
    values = torch.nn.functional.pixel_shuffle(folded, job.skeleton.unet.config.depth_patch_size)
    size = (framing.padded_height, framing.padded_width)
    shown = torch.nn.functional.interpolate(values, size)[..., : framing.height, : framing.width]
    return to_uint8((shown / 2 + 0.5).clamp(0, 1).expand(-1, 3, -1, -1)[None])[0]


def processor() -> str:
    """What computes here, as far as it decides about the last bits of a result."""
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def _swap_scheduler(pipe: MakeYourVideoPipeline, settings: Settings) -> None:
    if settings.scheduler is not None:
        cls: Any = scheduler_class(settings.scheduler)
        pipe.scheduler = cls.from_config(pipe.scheduler.config)


def _strip(job: Job, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The depth as the network was shown it, over the output."""
    used = job.depth.selected(job.plan.frame_indices)
    shown = job.plan.framing.crop_to_result(used)
    return strip(DepthVideo.from_inverse_depth(shown, normalization=job.plan.depth_normalization), frames)


class _Clock:
    """Seconds taken by each stage."""

    def __init__(self) -> None:
        self._marks: list[tuple[str, float]] = []

    def begins(self, name: str) -> Stage:
        self._marks.append((name, time.perf_counter()))
        return Stage(name)

    def stopped(self) -> dict[str, float]:
        ends = [start for _, start in self._marks[1:]] + [time.perf_counter()]
        return {name: round(end - start, 3) for (name, start), end in zip(self._marks, ends, strict=True)}
