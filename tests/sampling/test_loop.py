"""Guidance, noise and the loop, on fakes."""

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from makeyourvideo.errors import InputError
from makeyourvideo.sampling import (
    WHOLE,
    create_sampler,
    guided,
    is_guided,
    per_sample_generators,
    sample,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numpy's, inside diffusers


def zeros(latents: Tensor, _timesteps: Tensor) -> Tensor:
    return torch.zeros_like(latents)


def test_guidance_is_one_batch_and_moves_away_from_the_unconditional_branch() -> None:
    batches: list[int] = []

    def predict(latents: Tensor, timesteps: Tensor) -> Tensor:
        batches.append(len(latents))
        assert timesteps.tolist() == [9.0, 9.0, 9.0, 9.0]
        branch = torch.tensor([1.0, 1.0, 3.0, 3.0]).view(-1, 1, 1, 1, 1)
        return latents + branch

    latents = torch.arange(2.0).view(2, 1, 1, 1, 1)
    output = guided(predict, 7.5)(latents, torch.full((2,), 9.0))
    assert batches == [4]
    assert torch.equal(output, latents + 1 + 7.5 * (3 - 1))


def test_outside_the_interval_the_unconditional_branch_is_not_evaluated() -> None:
    batches: list[int] = []

    def predict(latents: Tensor, _timesteps: Tensor) -> Tensor:
        batches.append(len(latents))
        return torch.arange(1.0, len(latents) + 1).view(-1, 1, 1, 1, 1)

    latents = torch.zeros(1, 1, 1, 1, 1)
    partly = guided(predict, 3.0, (0.2, 0.4), 1000)
    answers = [partly(latents, torch.tensor([timestep])).item() for timestep in (999, 799, 600, 599, 0)]
    assert batches == [1, 2, 2, 1, 1]
    assert answers == [1, 1 + 3 * (2 - 1), 4, 1, 1]


def test_the_whole_schedule_and_the_intervals_that_share_it_leave_nothing_out() -> None:
    for timestep in (0, 0.5, 250, 999):
        assert is_guided(timestep, WHOLE, 1000)
        assert [is_guided(timestep, (0.0, 0.4), 1000), is_guided(timestep, (0.4, 1.0), 1000)].count(True) == 1


def test_a_consumer_can_put_other_latents_in_place() -> None:
    seen: list[Tensor] = []

    def predict(latents: Tensor, _timesteps: Tensor) -> Tensor:
        seen.append(latents)
        return torch.zeros_like(latents)

    generators = per_sample_generators(torch.Generator().manual_seed(0), 1)
    sampler = create_sampler("DDIMScheduler", DDIMScheduler().config, 3)
    for event in sample(predict, sampler, torch.randn(1, 1, 1, 2, 2), generators):
        event.latents = torch.full_like(event.latents, float(event.step))
    assert [float(latents.mean()) for latents in seen[1:]] == [0.0, 1.0]


def test_second_order_schedulers_report_every_evaluation() -> None:
    generators = per_sample_generators(None, 1)
    sampler = create_sampler("HeunDiscreteScheduler", DDIMScheduler().config, 4)
    events = list(sample(zeros, sampler, torch.randn(1, 1, 1, 2, 2), generators))
    assert [event.step for event in events] == list(range(7))
    assert {event.total for event in events} == {7}


def test_one_generator_for_a_batch_is_the_first_sample_and_seeds_the_rest() -> None:
    generators = per_sample_generators(torch.Generator().manual_seed(11), 3)
    assert [generator.initial_seed() for generator in generators] == [11, 12, 13]


def test_without_a_generator_no_two_runs_are_alike() -> None:
    (first,), (second,) = (per_sample_generators(None, 1) for _ in range(2))
    assert first.initial_seed() != second.initial_seed()


def test_a_wrong_number_of_generators_is_refused() -> None:
    with pytest.raises(InputError, match="one for each of 2 samples, found 3"):
        per_sample_generators([torch.Generator()] * 3, 2)
