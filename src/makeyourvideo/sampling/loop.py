"""The denoising loop: a generator, so that whoever consumes it decides about progress and stopping."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from makeyourvideo.sampling.guidance import Predict
from makeyourvideo.sampling.schedulers import Sampler


@dataclass
class SamplingStep:
    """One evaluation of the network is done.

    Attributes:
        step: index of the evaluation, from 0; second-order schedulers take two for each step but the last.
        total: how many there are.
        timestep: where on the schedule it was, a tensor without axes.
        latents: the result `(batch, channels, frames, height, width)`; the consumer may put others in
            their place, and the loop goes on from those.
        window, windows: which window of a long video it was, from 0, and how many there are; in a run, which
            pass through one, and how many the run makes.
    """

    step: int
    total: int
    timestep: Tensor
    latents: Tensor
    window: int = 0
    windows: int = 1


def sample(
    predict: Predict,
    sampler: Sampler,
    latents: Tensor,
    generators: Sequence[torch.Generator],
    eta: float = 0.0,
) -> Iterator[SamplingStep]:
    """Denoise `latents`, one event for each evaluation of `predict`.

    Args:
        predict: the seam, in the model's own `prediction_type`.
        sampler: fresh from `create_sampler`; it is used up.
        latents: unit normal noise `(batch, channels, frames, height, width)`.
        generators: one for each sample, for schedulers that add noise on the way.
        eta: how much noise DDIM adds (equation 16 of its paper: 0 none, 1 as in DDPM); others ignore it.
    """
    scheduler, predict = sampler.scheduler, sampler.adapt(predict)
    known = inspect.signature(scheduler.step).parameters
    offered = {"eta": eta, "generator": list(generators)}
    options = {name: value for name, value in offered.items() if name in known}
    if hasattr(scheduler, "noise_sampler_seed"):  # DPMSolverSDE draws from Brownian trees instead
        scheduler.noise_sampler_seed = [own.initial_seed() for own in generators]

    latents = latents * scheduler.init_noise_sigma
    total = len(scheduler.timesteps)
    for step, timestep in enumerate(scheduler.timesteps):
        scaled = scheduler.scale_model_input(latents, timestep)
        model_output = predict(scaled, timestep.expand(len(latents)))
        latents = scheduler.step(model_output, timestep, latents, return_dict=False, **options)[0]
        event = SamplingStep(step, total, timestep, latents)
        yield event
        latents = event.latents
