"""The libraries' schedulers, made to fit a model trained on a discrete, variance-preserving schedule."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import diffusers
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from makeyourvideo.errors import InputError
from makeyourvideo.sampling.guidance import Predict


@dataclass(frozen=True)
class Sampler:
    """A scheduler ready for one run, and what `predict` needs around it to suit that scheduler."""

    scheduler: Any
    adapt: Callable[[Predict], Predict]

    def asked_timesteps(self) -> list[float]:
        """The model's timesteps at which a run asks `predict`, in order."""
        asked: list[float] = []

        def listen(latents: Tensor, timesteps: Tensor) -> Tensor:
            asked.append(timesteps[0].item())
            return latents

        predict = self.adapt(listen)
        for timestep in self.scheduler.timesteps:
            predict(torch.zeros(1), timestep.expand(1))
        return asked


def scheduler_class(name: str) -> type:
    """The installed scheduler of that name.

    Raises:
        InputError: not in `DDIMScheduler.compatibles`, or a library it needs is missing.
    """
    compatible = sorted({"DDIMScheduler", *DDIMScheduler._compatibles})
    if name not in compatible:
        raise InputError("scheduler", f"one of {', '.join(compatible)}", repr(name))
    found: type = getattr(diffusers, name)
    missing = getattr(found, "_backends", None)  # diffusers puts a stand-in where an import failed
    if missing is not None:
        libraries = ", ".join(library for library in missing if library != "torch")
        raise InputError("scheduler", f"the library {libraries} installed for {name}", "it is missing")
    return found


def create_sampler(
    name: str, config: Mapping[str, Any], num_inference_steps: int, timestep_spacing: str | None = None
) -> Sampler:
    """A fresh scheduler of class `name` on the schedule that `config` describes.

    Args:
        name: class name of any scheduler in `DDIMScheduler.compatibles`.
        config: the configuration of the model's own scheduler, or of one made from it.
        num_inference_steps: steps of the solver.
        timestep_spacing: where on the schedule they are, in place of the configuration's own; schedulers
            without that setting have steps of their own.

    Raises:
        InputError: the scheduler is unknown, not installed or cannot follow the schedule, or the number
            of steps is out of range.
    """
    cls = scheduler_class(name)
    trained_steps = config["num_train_timesteps"]
    if not 1 <= num_inference_steps <= trained_steps:
        raise InputError("num_inference_steps", f"between 1 and {trained_steps}", str(num_inference_steps))
    if name == "EDMEulerScheduler":
        sampler = _edm_sampler(config)
    else:
        if config.get("rescale_betas_zero_snr") and "rescale_betas_zero_snr" not in _options(cls):
            raise InputError("scheduler", "one that can start from a signal-to-noise ratio of zero", name)
        # Runge-Kutta start-up steps leave the trained timesteps and need four steps at least.
        own: dict[str, Any] = {"skip_prk_steps": True} if name == "PNDMScheduler" else {}
        if timestep_spacing is not None and takes_spacing(name):
            own["timestep_spacing"] = timestep_spacing
        sampler = Sampler(cls.from_config(config, **own), adapt=lambda predict: predict)  # type: ignore[attr-defined]
    sampler.scheduler.set_timesteps(num_inference_steps)
    highest = sampler.scheduler.timesteps.max().item()
    if highest >= trained_steps:  # a step offset can push the first of very many steps off the schedule
        found = f"{num_inference_steps}, which start at {highest:g}"
        raise InputError("num_inference_steps", f"steps that start below {trained_steps}", found)
    if hasattr(sampler.scheduler, "set_begin_index"):
        sampler.scheduler.set_begin_index(0)
    return sampler


def takes_eta(name: str) -> bool:
    """Whether the scheduler's steps have an `eta`."""
    return "eta" in inspect.signature(scheduler_class(name).step).parameters  # type: ignore[attr-defined]


def takes_spacing(name: str) -> bool:
    """Whether the scheduler can be told where its steps are."""
    return "timestep_spacing" in _options(scheduler_class(name))


def _options(cls: type) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(cls.__init__).parameters  # type: ignore[misc]


def _edm_sampler(config: Mapping[str, Any]) -> Sampler:
    """EDM's Euler solver over the model's own range of noise levels.

    With unit data variance the preconditioning of Karras et al. 2022 (table 1) is exactly v-prediction:
    `denoised = x / (σ²+1) - σ/sqrt(σ²+1) v`. What remains is to say the noise level as a timestep
    instead of as `ln(σ)/4`, and to turn a predicted ε into v.
    """
    alphas_cumprod = DDIMScheduler.from_config(config).alphas_cumprod.double()
    alphas_cumprod = alphas_cumprod.clamp(min=2**-24)  # a schedule that ends in pure noise has no finite σ
    log_sigmas = ((1 - alphas_cumprod) / alphas_cumprod).log() / 2
    given = {name: config[name] for name in _options(diffusers.EDMEulerScheduler) if name in config}
    fitting = {
        "sigma_min": log_sigmas[0].exp().item(),
        "sigma_max": log_sigmas[-1].exp().item(),
        "sigma_data": 1.0,
        "prediction_type": "v_prediction",
    }
    scheduler = diffusers.EDMEulerScheduler(**(given | fitting))
    predicts_noise = config.get("prediction_type", "epsilon") == "epsilon"

    def adapt(predict: Predict) -> Predict:
        def predict_v(latents: Tensor, noise_conditions: Tensor) -> Tensor:
            log_sigma = 4 * noise_conditions.double()
            output = predict(latents, _interpolated_index(log_sigmas, log_sigma).to(latents.dtype))
            if not predicts_noise:
                return output
            sigma = log_sigma.exp().to(latents).view(-1, *[1] * (latents.ndim - 1))
            return (sigma**2 + 1).sqrt() * output - sigma * latents

        return predict_v

    return Sampler(scheduler, adapt)


def _interpolated_index(ascending: Tensor, wanted: Tensor) -> Tensor:
    """Where `wanted` lies among `ascending`, as a fractional index held inside the range."""
    ascending = ascending.to(wanted.device)
    above = torch.searchsorted(ascending, wanted.contiguous()).clamp(1, len(ascending) - 1)
    low, high = ascending[above - 1], ascending[above]
    return (above - 1 + (wanted - low) / (high - low)).clamp(0, len(ascending) - 1)
