"""Frames through the autoencoder."""

import pytest
import torch
from diffusers import AutoencoderKL

from makeyourvideo.models.autoencoder import decode, encode, spatial_factor


def folding_vae() -> AutoencoderKL:
    """Takes 2x2 pixels folded into channels, and halves the size once more."""
    torch.manual_seed(0)
    return AutoencoderKL(
        in_channels=12,
        out_channels=12,
        block_out_channels=(32, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        scaling_factor=3.0,
        shift_factor=0.25,
    ).eval()


@torch.inference_mode()
def test_latents_are_shifted_and_scaled_means() -> None:
    vae = folding_vae()
    frames = torch.rand(2, 3, 3, 16, 24) * 2 - 1
    latents = encode(vae, frames)
    assert spatial_factor(vae) == 4
    assert latents.shape == (2, 4, 3, 4, 6)
    folded = torch.nn.functional.pixel_unshuffle(frames[1, :, 2][None], 2)
    torch.testing.assert_close(latents[1, :, 2], (vae.encode(folded).latent_dist.mean[0] - 0.25) * 3.0)


@torch.inference_mode()
def test_decode_undoes_the_scale_slice_by_slice() -> None:
    vae = folding_vae()
    latents = torch.randn(1, 4, 5, 4, 6)
    frames = decode(vae, latents, slice_size=2)
    assert frames.shape == (1, 3, 5, 16, 24)
    assert frames.abs().max() <= 1
    decoded = vae.decode(latents[:, :, 4] / 3.0 + 0.25).sample
    picture = torch.nn.functional.pixel_shuffle(decoded, 2).clamp(-1, 1)
    torch.testing.assert_close(frames[:, :, 4], picture)


@torch.inference_mode()
def test_a_generator_draws_from_the_posterior() -> None:
    vae, frames = folding_vae(), torch.rand(1, 3, 2, 16, 16) * 2 - 1
    drawn = [encode(vae, frames, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.allclose(drawn[0], drawn[2])
    assert not torch.allclose(drawn[0], encode(vae, frames))


@pytest.mark.parametrize(("in_channels", "factor"), [(3, 2), (12, 4), (48, 8)])
def test_spatial_factor_counts_folded_pixels(in_channels: int, factor: int) -> None:
    vae = AutoencoderKL(
        in_channels=in_channels,
        block_out_channels=(32, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    assert spatial_factor(vae) == factor
