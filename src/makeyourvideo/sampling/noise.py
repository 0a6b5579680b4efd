"""Randomness: a generator a sample; its noise depends on the sample's seed and the frame, on nothing else."""

from collections.abc import Sequence

import numpy as np
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


def draw_key(generator: torch.Generator) -> int:
    """Draw the number that decides a sample's noise; a generator used twice gives another the second time."""
    return int(torch.randint(2**63 - 1, (), generator=generator, device=generator.device))


def drawn_side(key: int) -> int:
    """Left or right, -1 or 1, as a sample's key decides."""
    return 2 * int(np.random.default_rng((key, 0, 1)).integers(2)) - 1  # other generators are the noise's


def frames_noise(
    shape: Sequence[int], keys: Sequence[int], frames: Sequence[int], common: float = 0.0
) -> Tensor:
    """Unit normal noise in which each frame's is a pure function of its sample's key and its own number.

    So a longer video begins with the noise of a shorter one, and a window of it has the noise of the whole.
    Torch's own generators look at 32 bits of a seed, too few to keep the frames of long videos apart.

    Args:
        shape: channels, height and width.
        keys: one for each sample, from `draw_key`.
        frames: the numbers of the frames.
        common: share of its variance that is the same in all frames of a sample.

    Returns:
        `(len(keys), channels, len(frames), height, width)`.
    """

    def normal(*seed: int) -> Tensor:
        return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, np.float32))

    own = torch.stack([torch.stack([normal(key, frame) for frame in frames], 1) for key in keys])
    if not common:
        return own
    shared = torch.stack([normal(key, 0, 2) for key in keys])[:, :, None]
    return common**0.5 * shared + (1 - common) ** 0.5 * own


def window_generator(key: int, window: int) -> torch.Generator:
    """What a sample draws from on the way through one window: a pure function of its key and the window."""
    (seed,) = np.random.SeedSequence((key, window)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(seed >> np.uint64(1)))
