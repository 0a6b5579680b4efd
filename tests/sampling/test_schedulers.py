"""Every scheduler with a perfect network must find the clean latents it was noised from."""

import importlib.util
from collections.abc import Sequence

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from makeyourvideo.errors import InputError
from makeyourvideo.sampling import Predict, create_sampler, sample
from makeyourvideo.sampling.schedulers import scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numpy's, inside diffusers

COMPATIBLES = sorted({"DDIMScheduler", *DDIMScheduler._compatibles})
NEEDS = {"DPMSolverSDEScheduler": "torchsde", "LMSDiscreteScheduler": "scipy"}
INSTALLED = [name for name in COMPATIBLES if importlib.util.find_spec(NEEDS.get(name, "torch"))]
# These end at alphas_cumprod[0], as the reference does, and leave noise of that level; the others end at 0.
END_WITH_NOISE = {"DDIMScheduler", "DEISMultistepScheduler", "PNDMScheduler"}
SHAPE = (3, 2, 4, 4)


def schedule(prediction_type: str = "epsilon", **changes: object) -> DDIMScheduler:
    settings = {
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "clip_sample": False,
        "set_alpha_to_one": False,
        "steps_offset": 1,
        "prediction_type": prediction_type,
    }
    return DDIMScheduler(**{**settings, **changes})


def perfect_predict(clean: Tensor, own: DDIMScheduler) -> Predict:
    """A network that knows the answer, and takes the timestep at its word, fractional or not."""

    def predict(latents: Tensor, timesteps: Tensor) -> Tensor:
        assert timesteps.shape == (len(latents),)
        assert ((timesteps >= 0) & (timesteps <= 999)).all()
        logits = own.alphas_cumprod.double().logit()
        low = timesteps.long().clamp(max=998)
        alpha = (logits[low] + (timesteps - low) * (logits[low + 1] - logits[low])).sigmoid()
        alpha = alpha.float().view(-1, 1, 1, 1, 1)
        noise = (latents - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        if own.config.prediction_type == "epsilon":
            return noise
        return alpha.sqrt() * noise - (1 - alpha).sqrt() * clean

    return predict


def run(name: str, own: DDIMScheduler, clean: Tensor, seeds: Sequence[int], steps: int = 20) -> Tensor:
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    sampler = create_sampler(name, own.config, steps)
    predict = perfect_predict(clean, own)
    noise = torch.stack([torch.randn(SHAPE, generator=own) for own in generators])
    events = list(sample(predict, sampler, noise, generators, eta=1.0))
    assert [event.step for event in events] == list(range(events[0].total))
    return events[-1].latents


@pytest.fixture
def clean() -> Tensor:
    return torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("steps", [3, 20])
def test_a_perfect_network_is_followed_to_the_clean_latents(
    name: str, prediction_type: str, steps: int, clean: Tensor
) -> None:
    own = schedule(prediction_type)
    latents = run(name, own, clean, seeds=(0, 1), steps=steps)
    allowed = 5 * float((1 - own.alphas_cumprod[0]).sqrt()) if name in END_WITH_NOISE else 0.02
    assert (latents - clean).abs().max() < allowed


@pytest.mark.parametrize("name", INSTALLED)
def test_noise_depends_on_the_seed_of_a_sample_alone(name: str, clean: Tensor) -> None:
    own = schedule()
    both = run(name, own, clean, seeds=(3, 4), steps=5)
    alone = run(name, own, clean[1:], seeds=(4,), steps=5)
    other = run(name, own, clean[1:], seeds=(5,), steps=5)
    assert torch.equal(both[1:], alone)
    assert not torch.equal(alone, other)


@pytest.mark.parametrize("name", INSTALLED)
def test_swapping_in_the_diffusers_way_keeps_the_schedule(name: str) -> None:
    own = schedule("v_prediction")
    swapped = scheduler_class(name).from_config(own.config)
    direct, again = (create_sampler(name, config, 5).scheduler for config in (own.config, swapped.config))
    back = create_sampler("DDIMScheduler", swapped.config, 5).scheduler
    assert torch.equal(direct.timesteps, again.timesteps)
    assert torch.equal(back.alphas_cumprod, own.alphas_cumprod)
    assert back.config.prediction_type == "v_prediction"


@pytest.mark.parametrize("name", INSTALLED)
def test_the_timesteps_that_a_run_asks_are_known_before(name: str, clean: Tensor) -> None:
    asked = []

    def predict(latents: Tensor, timesteps: Tensor) -> Tensor:
        asked.append(timesteps[0].item())
        return torch.zeros_like(latents)

    sampler = create_sampler(name, schedule().config, 4)
    foretold = sampler.asked_timesteps()
    list(sample(predict, sampler, clean[:1], [torch.Generator().manual_seed(0)]))
    assert foretold == pytest.approx(asked, rel=1e-5)


@pytest.mark.parametrize("name", INSTALLED)
def test_steps_may_start_where_the_schedule_ends(name: str) -> None:
    own = create_sampler(name, schedule().config, 4)
    trailing = create_sampler(name, schedule().config, 4, "trailing")
    assert max(trailing.asked_timesteps()) == pytest.approx(999, abs=0.01)
    if name == "DDIMScheduler":
        assert own.asked_timesteps() == [751, 501, 251, 1]
    if name in ("DDIMScheduler", "DPMSolverMultistepScheduler"):
        assert trailing.asked_timesteps() == [999, 749, 499, 249]


@pytest.mark.parametrize("name", ["DDIMSchedular", "LCMScheduler", "_compatibles", ""])
def test_others_are_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match=f"expected one of DDIMScheduler, .*, found '{name}'"):
        create_sampler(name, schedule().config, 5)


@pytest.mark.skipif("DPMSolverSDEScheduler" in INSTALLED, reason="torchsde is installed")
def test_a_missing_library_is_named() -> None:
    with pytest.raises(InputError, match="torchsde installed for DPMSolverSDEScheduler"):
        create_sampler("DPMSolverSDEScheduler", schedule().config, 5)


@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_steps_out_of_range_are_refused(steps: int) -> None:
    with pytest.raises(InputError, match=f"between 1 and 1000, found {steps}"):
        create_sampler("DDIMScheduler", schedule().config, steps)


def test_steps_that_would_leave_the_schedule_are_refused() -> None:
    create_sampler("DDIMScheduler", schedule().config, 999)
    with pytest.raises(InputError, match="steps that start below 1000, found 1000, which start at 1000"):
        create_sampler("DDIMScheduler", schedule().config, 1000)


def test_a_schedule_ending_in_pure_noise_goes_to_schedulers_that_can_start_there() -> None:
    own = schedule("v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing")
    with pytest.raises(InputError, match="signal-to-noise ratio of zero, found HeunDiscreteScheduler"):
        create_sampler("HeunDiscreteScheduler", own.config, 5)
    sampler = create_sampler("EDMEulerScheduler", own.config, 5)
    assert sampler.scheduler.sigmas.isfinite().all()


def test_ddim_at_eta_0_does_not_draw(clean: Tensor) -> None:
    own = schedule()
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    latents = torch.randn(2, *SHAPE)
    before = [generator.get_state() for generator in generators]
    sampler = create_sampler("DDIMScheduler", own.config, 4)
    list(sample(perfect_predict(clean, own), sampler, latents, generators, eta=0.0))
    assert all(torch.equal(own.get_state(), state) for own, state in zip(generators, before, strict=True))
