"""A start for stage 2: a depth-conditional image model gets temporal layers that change nothing yet.

The spatial layers of `VideoUNet` have the names of diffusers' `UNet2DConditionModel`, so none is renamed.
"""

import copy
import inspect
import json
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from safetensors import safe_open
from torch import Tensor

from makeyourvideo.checkpoints.parts import SAFETENSORS_DTYPES, Part, build_denoiser, shapes
from makeyourvideo.checkpoints.unpickling import LazyTensor
from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.models.temporal import TemporalLayer
from makeyourvideo.models.unet import VideoUNet

_ATTENDING = {"CrossAttnDownBlock2D": True, "DownBlock2D": False}
_SIZES = {
    "in_channels",
    "out_channels",
    "block_out_channels",
    "layers_per_block",
    "down_block_types",
    "up_block_types",
    "attention_head_dim",  # in this class the number of heads
    "cross_attention_dim",
    "norm_num_groups",
    "dropout",
    "transformer_layers_per_block",
}
_DTYPES = {name: dtype for dtype, name in SAFETENSORS_DTYPES.items()}  # others are written as float32
_WITHOUT_EFFECT = {"sample_size", "upcast_attention", "use_linear_projection"}


def read_image_model(folder: Path) -> Part:
    """The denoiser of a Stable Diffusion depth model's folder, made a video model.

    Raises:
        InputError: not such a folder, or its U-Net is built otherwise.
    """
    config_file = folder / "unet" / "config.json"
    with unreadable_unless(config_file, "the config of a UNet2DConditionModel"):
        config = json.loads(config_file.read_text())
        network = build_denoiser(_network_config(config_file, config))
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    with unreadable_unless(weights, "the weights of a UNet2DConditionModel"):
        spatial = _read_safetensors(weights)
    temporal = _fresh_temporal_tensors(network)
    tensors = {}
    for name, shape in shapes(network).items():
        tensors[name] = temporal[name] if name in temporal else _spatial_tensor(weights, spatial, name, shape)
    surplus = sorted(spatial.keys() - tensors.keys())
    if surplus:
        raise InputError(weights, "no tensors beyond those of the config", surplus[0])
    return Part("unet", network, tensors)


def _network_config(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    defaults = inspect.signature(UNet2DConditionModel.__init__).parameters
    for option, value in config.items():
        if option.startswith("_") or option in _SIZES | _WITHOUT_EFFECT:
            continue
        if option not in defaults or value not in (
            defaults[option].default,
            _untupled(defaults[option].default),
        ):
            raise InputError(path, "a U-Net as of Stable Diffusion 2", f"{option} = {value!r}")
    if config["in_channels"] != config["out_channels"] + 1:
        found = f"{config['in_channels']} channels in, {config['out_channels']} out"
        raise InputError(path, "a depth model: one channel more in than out", found)
    attention_levels = [_ATTENDING[kind] for kind in config["down_block_types"]]
    if ["Cross" in kind for kind in reversed(config["up_block_types"])] != attention_levels:
        raise InputError(path, "the same attention up and down", str(config["up_block_types"]))
    widths, heads = config["block_out_channels"], config["attention_head_dim"]
    heads = [heads] * len(widths) if isinstance(heads, int) else heads
    return {
        "in_channels": config["in_channels"],
        "out_channels": config["out_channels"],
        "block_out_channels": widths,
        "layers_per_block": config["layers_per_block"],
        "attention_levels": attention_levels,
        "attention_head_dim": [width // number for width, number in zip(widths, heads, strict=True)],
        "transformer_layers": config.get("transformer_layers_per_block", 1),
        "cross_attention_dim": config["cross_attention_dim"],
        "norm_num_groups": config.get("norm_num_groups", 32),
        "dropout": config.get("dropout", 0.0),
        "depth_normalization": "frame",
    }


def _untupled(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _read_safetensors(path: Path) -> dict[str, LazyTensor]:
    def loader(name: str) -> Callable[[], Tensor]:
        def load() -> Tensor:
            with safe_open(path, framework="pt") as file:
                return file.get_tensor(name)

        return load

    with safe_open(path, framework="pt") as file:
        found = {}
        for name in file.keys():  # noqa: SIM118  (not a mapping)
            header = file.get_slice(name)
            dtype = _DTYPES.get(header.get_dtype(), torch.float32)
            found[name] = LazyTensor(tuple(header.get_shape()), dtype, loader(name))
        return found


def _spatial_tensor(
    path: Path, spatial: Mapping[str, LazyTensor], name: str, shape: tuple[int, ...]
) -> LazyTensor:
    if name not in spatial:
        raise InputError(path, f"the tensor {name}", "no tensor of that name")
    found = spatial[name]
    # Stable Diffusion 1 writes 1x1 convolutions for linear layers.
    if found.shape not in (shape, (*shape, 1, 1)):
        raise InputError(path, f"{name} of shape {shape}", f"{found.shape}")
    return LazyTensor(shape, found.dtype, lambda: found.load().reshape(shape))


def _fresh_temporal_tensors(network: VideoUNet) -> dict[str, LazyTensor]:
    """Temporal layers as in a new network, made one layer at a time; the same ones every time."""
    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, TemporalLayer)}

    @lru_cache(maxsize=1)
    def fresh(name: str) -> Mapping[str, Tensor]:
        layer = copy.deepcopy(layers[name]).to_empty(device="cpu")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(zlib.crc32(name.encode()))
            layer.reset_parameters()
        return layer.state_dict()

    def loader(layer: str, name: str) -> Callable[[], Tensor]:
        return lambda: fresh(layer)[name]

    return {
        f"{layer}.{name}": LazyTensor(tuple(tensor.shape), torch.float32, loader(layer, name))
        for layer, module in layers.items()
        for name, tensor in module.state_dict().items()
    }
