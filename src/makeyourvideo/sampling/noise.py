"""Randomness: one generator a sample, so that noise depends on the sample's seed and nothing else."""

from collections.abc import Sequence

import torch
from torch import Tensor

from makeyourvideo.errors import InputError


def per_sample_generators(
    generator: torch.Generator | Sequence[torch.Generator] | None, batch_size: int
) -> list[torch.Generator]:
    """One generator for each sample of a batch.

    A single generator is the first sample's; the samples after it are seeded with its seed plus their
    index, so each of them can be made again alone. Without any, seeds are drawn from the system.

    Raises:
        InputError: a sequence whose length is not `batch_size`.
    """
    if isinstance(generator, Sequence):
        if len(generator) != batch_size:
            raise InputError("generator", f"one for each of {batch_size} samples", f"{len(generator)}")
        return list(generator)
    first = generator or torch.Generator()
    if generator is None:
        first.seed()
    seeds = [(first.initial_seed() + index) % 2**63 for index in range(1, batch_size)]
    return [first, *(torch.Generator().manual_seed(seed) for seed in seeds)]


def randn(shape: Sequence[int], generators: Sequence[torch.Generator]) -> Tensor:
    """Normal noise `(len(generators), *shape)`, each sample drawn from its own generator."""
    return torch.stack([torch.randn(*shape, generator=own, device=own.device) for own in generators])
