"""The tiny model of `tiny_model.py` as a folder and as a pipeline; imported only by tests that use it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from makeyourvideo import DepthVideo, MakeYourVideoPipeline


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_model import tiny_pipeline

    folder = tmp_path_factory.mktemp("model")
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def pipe(model_folder: Path) -> "MakeYourVideoPipeline":
    from makeyourvideo import MakeYourVideoPipeline

    loaded = MakeYourVideoPipeline.from_pretrained(model_folder)
    loaded.set_progress_bar_config(disable=True)
    return loaded


@pytest.fixture
def depth() -> "DepthVideo":
    from makeyourvideo import DepthVideo
    from tiny_model import moving_disc

    return DepthVideo.from_inverse_depth(moving_disc(4, 32, 32))


@pytest.fixture
def depth_file(tmp_path: Path) -> Path:
    from tiny_model import moving_disc

    path = tmp_path / "depth.npy"
    np.save(path, moving_disc(4, 32, 32))
    return path
