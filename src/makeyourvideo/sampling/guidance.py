"""The seam between network and sampler, and classifier-free guidance around it."""

from collections.abc import Callable

import torch
from torch import Tensor

Predict = Callable[[Tensor, Tensor], Tensor]
"""`predict(latents, timesteps) -> model_output`: latents `(batch, channels, frames, height, width)` and
timesteps `(batch,)` to an output like the latents, in the scheduler's `prediction_type`."""


def guided(predict: Predict, guidance_scale: float) -> Predict:
    """Classifier-free guidance (Ho & Salimans 2022, equation 6), both branches as one batch.

    Args:
        predict: answers for a batch of twice the size, the unconditional half first.
        guidance_scale: w in `uncond + w (cond - uncond)`; above 1 it exaggerates what the text changes.
    """

    def predict_guided(latents: Tensor, timesteps: Tensor) -> Tensor:
        both = predict(torch.cat([latents, latents]), torch.cat([timesteps, timesteps]))
        unconditional, conditional = both.chunk(2)
        return unconditional + guidance_scale * (conditional - unconditional)

    return predict_guided
