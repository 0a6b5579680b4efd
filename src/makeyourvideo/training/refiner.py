"""The refiner: from what sampling leaves, decoded, and its depth, to the true pictures."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.nn.functional import pixel_shuffle
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.models.autoencoder import decode, encode
from makeyourvideo.models.refiner import Refiner
from makeyourvideo.models.sketcher import Sketcher
from makeyourvideo.models.unet import VideoUNet
from makeyourvideo.training.config import RefinerConfig
from makeyourvideo.training.data import draw_clips, picture_error, pictures_of, step_generator
from makeyourvideo.training.diffusion import DiffusionStage, Drawn
from makeyourvideo.training.record import write_part
from makeyourvideo.training.start import take_over
from makeyourvideo.training.stills import standing_in


class RefinerStage(DiffusionStage):
    """Everything but the refiner stays as it is.

    Pictures, or sketches of them, are noised to some timestep, denoised by the image model in one step, and
    decoded: soft and mottled just as the last step of sampling leaves them.
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
        self.sketcher = Sketcher.from_pretrained(model / "sketcher") if config.sketched else None
        self.modules.eval().requires_grad_(False)
        self.refiner.train().requires_grad_(True)

    def loss(self, step: int) -> torch.Tensor:
        """Return the mean absolute error of pixels and of their differences, over the pictures of a step."""
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, num_frames=1)
        latents, depth, tokens, _ = (part.to(self.unet.device) for part in self._gather(rng, drawn))
        seen = pixel_shuffle(depth[:, :, 0], self.unet.config.depth_patch_size)
        with torch.no_grad():
            context = self.text_encoder(tokens).last_hidden_state
            if self.sketcher is not None:
                sketch = encode(self.vae, self._sketch(self.sketcher, drawn, seen, context))
                some = torch.from_numpy(rng.random(len(drawn)) < self.config.sketched).to(latents.device)
                some &= depth.flatten(1).any(dim=1)
                latents = torch.where(some[:, None, None, None, None], sketch, latents)
            decoded = decode(self.vae, self._denoised(latents, depth, context), len(drawn))[:, :, 0]
        pictures = pictures_of(self.data, drawn).to(decoded.device)
        return picture_error(self.refiner(decoded, seen), pictures, self.config.gradient_weight)

    def finish(self, model: Path) -> None:
        """Write the whole model, with the refiner."""
        write_part(model, self.model, "refiner", self.refiner, self.config, self.start)

    @property
    def modules(self) -> nn.ModuleDict:
        """All networks of the stage."""
        parts = {**super().modules, "vae": self.vae, "refiner": self.refiner}
        return nn.ModuleDict(parts | ({"sketcher": self.sketcher} if self.sketcher is not None else {}))

    def _sketch(
        self,
        sketcher: Sketcher,
        drawn: Drawn,
        depth: torch.Tensor,
        context: torch.Tensor,
    ) -> torch.Tensor:
        """Sketch pictures as their scenes' cameras and suns stand, `(b, 3, 1, h, w)`."""
        standing = [standing_in(self.data[name].scene(scene).at(frames)) for name, scene, frames in drawn]
        rows, columns = (side // 2 for side in depth.shape[2:])
        heading = torch.zeros(len(drawn))
        floor = torch.cat([stands.camera.floor(rows, columns)[0] for stands in standing])
        sun = torch.stack([stands.sun for stands in standing])
        placed = (part.to(depth.device) for part in (heading, floor, sun))
        sketch: torch.Tensor = sketcher(depth, context, *placed)
        return sketch.clamp(-1, 1)[:, :, None]

    def _denoised(self, latents: torch.Tensor, depth: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        noise = torch.randn_like(latents)
        timesteps = torch.randint(*self.config.timesteps, (len(latents),))
        noised = self.scheduler.add_noise(latents, noise, timesteps)
        answer = self.unet(torch.cat([noised, depth], dim=1), timesteps, context).sample
        return self._clean(noised, answer, timesteps)
