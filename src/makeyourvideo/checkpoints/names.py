"""Every name of the reference's checkpoint: where each of our tensors comes from.

Each function takes the names of one of our networks and says which foreign tensor, or which part of it,
holds the values.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

DENOISER = "model.diffusion_model."
AUTOENCODER = "first_stage_model."
TEXT_ENCODER = "cond_stage_model.model."
DEPTH_ESTIMATOR = "depth_stage_model.model."
DEPTH_ESTIMATOR_MARK = DEPTH_ESTIMATOR + "pretrained.model.cls_token"

PLAIN_LAYOUT = "state_dict"
DEEPSPEED_LAYOUT = "module"


@dataclass(frozen=True)
class Source:
    """A foreign tensor, or one of `parts` equal slices of its first axis."""

    name: str
    part: int = 0
    parts: int = 1


Sources = dict[str, Source]


def denoiser_sources(names: Iterable[str], config: Mapping[str, Any]) -> Sources:
    """Where the tensors of a `VideoUNet` of this config come from."""
    modules = _denoiser_modules(config)
    return {name: Source(DENOISER + _denoiser_name(name, modules)) for name in names}


def _denoiser_modules(config: Mapping[str, Any]) -> dict[str, str]:
    """Our module -> theirs. They number all blocks of a way in one row, and the parts within a block."""
    levels, layers = len(config["block_out_channels"]), config["layers_per_block"]
    transformers = ["attentions"] + ["temporal_attentions"] * config["temporal_attention"]
    modules = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }

    def add_layer(level: str, layer: int, block: str, parts: list[str]) -> None:
        for index, part in enumerate(["resnets", *parts]):
            modules[f"{level}.{part}.{layer}"] = f"{block}.{index}"
        modules[f"{level}.temporal_convs.{layer}"] = f"{block}.0.temopral_conv"

    block = 1
    for level in range(levels):
        parts = transformers if config["attention_levels"][level] else []
        for layer in range(layers):
            add_layer(f"down_blocks.{level}", layer, f"input_blocks.{block}", parts)
            block += 1
        modules[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{block}.0.op"
        block += 1

    add_layer("mid_block", 0, "middle_block", transformers)
    last = f"middle_block.{1 + len(transformers)}"
    modules["mid_block.resnets.1"] = last
    modules["mid_block.temporal_convs.1"] = f"{last}.temopral_conv"

    for level in range(levels):
        parts = transformers if config["attention_levels"][-1 - level] else []
        for layer in range(layers + 1):
            block = level * (layers + 1) + layer
            add_layer(f"up_blocks.{level}", layer, f"output_blocks.{block}", parts)
        modules[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{block}.{1 + len(parts)}.conv"
    return modules


_RESIDUAL_BLOCK = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_RELATIVE_POSITIONS = {
    "relative_key": "relative_position_k.embeddings_table",
    "relative_value": "relative_position_v.embeddings_table",
}


def _denoiser_name(name: str, modules: dict[str, str]) -> str:
    parts = name.split(".")
    module = next(
        ".".join(parts[:end]) for end in range(len(parts), 0, -1) if ".".join(parts[:end]) in modules
    )
    leaf = name.removeprefix(f"{module}.")
    if ".resnets." in module:
        layer, _, kind = leaf.rpartition(".")
        leaf = f"{_RESIDUAL_BLOCK[layer]}.{kind}"
    elif ".temporal_convs." in module:
        layer, stage, kind = leaf.split(".")
        convolution = 2 if stage == "0" else 3  # no dropout before the first
        leaf = f"{0 if layer == 'norms' else convolution}.{kind}"
        leaf = f"conv_last.{leaf}" if stage == "4" else f"conv.{stage}.{leaf}"
    elif parts[-1] in _RELATIVE_POSITIONS:
        leaf = leaf.replace(parts[-1], _RELATIVE_POSITIONS[parts[-1]])
    return f"{modules[module]}.{leaf}"


def autoencoder_sources(names: Iterable[str], config: Mapping[str, Any]) -> Sources:
    """Where the tensors of an `AutoencoderKL` come from; they number the way up from the top."""
    top = len(config["block_out_channels"]) - 1
    attention = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}

    def foreign(name: str) -> str:
        name = re.sub(r"up_blocks\.(\d+)", lambda match: f"up.{top - int(match[1])}", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda match: f"mid.block_{int(match[1]) + 1}", name)
        name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("down_blocks", "down")
        name = name.replace("resnets", "block").replace("conv_shortcut", "nin_shortcut")
        name = name.replace("attentions", "attn").replace("conv_norm_out", "norm_out")
        name = name.replace("downsamplers.0", "downsample").replace("upsamplers.0", "upsample")
        if ".attn" in name:
            stem, leaf, kind = re.fullmatch(r"(.*\.attn[_.]\d+)\.(.*)\.(\w+)", name).groups()  # type: ignore[union-attr]
            name = f"{stem}.{attention[leaf]}.{kind}"
        return AUTOENCODER + name

    return {name: Source(foreign(name)) for name in names}


def text_encoder_sources(names: Iterable[str]) -> Sources:
    """Where the tensors of a `CLIPTextModel` come from: OpenCLIP's text tower, its projections in one."""
    return {name: _text_encoder_source(name) for name in names}


_TEXT_TOWER = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "encoder.layers": "transformer.resblocks",
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "final_layer_norm": "ln_final",
}


def _text_encoder_source(name: str) -> Source:
    for ours, theirs in _TEXT_TOWER.items():
        name = name.replace(ours, theirs)
    projection = re.fullmatch(r"(.*)\.self_attn\.([qkv])_proj\.(weight|bias)", name)
    if projection:
        block, which, kind = projection.groups()
        return Source(f"{TEXT_ENCODER}{block}.attn.in_proj_{kind}", "qkv".index(which), 3)
    return Source(TEXT_ENCODER + name)


def depth_estimator_sources(names: Iterable[str]) -> Sources:
    """Where the tensors of a hybrid `DPTForDepthEstimation` come from: MiDaS on timm's ViT and ResNet."""
    return {name: _depth_estimator_source(name) for name in names}


_DEPTH_ESTIMATOR = (
    (
        r"dpt\.embeddings\.backbone\.bit\.embedder\.convolution",
        "pretrained.model.patch_embed.backbone.stem.conv",
    ),
    (r"dpt\.embeddings\.backbone\.bit\.embedder", "pretrained.model.patch_embed.backbone.stem"),
    (
        r"dpt\.embeddings\.backbone\.bit\.encoder\.stages\.(\d+)\.layers",
        r"pretrained.model.patch_embed.backbone.stages.\1.blocks",
    ),
    (r"dpt\.embeddings\.position_embeddings", "pretrained.model.pos_embed"),
    (r"dpt\.embeddings\.projection", "pretrained.model.patch_embed.proj"),
    (r"dpt\.embeddings\.cls_token", "pretrained.model.cls_token"),
    (r"dpt\.encoder\.layer\.(\d+)", r"pretrained.model.blocks.\1"),
    (r"dpt\.layernorm", "pretrained.model.norm"),
    (r"attention\.output\.dense", "attn.proj"),
    (r"intermediate\.dense", "mlp.fc1"),
    (r"output\.dense", "mlp.fc2"),
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"residual_layer(\d)\.convolution(\d)", r"resConfUnit\1.conv\2"),
    (r"head\.head", "scratch.output_conv"),
)


def _depth_estimator_source(name: str) -> Source:
    for ours, theirs in _DEPTH_ESTIMATOR:
        name = re.sub(ours, theirs, name)
    # They count the stages from 1, and the fusion of features from the last to the first.
    name = re.sub(r"neck\.convs\.(\d)", lambda match: f"scratch.layer{int(match[1]) + 1}_rn", name)
    name = re.sub(
        r"neck\.fusion_stage\.layers\.(\d)\.(projection)?",
        lambda match: f"scratch.refinenet{4 - int(match[1])}.{'out_conv' if match[2] else ''}",
        name,
    )
    readout = re.fullmatch(r"neck\.reassemble_stage\.readout_projects\.(\d)\.0\.(\w+)", name)
    if readout:
        name = f"pretrained.act_postprocess{int(readout[1]) + 1}.0.project.0.{readout[2]}"
    reassembled = re.fullmatch(r"neck\.reassemble_stage\.layers\.(\d)\.(projection|resize)\.(\w+)", name)
    if reassembled:
        stage, layer, kind = reassembled.groups()
        name = f"pretrained.act_postprocess{int(stage) + 1}.{3 if layer == 'projection' else 4}.{kind}"
    projection = re.fullmatch(r"(.*)\.attention\.attention\.(query|key|value)\.(\w+)", name)
    if projection:
        block, which, kind = projection.groups()
        which_third = ("query", "key", "value").index(which)
        return Source(f"{DEPTH_ESTIMATOR}{block}.attn.qkv.{kind}", which_third, 3)
    return Source(DEPTH_ESTIMATOR + name)
