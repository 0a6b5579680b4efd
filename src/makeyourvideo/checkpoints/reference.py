"""The reference's checkpoint, sorted into the networks of a model folder with every tensor accounted for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from makeyourvideo.checkpoints import names
from makeyourvideo.checkpoints.midas import build_depth_estimator
from makeyourvideo.checkpoints.names import Source, Sources
from makeyourvideo.checkpoints.parts import (
    Part,
    build_autoencoder,
    build_denoiser,
    build_text_encoder,
    shapes,
)
from makeyourvideo.checkpoints.reference_config import ReferenceConfig
from makeyourvideo.checkpoints.unpickling import LazyTensor, read_checkpoint
from makeyourvideo.errors import InputError, unreadable_unless


@dataclass(frozen=True)
class Dropped:
    """Tensors, or other entries of the file, that the model folder does without."""

    reason: str
    names: list[str]


def read_reference(path: Path, config: ReferenceConfig, config_name: str) -> tuple[list[Part], list[Dropped]]:
    """Sort a reference checkpoint into parts and leftovers; reads no tensor's values yet.

    Args:
        path: the checkpoint, in either of its layouts.
        config: the sizes of its networks.
        config_name: whom to blame where they are impossible.

    Raises:
        InputError: a tensor is missing, surplus or of another shape, the sizes are impossible, or the file is
            unsafe or unreadable.
    """
    tensors, beside = _read_tensors(path)
    loader = _Loader(path, tensors)
    with unreadable_unless(config_name, "sizes that the networks can have"):
        denoiser = build_denoiser(config.unet.network_config())
        autoencoder = build_autoencoder(config.first_stage.network_config())
        text_encoder = build_text_encoder(config.cond_stage.network_config())
    parts = [
        loader.part("unet", denoiser, lambda own: names.denoiser_sources(own, denoiser.config)),
        loader.part("vae", autoencoder, lambda own: names.autoencoder_sources(own, autoencoder.config)),
        loader.part("text_encoder", text_encoder, names.text_encoder_sources),
    ]
    if names.DEPTH_ESTIMATOR_MARK in tensors:
        with unreadable_unless(path, "a MiDaS DPT-Hybrid under depth_stage_model"):
            depth_estimator = build_depth_estimator(tensors)
        parts.append(loader.part("depth_estimator", depth_estimator, names.depth_estimator_sources))
    return parts, [*loader.leftovers(config.cond_stage.layers - 1), *beside]


class _Loader:
    def __init__(self, path: Path, tensors: Mapping[str, LazyTensor]) -> None:
        self._path, self._tensors = path, tensors
        self._used: set[str] = set()

    def part(self, folder: str, network: Any, sources: Callable[[Iterable[str]], Sources]) -> Part:
        own = shapes(network)
        found = {name: self._find(source, own[name]) for name, source in sources(own).items()}
        return Part(folder, network, found)

    def _find(self, source: Source, shape: tuple[int, ...]) -> LazyTensor:
        if source.name not in self._tensors:
            raise InputError(self._path, f"the tensor {source.name}", "no tensor of that name")
        self._used.add(source.name)
        foreign = self._tensors[source.name]
        whole = (shape[0] * source.parts, *shape[1:])
        # They write 1x1 convolutions for linear layers, and 3-D kernels flat in one direction or two.
        if [n for n in foreign.shape if n != 1] != [n for n in whole if n != 1]:
            raise InputError(self._path, f"{source.name} of shape {whole}", f"{foreign.shape}")

        def load() -> Tensor:
            return foreign.load().reshape(whole).chunk(source.parts)[source.part]

        return replace(foreign, shape=shape, load=load)

    def leftovers(self, last_text_layer: int) -> list[Dropped]:
        """Group what no network used, and refuse what one should have."""
        reasons = {
            f"{names.TEXT_ENCODER}transformer.resblocks.{last_text_layer}.": "the text layer that never runs",
            f"{names.TEXT_ENCODER}text_projection": "for comparing text to pictures",
            f"{names.TEXT_ENCODER}logit_scale": "for comparing text to pictures",
            f"{names.AUTOENCODER}loss.": "for training the autoencoder",
            f"{names.DEPTH_ESTIMATOR}": "not part of a depth estimator",
            f"{names.DENOISER}": None,
            f"{names.AUTOENCODER}": None,
            f"{names.TEXT_ENCODER}": None,
            "": "the schedule and everything else",
        }
        dropped: dict[str, list[str]] = {}
        for name in sorted(self._tensors.keys() - self._used):
            reason = next(reason for prefix, reason in reasons.items() if name.startswith(prefix))
            if reason is None:
                raise InputError(self._path, "no tensors beyond those of the given sizes", name)
            dropped.setdefault(reason, []).append(name)
        return [Dropped(reason, group) for reason, group in dropped.items()]


def _read_tensors(path: Path) -> tuple[dict[str, LazyTensor], list[Dropped]]:
    """The weights by the reference's names, and what stands beside them."""
    held = read_checkpoint(path)
    layout = next((key for key in (names.PLAIN_LAYOUT, names.DEEPSPEED_LAYOUT) if key in held), None)
    if layout is None or not isinstance(held[layout], dict):
        keys = ", ".join(map(str, list(held)[:5])) or "nothing"
        raise InputError(
            path, f"weights under {names.PLAIN_LAYOUT} or {names.DEEPSPEED_LAYOUT}", f"only {keys}"
        )
    weights = held[layout]
    prefix = _common_prefix(path, weights)
    tensors, others = {}, [str(key) for key in held if key != layout]
    for key, value in weights.items():
        if isinstance(value, LazyTensor):
            tensors[key.removeprefix(prefix)] = value
        else:
            others.append(f"{layout}.{key}")
    return tensors, [Dropped("not weights", others)] if others else []


def _common_prefix(path: Path, weights: Mapping[Any, Any]) -> str:
    """What DeepSpeed's engine or another wrapper put before the reference's names, if anything."""
    if not all(isinstance(key, str) for key in weights):
        raise InputError(path, "tensors under names", "keys that are not text")
    marked = next((key for key in weights if names.DENOISER in key), None)
    if marked is None:
        raise InputError(path, f"tensors under {names.DENOISER}*", f"{len(weights)} others")
    return marked[: marked.index(names.DENOISER)]
