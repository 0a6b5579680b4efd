"""Sampling: guidance, schedulers and noise around `predict`; knows no network."""

from makeyourvideo.sampling.guidance import WHOLE, Interval, Predict, guided, is_guided
from makeyourvideo.sampling.loop import SamplingStep, sample
from makeyourvideo.sampling.noise import (
    draw_key,
    drawn_side,
    frames_noise,
    per_sample_generators,
    window_generator,
)
from makeyourvideo.sampling.recording import TensorFolder, recorded
from makeyourvideo.sampling.schedulers import Sampler, create_sampler
from makeyourvideo.sampling.sketching import is_sketched, sketched
from makeyourvideo.sampling.windows import (
    Window,
    WindowDone,
    cut_windows,
    faded_noise,
    known_around,
    sample_after,
    sample_among,
    sample_windows,
)

__all__ = [
    "WHOLE",
    "Interval",
    "Predict",
    "Sampler",
    "SamplingStep",
    "TensorFolder",
    "Window",
    "WindowDone",
    "create_sampler",
    "cut_windows",
    "draw_key",
    "drawn_side",
    "faded_noise",
    "frames_noise",
    "guided",
    "is_guided",
    "is_sketched",
    "known_around",
    "per_sample_generators",
    "recorded",
    "sample",
    "sample_after",
    "sample_among",
    "sample_windows",
    "sketched",
    "window_generator",
]
