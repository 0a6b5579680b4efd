"""Stage 0: the autoencoder, trained on single frames of the world; and its decoder, trained further alone."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from makeyourvideo.model_folder import build_network
from makeyourvideo.models.autoencoder import patch_size
from makeyourvideo.training.config import AutoencoderConfig, DecoderConfig, StageConfig
from makeyourvideo.training.data import draw_clips, open_data, picture_error, pictures_of, step_generator
from makeyourvideo.training.record import write_part, write_record
from makeyourvideo.training.start import take_over


class _PictureStage:
    """What both stages share: pictures, and the error of what comes out of the autoencoder."""

    def __init__(self, config: StageConfig, data: Path, vae: AutoencoderKL) -> None:
        self.config, self.data = config, open_data(config, data)
        self.vae = vae.to(memory_format=torch.channels_last).train()
        self.patch = patch_size(vae)
        self.modules = nn.ModuleDict({"vae": self.vae})

    def _encoded(self, step: int) -> tuple[torch.Tensor, DiagonalGaussianDistribution]:
        pictures = self._pictures(step_generator(self.config, step), self.config.batch_size)
        return pictures, self.vae.encode(pixel_unshuffle(pictures, self.patch)).latent_dist

    def _error(self, pictures: torch.Tensor, latents: torch.Tensor, gradient_weight: float) -> torch.Tensor:
        decoded = pixel_shuffle(self.vae.decode(latents).sample, self.patch)
        return picture_error(decoded, pictures, gradient_weight)

    def _pictures(self, rng: np.random.Generator, count: int) -> torch.Tensor:
        drawn = draw_clips(rng, self.data, count, num_frames=1)
        frames = pictures_of(self.data, drawn)
        return frames.to(self.vae.device).contiguous(memory_format=torch.channels_last)


class AutoencoderStage(_PictureStage):
    """Stage 0: the loss is the pictures' error plus the KL divergence of the latents from a unit normal."""

    config: AutoencoderConfig

    def __init__(self, config: AutoencoderConfig, data: Path, start: Path | None = None) -> None:
        torch.manual_seed(config.seed)
        self.start = start
        super().__init__(config, data, AutoencoderKL(**config.vae))
        if start:
            take_over(self.vae, start, "vae")

    def loss(self, step: int) -> torch.Tensor:
        """Return the mean loss over the pictures of a step."""
        pictures, posterior = self._encoded(step)
        spread = 0.5 * (posterior.mean**2 + posterior.var - 1 - posterior.logvar).mean()
        error = self._error(pictures, posterior.sample(), self.config.gradient_weight)
        return error + self.config.kl_weight * spread

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


class DecoderStage(_PictureStage):
    """The decoder of a model that is there, trained further.

    The encoder stays as it is, so the latents mean what they did, and the other networks fit as before.
    """

    config: DecoderConfig

    def __init__(self, config: DecoderConfig, data: Path, model: Path) -> None:
        self.model = model
        vae = build_network(model, "vae")
        assert isinstance(vae, AutoencoderKL)
        take_over(vae, model, "vae")
        super().__init__(config, data, vae)
        vae.requires_grad_(False)
        for part in (vae.post_quant_conv, vae.decoder):
            part.requires_grad_(True)

    def loss(self, step: int) -> torch.Tensor:
        """Return the mean error over the pictures of a step."""
        pictures, posterior = self._encoded(step)
        latents = posterior.sample()
        spread = torch.rand(len(latents), 1, 1, 1) * self.config.latent_noise / self.vae.config.scaling_factor
        latents = latents + torch.randn_like(latents) * spread.to(latents.device)
        return self._error(pictures, latents, self.config.gradient_weight)

    def finish(self, model: Path) -> None:
        """Write the whole model, with the new decoder."""
        write_part(model, self.model, "vae", self.vae, self.config)
