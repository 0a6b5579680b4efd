"""Windows: what each sees, what is carried between them, what memory holds."""

from collections.abc import Iterator

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from makeyourvideo.sampling import (
    SamplingStep,
    Window,
    WindowDone,
    create_sampler,
    cut_windows,
    faded_noise,
    frames_noise,
    known_around,
    sample,
    sample_after,
    sample_among,
    sample_windows,
    window_generator,
)
from makeyourvideo.sampling.windows import SampleWindow

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numpy's, inside diffusers

SCHEDULE = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False)
SCHEDULERS = [
    "DDIMScheduler",
    "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler",
    "UniPCMultistepScheduler",
]
FRAMES, SHAPE = 23, (2, 3, 3)


def looking_back(latents: Tensor, timesteps: Tensor) -> Tensor:
    """A network of which each frame sees the two before it, as if the first were repeated."""
    before = latents[:, :, [0, *range(latents.shape[2] - 1)]]
    before_that = latents[:, :, [0, 0, *range(latents.shape[2] - 2)]]
    return (latents + 0.5 * before - 0.3 * before_that).sin() * (1 + timesteps.view(-1, 1, 1, 1, 1) / 2000)


def in_one_pass(name: str) -> Tensor:
    noise = frames_noise(SHAPE, [7], range(FRAMES))
    sampler = create_sampler(name, SCHEDULE.config, 5)
    *_, last = sample(looking_back, sampler, noise, [window_generator(7, 0)], 0.0)
    return last.latents


def one_window(name: str, eta: float = 0.0) -> SampleWindow:
    def sample_one(window: Window, past: Tensor | None) -> Iterator[SamplingStep]:
        sampler, noise = create_sampler(name, SCHEDULE.config, 5), frames_noise(SHAPE, [7], window.seen)
        return sample_after(looking_back, sampler, noise, past, [window_generator(7, window.index)], eta)

    return sample_one


def test_windows_cover_a_video_once() -> None:
    windows = cut_windows(23, 8, 4, 3)
    assert [window.made for window in windows] == [range(8), range(8, 16), range(16, 23)]
    assert [window.seen for window in windows] == [range(11), range(4, 19), range(12, 23)]


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if "Ancestral" not in name])
def test_a_network_that_looks_back_no_further_than_the_context_makes_the_video_of_one_pass(name: str) -> None:
    """Exactly so, because the frames before a window go along the very path that they went before."""
    windows = cut_windows(FRAMES, 6, 2 * 5, 0)
    events = list(sample_windows(windows, one_window(name)))
    made = torch.cat([event.latents for event in events if isinstance(event, WindowDone)], dim=2)
    steps = [event for event in events if isinstance(event, SamplingStep)]
    assert [(event.window, event.windows) for event in steps] == [
        (w, 4) for w in range(4) for _ in range(steps[0].total)
    ]
    assert torch.allclose(made, in_one_pass(name), atol=1e-5)


def test_without_context_the_windows_know_nothing_of_each_other() -> None:
    events = sample_windows(cut_windows(FRAMES, 6, 0, 0), one_window("DDIMScheduler"))
    made = torch.cat([event.latents for event in events if isinstance(event, WindowDone)], dim=2)
    apart = (made - in_one_pass("DDIMScheduler")).abs().amax(dim=(0, 1, 3, 4))
    assert apart[:6].max() < 1e-6 < apart[6]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_going_on_after_any_window_gives_the_same_bits(name: str) -> None:
    windows = cut_windows(FRAMES, 6, 4, 2)
    whole: dict[int, Tensor] = {}
    list(sample_windows(windows, one_window(name, 1.0), whole, {}))
    for stopped_after in range(len(windows)):
        finished: dict[int, Tensor] = {}
        paths: dict[int, Tensor] = {}
        for event in sample_windows(windows, one_window(name, 1.0), finished, paths):
            if isinstance(event, SamplingStep) and event.window > stopped_after:
                break
        assert len(finished) == stopped_after + 1
        assert len(paths) <= 1
        list(sample_windows(windows, one_window(name, 1.0), finished, paths))
        assert all(torch.equal(finished[index], whole[index]) for index in range(len(windows)))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_frames_known_on_both_sides_stay_as_they_are(name: str) -> None:
    windows = cut_windows(FRAMES, 6, 4, 2)
    finished: dict[int, Tensor] = {}
    list(sample_windows(windows, one_window(name), finished, {}))
    window = windows[2]
    known, is_known = known_around(window, windows, finished)
    assert is_known.tolist() == [True] * 4 + [False] * 6 + [True] * 2
    noise = frames_noise(SHAPE, [8], window.seen)
    seen: list[Tensor] = []

    def watched(latents: Tensor, timesteps: Tensor) -> Tensor:
        seen.append(latents)
        return looking_back(latents, timesteps)

    sampler = create_sampler(name, SCHEDULE.config, 5)
    *_, last = sample_among(watched, sampler, noise, known, is_known, [window_generator(8, 2)], 0.0)
    assert torch.equal(last.latents[:, :, is_known], known[:, :, is_known])
    assert not torch.equal(last.latents[:, :, ~is_known], finished[2])
    distances = [(latents - known)[:, :, is_known].abs().mean() for latents in seen[1:]]
    assert distances[-1] < distances[0] / 2  # the network sees them less and less noisy


def test_no_more_is_kept_than_the_next_window_sees() -> None:
    paths: dict[int, Tensor] = {}
    for event in sample_windows(cut_windows(600, 6, 4, 2), one_window("DDIMScheduler"), None, paths):
        assert len(paths) <= 1
        assert event.latents.shape[2] <= 12
    assert not paths


def test_noise_made_anew_passes_into_the_old_towards_known_frames() -> None:
    before, new = (frames_noise((4, 16, 16), [key], range(30)) for key in (1, 2))
    is_known = torch.tensor([True] * 2 + [False] * 26 + [True] * 2)
    noise = faded_noise(before, new, is_known)
    assert torch.equal(noise[:, :, is_known], before[:, :, is_known])
    assert torch.equal(noise[:, :, 9:21], new[:, :, 9:21])
    apart = (noise - before).pow(2).mean(dim=(0, 1, 3, 4)).sqrt()
    assert (apart[1:10].diff() > 0).all()
    assert (apart[20:29].diff() < 0).all()
    assert (noise.std(dim=(0, 1, 3, 4)) - 1).abs().max() < 0.1
    assert torch.equal(faded_noise(before, new, torch.zeros(30, dtype=torch.bool)), new)
