"""Batches by step number: what step k sees depends on the seed and k alone."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from makeyourvideo.training.config import StageConfig
from makeyourvideo.world.dataset import Dataset, build_dataset, open_dataset


def prepare_data(config: StageConfig, folder: Path) -> Iterator[tuple[int, int]]:
    """Render what is missing of every data set of a stage into `folder`; yields (shards done, in all)."""
    for name, dataset in config.data.items():
        yield from build_dataset(dataset, folder / name)


def open_data(config: StageConfig, folder: Path) -> dict[str, Dataset]:
    """Open every data set of a stage, by name."""
    return {name: open_dataset(folder / name) for name in config.data}


def step_generator(config: StageConfig, step: int) -> np.random.Generator:
    """Return the numpy generator of a step."""
    return np.random.default_rng([config.seed, step])


def draw_clips(
    rng: np.random.Generator, data: Mapping[str, Dataset], count: int, num_frames: int
) -> list[tuple[str, int, slice]]:
    """Draw `count` runs of `num_frames` as (data set, scene, frames), each data set equally often."""
    drawn = []
    for name in map(str, rng.choice(list(data), size=count)):
        scene = int(rng.integers(len(data[name])))
        start = int(rng.integers(len(data[name].depth[scene]) - num_frames + 1))
        drawn.append((name, scene, slice(start, start + num_frames)))
    return drawn


def pictures_of(data: Mapping[str, Dataset], drawn: Sequence[tuple[str, int, slice]]) -> torch.Tensor:
    """The first frame of each run that was drawn, `(len(drawn), 3, height, width)` in [-1, 1]."""
    return to_signed(np.stack([data[name].frames[scene][frames][0] for name, scene, frames in drawn]))


def depth_of(data: Mapping[str, Dataset], drawn: Sequence[tuple[str, int, slice]]) -> torch.Tensor:
    """The depth of each run that was drawn, `(len(drawn), frames, height, width)`."""
    depth = np.stack([data[name].depth[scene][frames] for name, scene, frames in drawn])
    return torch.from_numpy(depth).float()


def draw_prompts(
    rng: np.random.Generator,
    data: Mapping[str, Dataset],
    drawn: Sequence[tuple[str, int, slice]],
    dropout: float,
) -> list[str]:
    """Draw a caption of each run, and leave the share `dropout` of them empty."""
    captions = [str(rng.choice(data[name].captions[scene])) for name, scene, _ in drawn]
    kept = rng.random(len(drawn)) >= dropout
    return [caption if keep else "" for caption, keep in zip(captions, kept, strict=True)]


def picture_error(
    found: torch.Tensor, wanted: torch.Tensor, gradient_weight: float, weight: torch.Tensor | float = 1.0
) -> torch.Tensor:
    """Mean absolute error of pixels, by weight, and, so that edges stay sharp, of their differences."""
    error = found - wanted
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return (error.abs() * weight).mean() + gradient_weight * edges


def to_signed(frames: NDArray[np.uint8]) -> torch.Tensor:
    """Turn uint8 `(..., height, width, 3)` into float `(..., 3, height, width)` in [-1, 1]."""
    return torch.from_numpy(np.moveaxis(frames, -1, -3).astype(np.float32) / 127.5 - 1)
