"""The first steps come from a sketch, on fakes."""

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from makeyourvideo.sampling import create_sampler, is_sketched, sample, sketched

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numpy's, inside diffusers

SHAPE = (2, 4, 3, 2, 2)


def schedule(prediction_type: str = "v_prediction", **changes: object) -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="scaled_linear", prediction_type=prediction_type, clip_sample=False, **changes
    )


def never(_latents: Tensor, _timesteps: Tensor) -> Tensor:
    raise AssertionError("the network is not asked")


def generators() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(SHAPE[0])]


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("solver", ["DDIMScheduler", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler"])
def test_nothing_but_the_sketch_is_the_sketch(solver: str, prediction_type: str) -> None:
    config = schedule(prediction_type).config
    sketch = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    predict = sketched(never, sketch, 1.0, config)
    sampler = create_sampler(solver, config, 6)
    *_, last = sample(predict, sampler, torch.randn(SHAPE), generators())
    torch.testing.assert_close(last.latents, sketch, rtol=0.02, atol=0.05)


def test_the_network_takes_over_from_the_noised_sketch() -> None:
    scheduler = schedule(timestep_spacing="trailing")
    noise, sketch = (torch.randn(SHAPE, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    given: list[tuple[int, Tensor]] = []

    def predict(latents: Tensor, timesteps: Tensor) -> Tensor:
        given.append((int(timesteps[0]), latents))
        return torch.zeros_like(latents)

    led = sketched(predict, sketch, 0.4, scheduler.config)
    for _ in sample(led, create_sampler("DDIMScheduler", scheduler.config, 5), noise, generators()):
        pass
    assert [timestep for timestep, _ in given] == [599, 399, 199]
    # the schedule ends short of pure noise, so what is left there of the latents counts as noise
    kept = scheduler.alphas_cumprod
    start = (noise - kept[999].sqrt() * sketch) / (1 - kept[999]).sqrt()
    wanted = kept[599].sqrt() * sketch + (1 - kept[599]).sqrt() * start
    torch.testing.assert_close(given[0][1], wanted)


def test_between_two_timesteps_lies_the_noise_between_theirs() -> None:
    config = schedule("epsilon").config
    latents, sketch = torch.randn(SHAPE), torch.randn(SHAPE)
    predict = sketched(never, sketch, 1.0, config)
    below, between, above = (predict(latents, torch.tensor([t, t])) for t in (700.0, 700.4, 701.0))
    assert ((between - below) * (above - between) > 0).float().mean() > 0.99


def test_the_share_counts_from_pure_noise() -> None:
    assert [is_sketched(timestep, 0.4, 1000) for timestep in (999, 600, 599, 0)] == [True, True, False, False]
    assert not is_sketched(999, 0.0, 1000)
    assert is_sketched(0, 1.0, 1000)
