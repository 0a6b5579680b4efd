"""A foreign checkpoint to a model folder in the diffusers layout, written whole or not at all."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from diffusers import DDIMScheduler

from makeyourvideo.checkpoints.clip_tokenizer import clip_tokenizer
from makeyourvideo.checkpoints.image_model import read_image_model
from makeyourvideo.checkpoints.parts import Part, write_part
from makeyourvideo.checkpoints.reference import Dropped, read_reference
from makeyourvideo.checkpoints.reference_config import ReferenceConfig, read_reference_config
from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.model_folder import CLASSES, write_index
from makeyourvideo.outputs import check_free, written_whole

_COPIED_SUFFIXES = (".json", ".txt", ".safetensors")


@dataclass(frozen=True)
class Written:
    """A network stands in the folder."""

    folder: str
    tensors: int
    size: int  # in bytes


@dataclass(frozen=True)
class Copied:
    """Files of a part that needs no conversion stand in the folder."""

    folder: str
    files: list[str]


Event = Written | Copied | Dropped


def convert(
    checkpoint: Path, model: Path, config: Path | None = None, force: bool = False
) -> Iterator[Event]:
    """Convert the reference's checkpoint, or a Stable Diffusion depth model's folder, into `model`.

    Tensors pass through memory one at a time. Half-precision tensors keep their type, others become float32.

    Args:
        checkpoint: the reference's file in either layout, or a diffusers folder.
        model: the model folder to make.
        config: sizes of the file's networks in JSON, by the reference's names; the released sizes without.
        force: whether an existing folder may be replaced.

    Yields:
        What was dropped, then each part as it is done.

    Raises:
        InputError: anything wrong with the checkpoint or the config; then nothing is written.
    """
    check_free(model, force)
    if checkpoint.is_dir():
        if config is not None:
            raise InputError(config, "no config beside a folder, which has its own", "one")
        yield from _convert_image_model(checkpoint, model, force)
    else:
        yield from _convert_reference(checkpoint, model, config, force)


def _convert_reference(checkpoint: Path, model: Path, config: Path | None, force: bool) -> Iterator[Event]:
    sizes = ReferenceConfig() if config is None else read_reference_config(config)
    parts, dropped = read_reference(checkpoint, sizes, str(config or checkpoint))
    yield from dropped
    with written_whole(model, force) as partial:
        yield from _write(parts, partial)
        text = sizes.cond_stage
        with unreadable_unless(model, "room for the tokenizer"):  # its library raises no OSError
            clip_tokenizer(text.vocab, text.context_length).save_pretrained(partial / "tokenizer")
        DDIMScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            timestep_spacing="leading",
        ).save_pretrained(partial / "scheduler")
        folders = [part.folder for part in parts]
        write_index(partial, {folder: CLASSES[folder] for folder in (*folders, "tokenizer", "scheduler")})


def _convert_image_model(folder: Path, model: Path, force: bool) -> Iterator[Event]:
    index_file = folder / "model_index.json"
    try:
        index = dict(json.loads(index_file.read_text()))
    except (OSError, ValueError) as error:
        raise InputError(index_file, "the index of a diffusers model", str(error)) from error
    denoiser = read_image_model(folder)
    classes = {"unet": CLASSES["unet"]}
    for part in ("vae", "text_encoder", "tokenizer", "scheduler", "depth_estimator"):
        if index.get(part, [None])[0] is not None:
            classes[part] = index[part]
        elif part != "depth_estimator":
            raise InputError(index_file, f"an entry {part!r}", "none")
    left = sorted(
        name for name, entry in index.items() if isinstance(entry, list) and entry[0] and name not in classes
    )
    if left:
        yield Dropped("parts that a video model has no use for", left)
    with written_whole(model, force) as partial:
        yield from _write([denoiser], partial)
        for part in classes.keys() - {"unet"}:
            yield _copy(folder / part, partial / part)
        write_index(partial, classes)


def _write(parts: list[Part], model: Path) -> Iterator[Event]:
    for part in parts:
        size = write_part(part, model)
        yield Written(part.folder, len(part.tensors), size)


def _copy(source: Path, target: Path) -> Copied:
    """Copy the files that are data and not a variant, which another name's middle part marks."""
    files = sorted(
        file for file in source.glob("*") if file.suffix in _COPIED_SUFFIXES and file.name.count(".") == 1
    )
    if not files:
        raise InputError(source, f"a folder with {', '.join(_COPIED_SUFFIXES)} files", "none")
    target.mkdir(parents=True)
    for file in files:
        shutil.copy(file, target / file.name)
    return Copied(target.name, [file.name for file in files])
