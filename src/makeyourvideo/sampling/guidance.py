"""The seam between network and sampler, and classifier-free guidance around it."""

from collections.abc import Callable

import torch
from torch import Tensor

Predict = Callable[[Tensor, Tensor], Tensor]
"""`predict(latents, timesteps) -> model_output`: latents `(batch, channels, frames, height, width)` and
timesteps `(batch,)` to an output like the latents, in the scheduler's `prediction_type`."""

Interval = tuple[float, float]
"""A stretch of the schedule, first and last end as shares of its timesteps: 0 is pure noise, 1 none."""

WHOLE: Interval = (0.0, 1.0)


def is_guided(timestep: float, interval: Interval, num_train_timesteps: int) -> bool:
    """Whether a timestep, fractional or not, lies in the interval; its last end is no more part of it."""
    progress = (num_train_timesteps - 1 - timestep) / num_train_timesteps
    return interval[0] <= progress < interval[1]


def guided(
    predict: Predict, guidance_scale: float, interval: Interval = WHOLE, num_train_timesteps: int = 1000
) -> Predict:
    """Classifier-free guidance (Ho & Salimans 2022, equation 6), both branches as one batch.

    Outside the interval only the conditional branch is evaluated, at half the cost (Kynkäänniemi et al. 2024,
    arXiv 2404.07724).

    Args:
        predict: answers for a batch of twice the size, the unconditional half first, and, outside the
            interval, for the conditional half alone.
        guidance_scale: w in `uncond + w (cond - uncond)`; above 1 it exaggerates what the text changes.
        interval: where on the schedule it is applied; all of a batch is at the same timestep.
        num_train_timesteps: of the schedule.
    """

    def predict_guided(latents: Tensor, timesteps: Tensor) -> Tensor:
        if not is_guided(timesteps[0].item(), interval, num_train_timesteps):
            return predict(latents, timesteps)
        both = predict(torch.cat([latents, latents]), torch.cat([timesteps, timesteps]))
        unconditional, conditional = both.chunk(2)
        return unconditional + guidance_scale * (conditional - unconditional)

    return predict_guided
