"""Small checkpoints in the reference's layout, made from our networks with random weights."""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from makeyourvideo.checkpoints import names
from makeyourvideo.checkpoints.names import Sources
from makeyourvideo.checkpoints.reference_config import ReferenceConfig
from makeyourvideo.models import VideoUNet

SIZES: dict[str, dict[str, Any]] = {
    "unet": {
        "model_channels": 32,
        "channel_mult": [1, 2],
        "attention_resolutions": [2],
        "num_res_blocks": 1,
        "num_head_channels": 16,
        "context_dim": 16,
    },
    "first_stage": {"ch": 32, "ch_mult": [1, 1], "num_res_blocks": 1, "resolution": 16},
    "cond_stage": {"width": 16, "layers": 2, "heads": 2, "vocab": 600, "context_length": 8},
}


def sizes(**unet: Any) -> dict[str, dict[str, Any]]:
    """`SIZES`, with changes to the denoiser."""
    return SIZES | {"unet": SIZES["unet"] | unet}


class ReferenceModel:
    """Our networks with random weights, and the same weights by the reference's names."""

    def __init__(self, config: dict[str, dict[str, Any]]) -> None:
        torch.manual_seed(0)
        parsed = ReferenceConfig.model_validate(config)
        self.unet = VideoUNet(**parsed.unet.network_config()).eval()
        self.vae = AutoencoderKL(**parsed.first_stage.network_config()).eval()
        self.text_encoder = CLIPTextModel(CLIPTextConfig(**parsed.cond_stage.network_config())).eval()
        for network in (self.unet, self.vae, self.text_encoder):
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.normal_(std=0.1)
        self.state = (
            foreign_state(self.unet, names.denoiser_sources(self.unet.state_dict(), self.unet.config))
            | foreign_state(self.vae, names.autoencoder_sources(self.vae.state_dict(), self.vae.config))
            | foreign_state(self.text_encoder, names.text_encoder_sources(self.text_encoder.state_dict()))
            | leftovers(parsed)
        )
        if not parsed.unet.use_linear:
            self._write_linear_layers_as_convolutions()

    def _write_linear_layers_as_convolutions(self) -> None:
        for name, tensor in self.state.items():
            if name.endswith(("proj_in.weight", "proj_out.weight")) and name.startswith(names.DENOISER):
                spatial = "middle_block.1." in name or ".1.proj" in name
                self.state[name] = tensor[:, :, None, None] if spatial else tensor[:, :, None]


def foreign_state(network: torch.nn.Module, sources: Sources) -> dict[str, Tensor]:
    """A network's tensors by the reference's names and in its shapes."""
    slices: dict[str, dict[int, Tensor]] = {}
    for name, tensor in network.state_dict().items():
        if ".temporal_convs." in name and tensor.ndim == 4:  # one axis of three is one long
            tensor = tensor[:, :, None] if ".convs.1." in name else tensor[..., None]
        slices.setdefault(sources[name].name, {})[sources[name].part] = tensor
    return {name: torch.cat([parts[index] for index in sorted(parts)]) for name, parts in slices.items()}


def leftovers(config: ReferenceConfig) -> dict[str, Tensor]:
    """What the file holds besides what our networks use."""
    width, last = config.cond_stage.width, config.cond_stage.layers - 1
    return {
        f"cond_stage_model.model.transformer.resblocks.{last}.ln_1.weight": torch.ones(width),
        "cond_stage_model.model.text_projection": torch.ones(width, width),
        "cond_stage_model.model.logit_scale": torch.tensor(1.0),
        "betas": torch.linspace(0, 1, 1000),
        "alphas_cumprod": torch.linspace(1, 0, 1000),
    }


def save(path: Path, state: dict[str, Tensor]) -> Path:
    """Write the plain layout."""
    torch.save({"state_dict": state, "global_step": 3}, path)
    return path
