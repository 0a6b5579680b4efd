"""The reference's checkpoint, converted once, and what the reference computes with it."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from makeyourvideo.checkpoints import convert
from makeyourvideo.models import VideoUNet

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def expected() -> dict[str, torch.Tensor]:
    return load_file(DATA / "expected.safetensors")


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parity") / "converted"
    for _ in convert(DATA / "model.ckpt", folder, DATA / "config.json"):
        pass
    return folder


@pytest.fixture(scope="session")
def unet(converted: Path) -> VideoUNet:
    return VideoUNet.from_pretrained(converted, subfolder="unet")
