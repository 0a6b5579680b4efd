"""The networks of a model folder, to be written tensor by tensor."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, DPTForDepthEstimation

from makeyourvideo.checkpoints.unpickling import LazyTensor
from makeyourvideo.models.unet import VideoUNet

SAFETENSORS_DTYPES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
}
_WEIGHTS = {
    VideoUNet: "diffusion_pytorch_model.safetensors",
    AutoencoderKL: "diffusion_pytorch_model.safetensors",
    CLIPTextModel: "model.safetensors",
    DPTForDepthEstimation: "model.safetensors",
}


@dataclass(frozen=True)
class Part:
    """One network: its folder, the network itself without memory, and where its tensors come from."""

    folder: str
    network: Any
    tensors: Mapping[str, LazyTensor]


def write_part(part: Part, model: Path) -> int:
    """Write a network's config and weights into its folder; return the weights' bytes."""
    folder = model / part.folder
    folder.mkdir(parents=True)
    if isinstance(part.network, VideoUNet | AutoencoderKL):
        part.network.save_config(folder)
    else:
        part.network.config.architectures = [type(part.network).__name__]
        part.network.config.save_pretrained(folder)
    return write_safetensors(folder / _WEIGHTS[type(part.network)], part.tensors)


def write_safetensors(path: Path, tensors: Mapping[str, LazyTensor]) -> int:
    """Write a safetensors file with one tensor in memory at a time; return its size in bytes.

    Half-precision tensors keep their type, all others become float32.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        dtype = _stored_dtype(tensor)
        start, end = end, end + dtype.itemsize * torch.Size(tensor.shape).numel()
        header[name] = {
            "dtype": SAFETENSORS_DTYPES[dtype],
            "shape": tensor.shape,
            "data_offsets": [start, end],
        }
    packed = json.dumps(header, separators=(",", ":")).encode()
    packed += b" " * (-len(packed) % 8)  # so that the data starts aligned
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(packed)) + packed)
        for tensor in tensors.values():
            values = tensor.load().to(_stored_dtype(tensor)).contiguous()
            file.write(values.flatten().view(torch.uint8).numpy().data)
    return path.stat().st_size


def _stored_dtype(tensor: LazyTensor) -> torch.dtype:
    return tensor.dtype if tensor.dtype in SAFETENSORS_DTYPES else torch.float32


def build_denoiser(config: dict[str, Any]) -> VideoUNet:
    """The denoising network without memory for its tensors."""
    with torch.device("meta"):
        return VideoUNet(**config)


def build_autoencoder(config: dict[str, Any]) -> AutoencoderKL:
    """The autoencoder, likewise."""
    with torch.device("meta"):
        return AutoencoderKL(**config)


def build_text_encoder(config: dict[str, Any]) -> CLIPTextModel:
    """The text encoder, likewise."""
    with torch.device("meta"):
        return CLIPTextModel(CLIPTextConfig(**config))


def shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors that a network is saved with."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
