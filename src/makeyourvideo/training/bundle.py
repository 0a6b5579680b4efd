"""A trained model folder, made small: every tensor in half precision."""

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from makeyourvideo.outputs import written_whole
from makeyourvideo.training.record import record_weights


def bundle(model: Path, folder: Path, force: bool = False) -> int:
    """Copy `model` to `folder` with float16 weights; returns the bytes that the weights take.

    The record of the copy (`training.json`) holds the hash of each file of weights.

    Raises:
        InputError: `folder` exists and `force` is false.
    """
    size = 0
    with written_whole(folder, force) as partial:
        shutil.copytree(model, partial)
        for weights in partial.rglob("*.safetensors"):
            tensors = {name: tensor.to(torch.float16) for name, tensor in load_file(weights).items()}
            save_file(tensors, weights, metadata={"format": "pt"})
            size += weights.stat().st_size
        record_weights(partial)
    return size
