"""Ours gives the reference's numbers from the reference's file.

The tolerance is 1e-4 of each output's standard deviation. What remains is float32 rounding in another order
of summation: 2e-5 for the denoiser (3e-5 after five guided steps), 5e-6 for the autoencoder, 1e-6 for text.
"""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.models import VideoUNet

TOLERANCE = 1e-4
PROMPTS = [
    "A tiger walks in the forest, photorealistic",
    "",
    "a waterfall in the middle of a glacier, photorealistic, 4K, best quality",
]


def assert_same(ours: torch.Tensor, reference: torch.Tensor) -> None:
    assert ours.shape == reference.shape
    error = (ours - reference).abs().max() / reference.std()
    assert error <= TOLERANCE


@pytest.mark.parametrize("num_frames", [1, 4, 16, 24])
@torch.inference_mode()
def test_denoiser(unet: VideoUNet, expected: dict[str, torch.Tensor], num_frames: int) -> None:
    case = {name: expected[f"T{num_frames}.{name}"] for name in ("x", "timesteps", "context", "out")}
    assert_same(unet(case["x"], case["timesteps"], case["context"]).sample, case["out"])


@torch.inference_mode()
def test_autoencoder(converted: Path, expected: dict[str, torch.Tensor]) -> None:
    vae = AutoencoderKL.from_pretrained(converted, subfolder="vae")
    posterior = vae.encode(expected["ae.image"]).latent_dist
    assert_same(posterior.mean, expected["ae.mean"])
    assert_same(posterior.logvar, expected["ae.logvar"])
    assert_same(vae.decode(expected["ae.mean"]).sample, expected["ae.decoded"])
    assert vae.config.scaling_factor == 0.18215


@torch.inference_mode()
def test_text(converted: Path, expected: dict[str, torch.Tensor]) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(converted, subfolder="tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(converted, subfolder="text_encoder")
    tokens = tokenizer(PROMPTS, padding="max_length", truncation=True, return_tensors="pt").input_ids
    assert torch.equal(tokens, expected["text.tokens"])
    assert_same(text_encoder(tokens).last_hidden_state, expected["text.penultimate"])


@pytest.mark.parametrize("eta", [0, 1])
@torch.inference_mode()
def test_five_guided_steps(
    converted: Path, unet: VideoUNet, expected: dict[str, torch.Tensor], eta: int
) -> None:
    scheduler = DDIMScheduler.from_pretrained(converted, subfolder="scheduler")
    torch.testing.assert_close(
        scheduler.alphas_cumprod, expected["schedule.alphas_cumprod"], rtol=0, atol=1e-6
    )
    scheduler.set_timesteps(5)
    assert sorted(scheduler.timesteps.tolist()) == sorted(expected["ddim.timesteps"].tolist())
    latents, depth = expected["ddim.x_T"], expected["ddim.depth"]
    context = torch.cat([expected["ddim.uncond"], expected["ddim.cond"]])
    for step, timestep in enumerate(scheduler.timesteps):
        sample = torch.cat([latents, depth], dim=1).expand(2, -1, -1, -1, -1)
        unguided, prompted = unet(sample, timestep, context).sample.chunk(2)
        guided = unguided + 7.5 * (prompted - unguided)
        noise = expected["ddim.eta1.noises"][step] if eta else None
        latents = scheduler.step(guided, timestep, latents, eta=eta, variance_noise=noise).prev_sample
    assert_same(latents, expected[f"ddim.eta{eta}.latents"])
