"""A model folder in the diffusers layout: loaded strictly, built without weights, known by its hash."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL
from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTextModel

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.models.camera import CameraEstimator
from makeyourvideo.models.refiner import Refiner
from makeyourvideo.models.sketcher import Sketcher
from makeyourvideo.models.unet import VideoUNet

NETWORKS: dict[str, Any] = {
    "unet": VideoUNet,
    "vae": AutoencoderKL,
    "text_encoder": CLIPTextModel,
    "refiner": Refiner,
    "sketcher": Sketcher,
    "camera": CameraEstimator,
}
"""The parts with weights that sampling uses, by the name of their folder."""

OPTIONAL = ("refiner", "sketcher", "camera")
"""Those that not every model has."""

CLASSES = {
    "unet": ["makeyourvideo.models.unet", "VideoUNet"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "depth_estimator": ["transformers", "DPTForDepthEstimation"],
    "refiner": ["makeyourvideo.models.refiner", "Refiner"],
    "sketcher": ["makeyourvideo.models.sketcher", "Sketcher"],
    "camera": ["makeyourvideo.models.camera", "CameraEstimator"],
}
"""Every part that a model folder may have, as its index names it: library and class."""


TRAINING_RECORD = "training.json"
"""The file that says how a model was made and which words it knows; converted models have none."""


def networks_in(folder: Path) -> list[str]:
    """The names of `NETWORKS` that a model folder has, as its index says."""
    return _networks(json.loads((folder / "model_index.json").read_text()))


def known_words(folder: Path) -> list[str] | None:
    """Return the words that the model in `folder` was trained on, if it says.

    Raises:
        InputError: the model's record cannot be read.
    """
    record = folder / TRAINING_RECORD
    if not record.is_file():
        return None
    with unreadable_unless(record, "a training record in JSON"):
        return list(json.loads(record.read_text())["words"])


def unknown_words(folder: Path, prompt: str) -> list[str]:
    """Return the words of `prompt` that the model in `folder` was never trained on, as far as it says.

    Raises:
        InputError: the model's record cannot be read.
    """
    known = known_words(folder)
    if known is None:
        return []
    return [word for word in dict.fromkeys(re.findall(r"[^\W\d_]+", prompt.lower())) if word not in known]


def own_estimator(folder: Path | None) -> str | None:
    """The depth estimator that a model folder holds, if any."""
    if folder is None or not (folder / "depth_estimator" / "config.json").is_file():
        return None
    return str(folder / "depth_estimator")


def write_index(folder: Path, classes: Mapping[str, list[str]], **settings: Any) -> None:
    """Write `model_index.json`: library and class of each part, and the pipeline's own defaults."""
    index = {
        "_class_name": "MakeYourVideoPipeline",
        "_diffusers_version": diffusers.__version__,
        "depth_estimator": [None, None],
        **{part: [None, None] for part in OPTIONAL},
        **classes,
        **settings,
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


def add_to_index(folder: Path, part: str) -> None:
    """Enter one more part of `CLASSES` into the index of a model folder."""
    file = folder / "model_index.json"
    index = json.loads(file.read_text()) | {part: CLASSES[part]}
    file.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not a whole makeyourvideo model, before anything in it is loaded.

    Raises:
        InputError: the index or a part is missing, a part is of another kind, or a file of weights is cut
            short.
    """
    index_file = folder / "model_index.json"
    if not index_file.is_file():
        raise InputError(folder, "a model folder with a model_index.json", _what_is_there(folder))
    with unreadable_unless(index_file, "a diffusers model index in JSON"):
        index = dict(json.loads(index_file.read_text()))
    networks = _networks(index)
    for part in (*networks, "tokenizer", "scheduler"):
        if part not in index:
            raise InputError(index_file, f"an entry {part!r}", f"only {', '.join(sorted(index))}")
        if not (folder / part).is_dir():
            raise InputError(folder / part, "a folder", _what_is_there(folder / part))
    if not any((folder / "tokenizer" / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        raise InputError(
            folder / "tokenizer", "a tokenizer.json or vocab.json", "neither"
        )  # else loads blank
    if "sketcher" in networks and "camera" not in networks:
        raise InputError(index_file, "a camera beside the sketcher (`makeyourvideo train camera`)", "none")
    for part in networks:
        cls = NETWORKS[part]
        if not isinstance(index[part], list) or index[part][-1] != cls.__name__:
            raise InputError(
                index_file,
                f"{part} of class {cls.__name__} (`makeyourvideo convert` makes one)",
                str(index[part]),
            )
        _check_weights(folder / part)


def load_network(folder: Path, part: str, dtype: torch.dtype) -> torch.nn.Module:
    """Load one of `NETWORKS`, with every tensor accounted for.

    Raises:
        InputError: unreadable, or tensors are missing, surplus or of the wrong shape.
    """
    cls = NETWORKS[part]
    with unreadable_unless(folder / part, f"the weights of a {cls.__name__}"):
        network, report = cls.from_pretrained(
            folder / part, dtype=dtype, output_loading_info=True, local_files_only=True, use_safetensors=True
        )
    for complaint, found in (("missing_keys", "missing"), ("unexpected_keys", "surplus")):
        if report[complaint]:
            names = sorted(report[complaint])
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise InputError(
                folder / part, "exactly the tensors its config describes", f"{names[0]}{more} {found}"
            )
    return network


def build_network(folder: Path, part: str) -> torch.nn.Module:
    """One of `NETWORKS` from its config alone, on whatever device is the default.

    Raises:
        InputError: the config is missing, unreadable or not one of this class.
    """
    cls = NETWORKS[part]
    with unreadable_unless(folder / part / "config.json", f"the config of a {cls.__name__}"):
        if cls is CLIPTextModel:
            return CLIPTextModel(CLIPTextConfig.from_pretrained(folder / part, local_files_only=True))
        return cls.from_config(cls.load_config(folder / part, local_files_only=True))


def _networks(index: Mapping[str, Any]) -> list[str]:
    return [part for part in NETWORKS if part not in OPTIONAL or index.get(part) not in (None, [None, None])]


def _check_weights(folder: Path) -> None:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(folder, "weights in a .safetensors file", "none")
    for file in files:
        with unreadable_unless(file, "a whole safetensors file"), safe_open(file, "pt"):
            pass  # opening reads the header and compares it with the file's length


def _what_is_there(path: Path) -> str:
    if not path.exists():
        return "nothing there"
    return "a folder without one" if path.is_dir() else "a file"
