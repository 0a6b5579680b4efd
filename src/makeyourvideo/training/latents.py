"""Latents of a data set, encoded once and kept beside it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from einops import rearrange
from numpy.typing import NDArray
from safetensors.torch import load_file

from makeyourvideo.models.autoencoder import encode
from makeyourvideo.outputs import written_whole
from makeyourvideo.training.data import to_signed
from makeyourvideo.world.dataset import Dataset

_SLICE = 32
_LOOKED_AT = 256
"""Scenes that are enough to tell how latents show in pixels."""


def latents_file(vae_folder: Path, dataset_folder: Path) -> Path:
    """Name the latents by the encoder that made them, so that another one never meets old ones."""
    digest = hashlib.sha256((vae_folder / "config.json").read_bytes())
    tensors = load_file(vae_folder / "diffusion_pytorch_model.safetensors")
    for name in sorted(tensors):
        if name.startswith(("encoder.", "quant_conv.")):
            digest.update(name.encode() + tensors[name].numpy().tobytes())
    return dataset_folder / f"latents-{digest.hexdigest()[:12]}.npy"


@torch.no_grad()
def encode_dataset(vae: AutoencoderKL, dataset: Dataset, path: Path) -> Iterator[tuple[int, int]]:
    """Encode all frames to `path`, scaled, as float16 `(scenes, frames, channels, height, width)`.

    Yields (scenes done, scenes in all); does nothing where `path` exists.
    """
    if path.exists():
        return
    parts = []
    step = max(_SLICE // len(dataset.frames[0]), 1)
    for start in range(0, len(dataset), step):
        frames = to_signed(np.stack(dataset.frames[start : start + step]))
        latents = encode(vae, frames.movedim(2, 1))
        parts.append(latents.movedim(1, 2).to(torch.float16).numpy())
        yield min(start + step, len(dataset)), len(dataset)
    with written_whole(path) as partial:
        np.save(partial, np.concatenate(parts))


def open_latents(path: Path) -> NDArray[np.float16]:
    """Map the latents of a data set into memory."""
    return np.load(path, mmap_mode="r")


def visibility(dataset: Dataset, latents: NDArray[np.float16]) -> torch.Tensor:
    """How far an error of the latents shows in pixels: a metric `(channels, channels)` of trace `channels`.

    It is that of the best linear map from a latent to the pixels it stands for, over the first frames of the
    first scenes. Latents spread alike in all directions, but what is seen of them is mostly colour and
    shading.
    """
    frames = to_signed(np.stack([scene[0] for scene in dataset.frames[:_LOOKED_AT]]))
    here = torch.from_numpy(latents[:_LOOKED_AT, 0].astype(np.float64))
    patch = frames.shape[-1] // here.shape[-1]
    known = rearrange(here, "b c h w -> (b h w) c")
    seen = rearrange(frames.double(), "b c (h y) (w x) -> (b h w) (c y x)", y=patch, x=patch)
    known, seen = known - known.mean(dim=0), seen - seen.mean(dim=0)
    linear = torch.linalg.lstsq(known.T @ known, known.T @ seen).solution
    metric = linear @ linear.T
    return (metric * len(metric) / metric.trace()).float()
