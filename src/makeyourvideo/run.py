"""One run from settings to files: what `generate`, `replay` and `demo` share, as events to be consumed."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from makeyourvideo.job import Job
from makeyourvideo.kept_work import KeptWork
from makeyourvideo.making import (
    Clock,
    Made,
    Resumed,
    Stage,
    is_watched,
    make_at_once,
    make_in_windows,
    shown_frames,
)
from makeyourvideo.manifest import Manifest, current_versions, fingerprint
from makeyourvideo.media import Frames, check_video_path, write_image, write_video
from makeyourvideo.memory import treat_freed_memory
from makeyourvideo.outputs import check_free, one_line_if_full, written_together
from makeyourvideo.pictures import drawn_values, strip
from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.pipeline_output import to_uint8
from makeyourvideo.planning import is_streamed
from makeyourvideo.sampling import SamplingStep, WindowDone
from makeyourvideo.settings import Settings

_PREVIEW_PIECE = 32


@dataclass(frozen=True)
class Finished:
    """The run is over and its files are in place."""

    manifest: Manifest
    video: Path
    manifest_file: Path
    strip: Path
    preview: Path | None = None
    latents: Path | None = None
    drift: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that was written."""
        written = (self.video, self.manifest_file, self.strip, self.preview, self.latents, self.drift)
        return tuple(path for path in written if path is not None)


Event = Stage | Resumed | SamplingStep | WindowDone | Finished


def run(
    job: Job,
    output: Path,
    *,
    force: bool = False,
    preview: bool = False,
    pipe: MakeYourVideoPipeline | None = None,
    earlier: Path | None = None,
) -> Iterator[Event]:
    """Make the video, its manifest and its strip; all of them appear at the end, or none does.

    What is computed on the way is kept in a hidden folder beside the output (`KeptWork`). After a stop of any
    kind the same run goes on from there, with the same bits; at the end the folder is removed.

    Args:
        job: from `prepare`.
        output: the video; the manifest and the strip stand beside it as .json and .png, and a streamed
            video's latents in a folder NAME.latents, from which its windows can be made again. How a video
            longer than the clips of the training holds is plotted as NAME.drift.png, if matplotlib is there.
        force: whether existing results may be replaced.
        preview: whether to write the depth as the network sees it, too, as NAME.depth.mp4.
        pipe: the job's model, where it is loaded already.
        earlier: the latents of the video whose last redone window is to be made, and no other.

    Yields:
        a `Stage` when it begins, `Resumed` if it goes on from an earlier run, a `SamplingStep` for each
        evaluation, a `WindowDone` for each window, and `Finished` at the end.

    Raises:
        InputError: an output exists, the model's weights do not fit, or the disk is full.
    """
    files = check_outputs(output, force, preview, bool(job.plan.windows), is_watched(job))
    clock = Clock()
    with _threads(job.settings.threads):
        yield clock.begins("loading the model")
        inputs_sha256 = _inputs_sha256(job)
        kept = KeptWork(output, _what_decides(job, inputs_sha256, earlier), len(job.plan.windows))
        rung = kept.as_it_began("memory_rung", job.settings.memory_rung)
        job = replace(job, settings=job.settings.model_copy(update={"memory_rung": rung}))
        treat_freed_memory(job.thrift.hands_back)
        if pipe is None:
            pipe = _load(job)
        pipe.save_memory(job.thrift)
        with one_line_if_full(output):
            if job.plan.windows:
                made = yield from make_in_windows(pipe, job, kept, clock, earlier)
            else:
                made = yield from make_at_once(pipe, job, kept, clock)
    yield clock.begins("writing")
    with written_together(list(files.values()), force) as partials:
        places = dict(zip(files, partials, strict=True))
        _write(job, made, places)
        manifest = Manifest(
            settings=job.settings,
            inputs_sha256=inputs_sha256,
            depth=job.depth.about,
            video=files["video"].name,
            strip=files["strip"].name,
            preview=files["preview"].name if preview else None,
            latents=files["latents"].name if made.latents else None,
            drift=made.drift.summary() if made.drift else None,
            video_sha256=fingerprint(places["video"]),
            latents_sha256=fingerprint(made.latents) if made.latents else None,
            versions=current_versions(),
            processor=processor(job.settings.device),
            created=datetime.now(UTC).replace(microsecond=0),
            seconds=clock.stopped(),
            notes=(*job.warnings, *job.plan.notes),
        )
        home = output.absolute().parent
        places["manifest_file"].write_text(manifest.dumps(home), encoding="utf-8")
        if made.latents:  # last: until then a stop leaves them where the same run looks for them
            made.latents.rename(places["latents"])
    kept.remove()
    yield Finished(manifest, **files)


def _load(job: Job) -> MakeYourVideoPipeline:
    pipe = MakeYourVideoPipeline.from_pretrained(job.model_folder, depth_estimator=None, dtype=job.dtype)
    pipe.to(job.settings.device)
    if job.settings.compiled:
        pipe.unet.compile()
    return pipe


def _write(job: Job, made: Made, places: dict[str, Path]) -> None:
    if isinstance(made.video, Path):
        made.video.rename(places["video"])
    else:
        write_video(places["video"], made.video, job.fps)
    write_image(places["strip"], _strip(job, made.shown))
    if "preview" in places:
        write_video(places["preview"], seen_depth(job), job.fps)
    if made.drift is not None and "drift" in places:
        from makeyourvideo.drift.plot import plot_drift

        plot_drift(places["drift"], made.drift)


def _inputs_sha256(job: Job) -> dict[str, str]:
    inputs = {"model": job.model_folder} | job.settings.inputs
    return {name: fingerprint(path) for name, path in inputs.items()}


def _what_decides(job: Job, inputs_sha256: dict[str, str], earlier: Path | None) -> dict[str, Any]:
    # the rung depends on what else the process happens to hold: a run goes on with the one it began with
    return {
        "settings": job.settings.model_dump(mode="json", exclude={"memory_rung"}),
        "inputs": inputs_sha256,
        "earlier": earlier and fingerprint(earlier),
        "versions": current_versions(),
        "processor": processor(job.settings.device),
    }


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(wanted or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_outputs(
    output: Path, force: bool, preview: bool = False, streamed: bool = False, watched: bool = False
) -> dict[str, Path]:
    """Everything that a run writes, by what it is in `Finished`; call it before any long work.

    Raises:
        InputError: one of them exists and `force` is false, or the suffix is unknown.
    """
    check_video_path(output, force)
    files = {
        "video": output,
        "manifest_file": output.with_suffix(".json"),
        "strip": output.with_suffix(".png"),
    }
    if preview:
        files["preview"] = output.with_name(f"{output.stem}.depth.mp4")
    if streamed:
        files["latents"] = output.with_name(f"{output.stem}.latents")
    if watched and find_spec("matplotlib"):
        files["drift"] = output.with_name(f"{output.stem}.drift.png")
    for path in list(files.values())[1:]:
        check_free(path, force)
    return files


def check_early(settings: Settings, output: Path, force: bool, preview: bool = False) -> None:
    """`check_outputs` before the depth is read, which may take long.

    Raises:
        InputError: as `check_outputs`.
    """
    streamed = is_streamed(settings, settings.num_frames or 0)
    check_outputs(output, force, preview, streamed, watched=settings.num_frames is not None)


def seen_depth(job: Job) -> Iterator[Frames]:
    """The depth as the network sees it, at its strength: grey pieces `(frames, height, width, 3)`."""
    framing = job.plan.framing
    size = (framing.padded_height, framing.padded_width)
    for start in range(0, job.plan.num_frames, _PREVIEW_PIECE):
        frames = range(start, min(start + _PREVIEW_PIECE, job.plan.num_frames))
        values = job.skeleton.unfolded(job.skeleton.condition(job.plan, job.depth, frames)[None])
        shown = torch.nn.functional.interpolate(values, size)[..., : framing.height, : framing.width]
        yield to_uint8((shown / 2 + 0.5).clamp(0, 1).expand(-1, 3, -1, -1)[None])[0]


def processor(device: str) -> str:
    """What computes here, as far as it decides about the last bits of a result."""
    if torch.device(device).type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def _strip(job: Job, shown: Frames) -> Frames:
    """The depth as the network was shown it, over the output; of both the same few frames."""
    indices = [job.plan.frame_indices[frame] for frame in shown_frames(job)]
    inverse = job.plan.framing.crop_to_result(job.depth.inverse_at(indices), job.depth.units)
    return strip(drawn_values(job.plan.normalized(inverse)), shown)
