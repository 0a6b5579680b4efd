"""Meshes of real things, in the public domain (see NOTICE), so that depth from outside is not foreign."""

from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
import trimesh
from numpy.typing import NDArray

FURNITURE = (
    "chair",
    "armchair",
    "table",
    "sofa",
    "bench",
    "stool",
    "lamp",
    "barrel",
    "mug",
    "horse",
    "chicken",
    "motorbike",
    "desk",
    "bookcase",
    "rock",
    "mailbox",
    "piano",
    "lantern",
    "teddy bear",
    "cactus",
    "bed",
    "deer",
    "wheelbarrow",
    "rocking horse",
    "biplane",
    "guitar",
)


def furniture(noun: str, rng: np.random.Generator) -> trimesh.Trimesh:
    """Pick one of the models of a kind; all stand upright within the unit ball."""
    arrays = _arrays()
    models = sum(name.startswith(f"{noun}/") for name in arrays) // 2
    name = f"{noun}/{rng.integers(models)}"
    return trimesh.Trimesh(arrays[f"{name}/vertices"].astype(np.float64), arrays[f"{name}/faces"])


@lru_cache(maxsize=1)
def _arrays() -> dict[str, NDArray[np.generic]]:
    with as_file(files("makeyourvideo") / "data" / "furniture.npz") as path, np.load(path) as packed:
        return dict(packed)
