"""The beginning of the schedule, answered from a sketch of the result in place of the network."""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from makeyourvideo.sampling.guidance import Predict, is_guided


def is_sketched(timestep: float, share: float, num_train_timesteps: int) -> bool:
    """Whether a timestep, fractional or not, lies in the first `share` of the schedule."""
    return is_guided(timestep, (0.0, share), num_train_timesteps)


def sketched(predict: Predict, sketch: Tensor, share: float, config: Mapping[str, Any]) -> Predict:
    """In the first `share` of the schedule answer as a network would that is sure of the sketch.

    With a solver that adds no noise this is to start from the sketch, noised (Meng et al. 2022, SDEdit, arXiv
    2108.01073), and any solver may come: where the network takes over, its history is in place.

    Args:
        predict: the network, asked afterwards.
        sketch: latents, as the network's own: `(batch, channels, frames, height, width)`.
        share: of the schedule's timesteps, from pure noise.
        config: of the scheduler: its noise schedule and `prediction_type`.
    """
    alphas_cumprod = DDIMScheduler.from_config(config).alphas_cumprod.double()
    kind = config.get("prediction_type", "epsilon")

    def predict_sketched(latents: Tensor, timesteps: Tensor) -> Tensor:
        timestep = timesteps[0].item()
        if not is_sketched(timestep, share, len(alphas_cumprod)):
            return predict(latents, timesteps)
        below = int(timestep)
        above = min(below + 1, len(alphas_cumprod) - 1)
        kept = torch.lerp(alphas_cumprod[below], alphas_cumprod[above], timestep - below)
        signal, noise = kept.sqrt().item(), (1 - kept).sqrt().item()
        if kind == "sample":
            return sketch.expand_as(latents)
        if kind == "v_prediction":
            return (signal * latents - sketch) / noise
        return (latents - signal * sketch) / noise

    return predict_sketched
