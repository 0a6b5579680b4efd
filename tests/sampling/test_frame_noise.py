"""Noise is a pure function of a sample's key and the frame."""

import numpy as np
import torch

from makeyourvideo.sampling import draw_key, frames_noise, per_sample_generators, window_generator


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_stretch_has_the_noise_of_the_whole() -> None:
    whole = frames_noise((3, 4, 5), [7, 8], range(40))
    assert whole.shape == (2, 3, 40, 4, 5)
    assert torch.equal(frames_noise((3, 4, 5), [7, 8], range(11, 29)), whole[:, :, 11:29])
    assert torch.equal(frames_noise((3, 4, 5), [8], range(40)), whole[1:])


def test_noise_is_normal_and_no_two_frames_or_samples_share_it() -> None:
    noise = frames_noise((4, 16, 16), [0, 1], range(64))
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    frames = noise.transpose(1, 2).reshape(128, -1).numpy()
    correlations = np.corrcoef(frames) - np.eye(128)
    assert np.abs(correlations).max() < 0.2


def test_frames_have_as_much_of_their_noise_in_common_as_asked() -> None:
    noise = frames_noise((8, 32, 32), [0, 1], range(10), common=0.75)
    frames = noise.transpose(1, 2).reshape(20, -1)
    assert (frames.std(dim=1) - 1).abs().max() < 0.03
    correlations = torch.corrcoef(frames)
    within, across = correlations[:10, :10].fill_diagonal_(0.75), correlations[:10, 10:]
    assert (within - 0.75).abs().max() < 0.05
    assert across.abs().max() < 0.05
    assert torch.equal(frames_noise((8, 32, 32), [0, 1], range(4, 7), common=0.75), noise[:, :, 4:7])
    still = frames_noise((8, 32, 32), [0], range(3), common=1.0)
    assert torch.equal(still[:, :, 0], still[:, :, 2])


def test_a_seed_says_it_all_and_a_generator_that_was_used_goes_on() -> None:
    assert draw_key(seeded(3)) == draw_key(seeded(3)) != draw_key(seeded(4))
    used = seeded(3)
    assert draw_key(used) != draw_key(used)
    keys = [draw_key(own) for own in per_sample_generators(seeded(2**63 - 1), 3)]
    assert len(set(keys)) == 3


def test_each_window_draws_from_its_own() -> None:
    first, again, other = (
        torch.randn(9, generator=window_generator(key, window)) for key, window in ((5, 0), (5, 0), (5, 1))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
