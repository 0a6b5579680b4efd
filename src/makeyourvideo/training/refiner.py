"""The refiner: from what sampling leaves, decoded, and its depth, to the true pictures."""

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.nn.functional import pixel_shuffle
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.model_folder import add_to_index
from makeyourvideo.models.autoencoder import decode
from makeyourvideo.models.refiner import Refiner
from makeyourvideo.models.unet import VideoUNet
from makeyourvideo.training.config import RefinerConfig
from makeyourvideo.training.data import draw_clips, picture_error, pictures_of, step_generator
from makeyourvideo.training.diffusion import DiffusionStage
from makeyourvideo.training.record import write_record
from makeyourvideo.training.start import take_over


class RefinerStage(DiffusionStage):
    """Everything but the refiner stays as it is.

    Pictures are noised to some timestep, denoised by the image model in one step, and decoded: soft and
    mottled just as the last step of sampling leaves them.
    """

    config: RefinerConfig

    def __init__(self, config: RefinerConfig, data: Path, model: Path, start: Path | None = None) -> None:
        super().__init__(config, data, model, start)
        self.tokenizer = CLIPTokenizer.from_pretrained(model / "tokenizer")
        self.text_encoder = CLIPTextModel.from_pretrained(model / "text_encoder")
        self.unet = VideoUNet.from_pretrained(model / "unet")
        self.unet.temporal_enabled = False
        self.vae = AutoencoderKL.from_pretrained(model / "vae").to(memory_format=torch.channels_last)
        self.refiner: Refiner = Refiner(**config.refiner).to(memory_format=torch.channels_last)
        if start:
            take_over(self.refiner, start, "refiner")
        self.modules.eval().requires_grad_(False)
        self.refiner.train().requires_grad_(True)

    def loss(self, step: int) -> torch.Tensor:
        """Return the mean absolute error of pixels and of their differences, over the pictures of a step."""
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, num_frames=1)
        latents, depth, tokens, _ = (part.to(self.unet.device) for part in self._gather(rng, drawn))
        with torch.no_grad():
            decoded = decode(self.vae, self._denoised(latents, depth, tokens), len(drawn))[:, :, 0]
        pictures = pictures_of(self.data, drawn).to(decoded.device)
        seen = pixel_shuffle(depth[:, :, 0], self.unet.config.depth_patch_size)
        return picture_error(self.refiner(decoded, seen), pictures, self.config.gradient_weight)

    def finish(self, model: Path) -> None:
        """Write the whole model, with the refiner."""
        shutil.copytree(self.model, model, dirs_exist_ok=True)
        self.refiner.save_pretrained(model / "refiner")
        add_to_index(model, "refiner")
        write_record(model, self.model, self.config, self.start)

    @property
    def modules(self) -> nn.ModuleDict:
        """All networks of the stage."""
        return nn.ModuleDict({**super().modules, "vae": self.vae, "refiner": self.refiner})

    def _denoised(self, latents: torch.Tensor, depth: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        noise = torch.randn_like(latents)
        timesteps = torch.randint(*self.config.timesteps, (len(latents),))
        noised = self.scheduler.add_noise(latents, noise, timesteps)
        context = self.text_encoder(tokens).last_hidden_state
        velocity = self.unet(torch.cat([noised, depth], dim=1), timesteps, context).sample
        kept = self.scheduler.alphas_cumprod[timesteps][:, None, None, None, None]
        return kept.sqrt() * noised - (1 - kept).sqrt() * velocity
