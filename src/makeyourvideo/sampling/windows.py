"""Any length in constant memory: windows of frames, each sampled among frames that are finished already."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from makeyourvideo.sampling.guidance import Predict
from makeyourvideo.sampling.loop import SamplingStep, sample
from makeyourvideo.sampling.schedulers import Sampler

FADE = 8
"""Frames over which a window that is made again departs from what it was."""


@dataclass(frozen=True)
class Window:
    """A stretch of a video: what is made of it, and what the network sees beside.

    Attributes:
        index: which window it is, from 0.
        start, stop: the frames that are made and kept.
        first, last: the frames that the network sees: those before `start` are finished; those from `stop`
            on are made for the sake of the others and thrown away, because the next window makes them.
    """

    index: int
    start: int
    stop: int
    first: int
    last: int

    @property
    def seen(self) -> range:
        """The frames that the network sees."""
        return range(self.first, self.last)

    @property
    def made(self) -> range:
        """The frames that are made and kept."""
        return range(self.start, self.stop)


def cut_windows(num_frames: int, window: int, context: int, lookahead: int) -> list[Window]:
    """Cut a video into windows of `window` new frames; the last may have fewer.

    Args:
        num_frames: of the video.
        window: frames that each window makes.
        context: finished frames that it sees before them.
        lookahead: frames after them that it sees.
    """
    return [
        Window(
            index,
            start,
            stop := min(start + window, num_frames),
            max(start - context, 0),
            min(stop + lookahead, num_frames),
        )
        for index, start in enumerate(range(0, num_frames, window))
    ]


@dataclass
class WindowDone:
    """A window is finished.

    Attributes:
        window: which one.
        windows: how many there are.
        latents: the frames it made, `(batch, channels, frames, height, width)`.
    """

    window: Window
    windows: int
    latents: Tensor


SampleWindow = Callable[[Window, Tensor | None], Iterator[SamplingStep]]
"""`sample(window, past)`: samples what a window sees, after the path of the finished frames before it."""


def sample_windows(
    windows: Sequence[Window],
    sample: SampleWindow,
    finished: MutableMapping[int, Tensor] | None = None,
    paths: MutableMapping[int, Tensor] | None = None,
) -> Iterator[SamplingStep | WindowDone]:
    """Make the windows that are not finished yet, one after the other.

    The frames before a window are finished, yet the network must see them as noisy as those it works on. So
    their path through the noise, their latents after every evaluation, is carried from window to window and
    held to: nothing is encoded or noised anew, and they look as they did when they were made.

    Args:
        windows: all of a video.
        sample: samples one.
        finished: latents of finished windows by index; each new one is put there. Without it, none is kept.
        paths: the paths at the end of windows by index, `(evaluations, batch, channels, frames, height,
            width)`; only the latest stays there. Whoever hands in `finished` to go on later hands it in, too.

    Raises:
        KeyError: a window is to be made, and the path of the one before it is not there.
    """
    latents = {} if finished is None else finished
    paths = {} if paths is None else paths
    for window, following in zip(windows, [*windows[1:], None], strict=True):
        if window.index not in latents:
            end = window.stop - window.first
            tail = end - (following.start - following.first if following else 0)
            path = []
            for event in sample(window, paths[window.index - 1] if window.index else None):
                event.window, event.windows = window.index, len(windows)
                yield event
                path.append(event.latents[:, :, tail:end].clone())
            if following:
                paths[window.index] = torch.stack(path)
            latents[window.index] = event.latents[:, :, window.start - window.first : end].clone()
            paths.pop(window.index - 1, None)
        yield WindowDone(window, len(windows), latents[window.index])
        if finished is None:
            latents.clear()


def sample_after(
    predict: Predict,
    sampler: Sampler,
    noise: Tensor,
    past: Tensor | None,
    generators: Sequence[torch.Generator],
    eta: float = 0.0,
) -> Iterator[SamplingStep]:
    """Sample a stretch of a video whose first frames go along the path that they went before.

    Args:
        predict, sampler, generators, eta: as for `sample`.
        noise: unit normal noise of all frames `(batch, channels, frames, height, width)`, the first ones'
            that with which they were made.
        past: the latents of the first frames after each evaluation, `(evaluations, batch, channels, frames,
            height, width)`, if there are any.
    """
    for event in sample(predict, sampler, noise, generators, eta):
        if past is not None:
            gone = past[event.step].to(event.latents)
            event.latents = torch.cat([gone, event.latents[:, :, gone.shape[2] :]], dim=2)
        yield event


def known_around(
    window: Window, windows: Sequence[Window], finished: Mapping[int, Tensor]
) -> tuple[Tensor, Tensor]:
    """What is finished of the frames around a window.

    Returns:
        latents `(batch, channels, frames, height, width)` of all that the window sees, zero where they are
        not known, and bool `(frames,)`, where they are.
    """
    is_known = torch.zeros(len(window.seen), dtype=torch.bool)
    known = torch.zeros(1, 1, len(window.seen), 1, 1)
    for other in windows:
        shared = range(max(other.start, window.first), min(other.stop, window.last))
        if shared and other.index != window.index and other.index in finished:
            latents = finished[other.index]
            if not is_known.any():
                batch, channels, _, height, width = latents.shape
                known = latents.new_zeros(batch, channels, len(window.seen), height, width)
            here = slice(shared.start - window.first, shared.stop - window.first)
            known[:, :, here] = latents[:, :, shared.start - other.start : shared.stop - other.start]
            is_known[here] = True
    return known, is_known


def faded_noise(before: Tensor, new: Tensor, is_known: Tensor) -> Tensor:
    """New noise that passes into the old one over `FADE` frames towards the known frames of a clip.

    So what is made anew grows out of what was there, and does not start at a cut. It is unit normal noise.

    Args:
        before, new: noise `(batch, channels, frames, height, width)`.
        is_known: bool `(frames,)`.
    """
    frames = torch.arange(len(is_known))
    distances = (frames[:, None] - frames[is_known]).abs()
    nearest = distances.amin(dim=1) if is_known.any() else frames + FADE
    share = (nearest / FADE).clamp(max=1).to(new).view(-1, 1, 1)
    return share.sqrt() * new + (1 - share).sqrt() * before


def sample_among(
    predict: Predict,
    sampler: Sampler,
    noise: Tensor,
    known: Tensor,
    is_known: Tensor,
    generators: Sequence[torch.Generator],
    eta: float = 0.0,
) -> Iterator[SamplingStep]:
    """Sample some frames of a clip whose others are finished, on either side, and whose paths are forgotten.

    After each step the finished frames are replaced by themselves at the noise level that the step has
    reached (RePaint, arXiv 2201.09865, for frames in place of pixels). That asks only `add_noise` of the
    scheduler, but it is not quite the path that the frames once went: see `sample_windows`.

    Args:
        predict, sampler, noise, generators, eta: as for `sample`.
        known: finished latents, shaped like `noise` where there are any; only those of known frames are
            looked at.
        is_known: bool `(frames,)`.
    """
    timesteps = sampler.scheduler.timesteps
    known, at_known = known.to(noise).expand_as(noise), is_known.to(noise.device).view(-1, 1, 1)
    for event in sample(predict, sampler, noise, generators, eta):
        level = known
        if event.step + 1 < event.total:
            reached = timesteps[event.step + 1].expand(len(known))
            level = sampler.scheduler.add_noise(known, noise, reached)
        event.latents = torch.where(at_known, level, event.latents)
        yield event
