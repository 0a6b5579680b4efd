"""Stage 0: the autoencoder, trained on single frames of the world."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from makeyourvideo.models.autoencoder import patch_size
from makeyourvideo.training.config import AutoencoderConfig
from makeyourvideo.training.data import draw_clips, open_data, step_generator, to_signed
from makeyourvideo.training.record import write_record
from makeyourvideo.training.start import take_over


class AutoencoderStage:
    """Modules and loss of the stage.

    The loss is the mean absolute error of pixels and of their differences (so that edges stay sharp), plus
    the KL divergence of the latents from a unit normal.
    """

    def __init__(self, config: AutoencoderConfig, data: Path, start: Path | None = None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.start = config, start
        self.data = open_data(config, data)
        vae: AutoencoderKL = AutoencoderKL(**config.vae).to(memory_format=torch.channels_last)
        self.patch = patch_size(vae)
        if start:
            take_over(vae, start, "vae")
        self.vae = vae.train()
        self.modules = nn.ModuleDict({"vae": vae})

    def loss(self, step: int) -> torch.Tensor:
        """Return the mean loss over the pictures of a step."""
        vae = self.vae
        pictures = self._pictures(step_generator(self.config, step), self.config.batch_size)
        posterior = vae.encode(pixel_unshuffle(pictures, self.patch)).latent_dist
        decoded = pixel_shuffle(vae.decode(posterior.sample()).sample, self.patch)
        error = decoded - pictures
        edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
        spread = 0.5 * (posterior.mean**2 + posterior.var - 1 - posterior.logvar).mean()
        return error.abs().mean() + self.config.gradient_weight * edges + self.config.kl_weight * spread

    def finish(self, model: Path) -> None:
        """Measure the latents' mean and spread, keep them in the config, and write `vae/`."""
        vae = self.vae
        with torch.no_grad():
            pictures = self._pictures(np.random.default_rng([self.config.seed, 1 << 32]), 256)
            latents = torch.cat(
                [
                    vae.encode(part).latent_dist.mean
                    for part in pixel_unshuffle(pictures, self.patch).split(32)
                ]
            )
        vae.register_to_config(scaling_factor=1 / latents.std().item(), shift_factor=latents.mean().item())
        vae.save_pretrained(model / "vae")
        write_record(model, None, self.config, self.start)

    def _pictures(self, rng: np.random.Generator, count: int) -> torch.Tensor:
        drawn = draw_clips(rng, self.data, count, num_frames=1)
        frames = to_signed(
            np.stack([self.data[name].frames[scene][frames][0] for name, scene, frames in drawn])
        )
        return frames.to(self.vae.device).contiguous(memory_format=torch.channels_last)
