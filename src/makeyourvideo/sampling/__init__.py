"""Sampling: guidance, schedulers and noise around `predict`; knows no network."""

from makeyourvideo.sampling.guidance import Predict, guided
from makeyourvideo.sampling.loop import SamplingStep, sample
from makeyourvideo.sampling.noise import per_sample_generators, randn
from makeyourvideo.sampling.schedulers import Sampler, create_sampler

__all__ = [
    "Predict",
    "Sampler",
    "SamplingStep",
    "create_sampler",
    "guided",
    "per_sample_generators",
    "randn",
    "sample",
]
