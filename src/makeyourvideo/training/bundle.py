"""A trained model folder, made small: every tensor in half precision, and a narrower text encoder."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.errors import InputError
from makeyourvideo.model_folder import TRAINING_RECORD
from makeyourvideo.outputs import written_whole
from makeyourvideo.training.narrowing import narrow, relative_error
from makeyourvideo.training.record import record_weights
from makeyourvideo.training.tokenizer import tokens_of
from makeyourvideo.world.captions import caption
from makeyourvideo.world.scene import WorldConfig, read_world, sample_scene

_SCENES, _UNSEEN = 1500, 100
_CAPTIONS = 4
"""Captions a scene."""


@dataclass(frozen=True)
class Bundled:
    """What became of a model.

    Attributes:
        size: bytes that the weights take.
        text_error: how far a narrower text encoder's embeddings are off, as a share of their standard
            deviation, of captions that it was not fitted to.
    """

    size: int
    text_error: float = 0.0


def bundle(model: Path, folder: Path, force: bool = False, text_width: int | None = None) -> Bundled:
    """Copy `model` to `folder` with float16 weights.

    The record of the copy (`training.json`) holds the hash of each file of weights, and what was narrowed.

    Args:
        model: that training wrote.
        folder: where the copy goes.
        force: whether it may replace what is there.
        text_width: how many hidden units of each feed-forward layer of the text encoder stay, see `narrow`;
            all without it.

    Raises:
        InputError: `folder` exists and `force` is false, or the text encoder is no wider than `text_width`.
    """
    with written_whole(folder, force) as partial:
        shutil.copytree(model, partial)
        error, size, narrowed = 0.0, 0, {}
        if text_width is not None:
            error = _narrow_text(model, partial, text_width)
            narrowed = {"narrowed": {"text_width": text_width, "error": round(error, 4)}}
        for weights in partial.rglob("*.safetensors"):
            tensors = {name: tensor.to(torch.float16) for name, tensor in load_file(weights).items()}
            save_file(tensors, weights, metadata={"format": "pt"})
            size += weights.stat().st_size
        record_weights(partial, **narrowed)
    return Bundled(size, error)


def _narrow_text(model: Path, folder: Path, width: int) -> float:
    """Put a narrower text encoder into `folder`; returns its error."""
    encoder = CLIPTextModel.from_pretrained(model / "text_encoder", dtype=torch.float32).eval()
    if not 0 < width < encoder.config.intermediate_size:
        found = f"{width} (it has {encoder.config.intermediate_size})"
        raise InputError(model / "text_encoder", "fewer hidden units to keep than it has", found)
    tokenizer = CLIPTokenizer.from_pretrained(model / "tokenizer")
    tokens = _tokens(tokenizer, read_world(model / TRAINING_RECORD))
    small = narrow(encoder, tokens[: -_UNSEEN * _CAPTIONS], width)
    small.save_pretrained(folder / "text_encoder")
    return relative_error(encoder, small, tokens[-_UNSEEN * _CAPTIONS :])


def _tokens(tokenizer: CLIPTokenizer, world: WorldConfig) -> Tensor:
    """Captions of scenes as the encoder sees them, the empty one among them: `(captions, length)`."""
    scenes = [sample_scene(seed, world) for seed in range(_SCENES + _UNSEEN)]
    captions = ["", *(caption(scene, seed) for scene in scenes for seed in range(_CAPTIONS))]
    return tokens_of(tokenizer, captions)
