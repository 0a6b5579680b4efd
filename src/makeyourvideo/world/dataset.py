"""Rendered scenes on disk: shards that are written whole, skipped when there, and read by memory map."""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from makeyourvideo.errors import InputError
from makeyourvideo.outputs import written_whole
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.world.captions import caption
from makeyourvideo.world.render import FLOOR, render
from makeyourvideo.world.scene import Scene, WorldConfig, sample_scene

_SHARD = 128
_WORDINGS = 6


class DatasetConfig(BaseModel):
    """Which scenes a data set holds: `count` of them from `first_seed` on, `num_frames` of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int
    num_frames: int = 16
    first_seed: int = 0
    world: WorldConfig = WorldConfig()


@dataclass(frozen=True)
class Dataset:
    """Scenes in order of their seeds.

    Attributes:
        frames: uint8 `(frames, height, width, 3)`, one array a scene.
        depth: `DepthVideo.values` normalised over the clip, float16 `(frames, height, width)`, one a scene.
        surfaces: int8 `(frames, height, width)`, one a scene: -1 sky, 0 floor, k + 1 for object k.
        points: where on its object each pixel lies, float16 `(frames, height, width, 3)`, one a scene: in the
            object's own frame, in units of its size; 0 where no object is.
        captions: several wordings, one list a scene.
        config: what the scenes were sampled from.
    """

    frames: list[NDArray[np.uint8]]
    depth: list[NDArray[np.float16]]
    surfaces: list[NDArray[np.int8]]
    points: list[NDArray[np.float16]]
    captions: list[list[str]]
    config: DatasetConfig

    def __len__(self) -> int:
        return len(self.captions)

    def scene(self, index: int) -> Scene:
        """Sample scene `index` again: what its pictures show, in the frames that there are of it."""
        return _scene(self.config, self.config.first_seed + index)


def build_dataset(config: DatasetConfig, folder: Path, workers: int = 2) -> Iterator[tuple[int, int]]:
    """Render what is missing of a data set; yields (shards done, shards in all) as they are finished.

    Raises:
        InputError: `folder` holds another data set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    described = folder / "dataset.json"
    if described.exists() and DatasetConfig.model_validate_json(described.read_text()) != config:
        raise InputError(
            described, "the data set that the config asks for", "another one: use another folder"
        )
    described.write_text(config.model_dump_json(indent=1))
    shards = range(-(-config.count // _SHARD))
    missing = [shard for shard in shards if not _is_whole(_shard_folder(folder, shard))]
    done = len(shards) - len(missing)
    yield done, len(shards)
    with ProcessPoolExecutor(workers) as pool:
        for _ in pool.map(partial(_render_shard, config, folder), missing):
            done += 1
            yield done, len(shards)


def open_dataset(folder: Path) -> Dataset:
    """Map a finished data set into memory.

    Raises:
        FileNotFoundError: a shard is missing.
    """
    config = DatasetConfig.model_validate_json((folder / "dataset.json").read_text())
    dataset = Dataset([], [], [], [], [], config)
    for shard in range(-(-config.count // _SHARD)):
        home = _shard_folder(folder, shard)
        dataset.frames.extend(np.load(home / "frames.npy", mmap_mode="r"))
        dataset.depth.extend(np.load(home / "depth.npy", mmap_mode="r"))
        dataset.surfaces.extend(np.load(home / "surfaces.npy", mmap_mode="r"))
        dataset.points.extend(np.load(home / "points.npy", mmap_mode="r"))
        dataset.captions.extend(json.loads((home / "captions.json").read_text()))
    return dataset


def _shard_folder(folder: Path, shard: int) -> Path:
    return folder / f"shard-{shard:05d}"


def _is_whole(shard: Path) -> bool:
    """Whether a shard is there; those of earlier versions lack the points."""
    return (shard / "points.npy").exists()


def _scene(config: DatasetConfig, seed: int) -> Scene:
    """Sample a scene, and of its frames as many in a row as the data set holds."""
    scene = sample_scene(seed, config.world)
    start = int(np.random.default_rng([seed, 1]).integers(len(scene.cameras) - config.num_frames + 1))
    return scene.at(slice(start, start + config.num_frames))


def _render_shard(config: DatasetConfig, folder: Path, shard: int) -> None:
    frames, depth, surfaces, points, captions = [], [], [], [], []
    for seed in range(
        config.first_seed + shard * _SHARD, config.first_seed + min((shard + 1) * _SHARD, config.count)
    ):
        scene = _scene(config, seed)
        clip = render(scene, config.world.size)
        frames.append(clip.frames)
        depth.append(DepthVideo.from_metric_depth(clip.depth).values.astype(np.float16))
        surfaces.append(clip.surfaces)
        points.append(np.where(clip.surfaces[..., None] > FLOOR, clip.points, 0).astype(np.float16))
        captions.append([caption(scene, wording) for wording in range(_WORDINGS)])
    with written_whole(_shard_folder(folder, shard), force=True) as partial_folder:
        partial_folder.mkdir()
        np.save(partial_folder / "frames.npy", np.stack(frames))
        np.save(partial_folder / "depth.npy", np.stack(depth))
        np.save(partial_folder / "surfaces.npy", np.stack(surfaces))
        np.save(partial_folder / "points.npy", np.stack(points))
        (partial_folder / "captions.json").write_text(json.dumps(captions))
