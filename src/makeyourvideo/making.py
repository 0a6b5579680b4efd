"""A job -> its frames, as events: all at once or window by window, going on where an earlier run stopped."""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from makeyourvideo.denoising import DECODED_TOGETHER, Around
from makeyourvideo.drift import LEAST_FRAMES, LEAST_SIDE
from makeyourvideo.job import Job
from makeyourvideo.kept_work import KeptWork, remove
from makeyourvideo.media import Frames, growing_video
from makeyourvideo.pictures import evenly_chosen
from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.pipeline_output import to_uint8
from makeyourvideo.sampling import Predict, SamplingStep, TensorFolder, WindowDone, recorded
from makeyourvideo.sketches import Sketches

if TYPE_CHECKING:
    from makeyourvideo.drift.meter import DriftMeter, DriftReport


@dataclass(frozen=True)
class Stage:
    """A part of the run begins: "loading the model", "sampling", "decoding" or "writing"."""

    name: str


@dataclass(frozen=True)
class Resumed:
    """The run goes on where an earlier one stopped: after `done` of `total` evaluations."""

    done: int
    total: int


@dataclass(frozen=True)
class Made:
    """What there is when all frames are made.

    Attributes:
        video: the frames uint8 `(frames, height, width, 3)`, or the file that they were written to.
        shown: those of the strip.
        latents: the folder with the latents of each window, if there are windows.
        drift: how a video longer than the clips of the training holds.
    """

    video: Frames | Path
    shown: Frames
    latents: Path | None
    drift: "DriftReport | None"


class Clock:
    """Seconds taken by each stage."""

    def __init__(self) -> None:
        self._marks: list[tuple[str, float]] = []

    def begins(self, name: str) -> Stage:
        """Start the clock of a stage."""
        self._marks.append((name, time.perf_counter()))
        return Stage(name)

    def stopped(self) -> dict[str, float]:
        """Stop it; the stages and their seconds."""
        ends = [start for _, start in self._marks[1:]] + [time.perf_counter()]
        return {name: round(end - start, 3) for (name, start), end in zip(self._marks, ends, strict=True)}


Making = Generator[Stage | Resumed | SamplingStep | WindowDone, None, Made]


def shown_frames(job: Job) -> list[int]:
    """Which frames the strip shows."""
    return evenly_chosen(job.plan.num_frames, min(8, job.plan.num_frames))


def make_at_once(pipe: MakeYourVideoPipeline, job: Job, kept: KeptWork, clock: Clock) -> Making:
    """Sample all frames in one pass, then decode them."""
    answers = kept.answers(0, 0)
    if len(answers):
        yield Resumed(len(answers), job.plan.evaluations)
    yield clock.begins("sampling")

    def around(predict: Predict, _window: int) -> Predict:
        return recorded(predict, answers)

    sketches = _sketches(pipe, job)
    for event in pipe.denoise([job.plan], [job.depth], [_seeded(job.settings.seed)], around, sketches):
        yield event
    yield clock.begins("decoding")
    frames = _decoded(pipe, job, event.latents, range(job.plan.num_frames), sketches)
    meter = _meter(job)
    if meter:
        meter.add(frames)
    return Made(frames, frames[shown_frames(job)], None, meter.report() if meter else None)


def make_in_windows(
    pipe: MakeYourVideoPipeline, job: Job, kept: KeptWork, clock: Clock, earlier: Path | None = None
) -> Making:
    """Sample window by window, decoding and writing each as soon as it is final.

    Args:
        pipe: the model.
        job: with windows.
        kept: where everything is kept that a stopped run needs to go on.
        clock: told of the stages.
        earlier: the latents of a video that differs from this in the last redone window alone.
    """
    again = list(enumerate(job.settings.redone, start=1))
    if earlier is not None:
        again = again[-1:]
    first = len(job.plan.windows) if earlier is None else 0
    passes = first + len(again)
    each = job.plan.evaluations // len(job.plan.windows)
    done = kept.evaluations(0, each) if earlier is None else 0
    done += sum(kept.evaluations_again(part, index, each) for part, (index, _) in again)
    if done:
        yield Resumed(done, passes * each)
    yield clock.begins("sampling")
    sketches = _sketches(pipe, job)
    reel = _Reel(pipe, job, sketches)
    remove(kept.video)
    with growing_video(kept.video, job.fps) as put:
        finished = kept.finished(0)
        if earlier is None:
            events = pipe.stream(
                job.plan,
                job.depth,
                _seeded(job.settings.seed),
                finished,
                kept.paths,
                _recording(kept, 0),
                sketches,
            )
            for event in _told(events, kept, 0, passes):
                if isinstance(event, WindowDone) and not job.settings.redone:
                    put(reel.decoded(event.window.made, event.latents))
                yield event
        else:
            finished = TensorFolder(earlier)
        for made, (part, (index, seed)) in enumerate(again, start=first):
            kept.begin_part(part, finished, without=index)
            finished = kept.finished(part)
            if index not in finished:
                events = pipe.redo(
                    job.plan,
                    job.depth,
                    _seeded(job.settings.seed),
                    index,
                    _seeded(seed),
                    finished,
                    _recording(kept, part),
                    sketches,
                )
                yield from _told(events, kept, part, passes, made)
        if again:
            for window in job.plan.windows:
                put(reel.decoded(window.made, finished[window.index]))
    report = reel.meter.report() if reel.meter else None
    return Made(kept.video, np.stack(reel.shown), finished.folder, report)


def is_watched(job: Job) -> bool:
    """Whether a video is longer than what its model was trained on, so that its drift is worth a report."""
    plan, trained = job.plan, job.skeleton.config.num_frames
    side = min(plan.framing.height, plan.framing.width)
    return plan.num_frames > max(trained, LEAST_FRAMES) and side >= LEAST_SIDE


def _meter(job: Job) -> "DriftMeter | None":
    if not is_watched(job):
        return None
    from makeyourvideo.drift.meter import DriftMeter  # with OpenCV, that a short clip needs nowhere

    return DriftMeter(window.start for window in job.plan.windows[1:])


def _recording(kept: KeptWork, part: int) -> Around:
    def around(predict: Predict, window: int) -> Predict:
        return recorded(predict, kept.answers(part, window))

    return around


def _told(
    events: Iterator[SamplingStep | WindowDone],
    kept: KeptWork,
    part: int,
    passes: int,
    made: int | None = None,
) -> Iterator[SamplingStep | WindowDone]:
    """Pass on what is told of the `passes` that a run makes: of a window that is made again, after `made`."""
    for event in events:
        if isinstance(event, SamplingStep):
            event.window, event.windows = event.window if made is None else made, passes
        if isinstance(event, WindowDone):
            kept.forget_answers(part, event.window.index)
        yield event


class _Reel:
    """Decodes windows, watches them for drift, and keeps the frames that the strip shows."""

    def __init__(self, pipe: MakeYourVideoPipeline, job: Job, sketches: Sketches | None) -> None:
        self._pipe, self._job, self._sketches = pipe, job, sketches
        self._wanted = shown_frames(job)
        self.shown: list[NDArray[np.uint8]] = []
        self.meter = _meter(job)

    def decoded(self, frames: range, latents: Tensor) -> Frames:
        decoded = _decoded(self._pipe, self._job, latents.to(self._pipe.device), frames, self._sketches)
        if self.meter:
            self.meter.add(decoded)
        self.shown += [decoded[frame - frames.start].copy() for frame in self._wanted if frame in frames]
        return decoded


def _sketches(pipe: MakeYourVideoPipeline, job: Job) -> Sketches | None:
    return pipe.sketches([job.plan], [job.depth], [_seeded(job.settings.seed)])


def _decoded(
    pipe: MakeYourVideoPipeline, job: Job, latents: Tensor, frames: range, sketches: Sketches | None
) -> Frames:
    def part(first: int) -> Frames:
        some = slice(first, first + DECODED_TOGETHER)
        given = [job.plan], [job.depth], frames[some], sketches
        return to_uint8(pipe.decode_latents(latents[:, :, some], *given))[0]

    return np.concatenate([part(first) for first in range(0, len(frames), DECODED_TOGETHER)])


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
