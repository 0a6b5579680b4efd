"""The depth estimator that the reference's file may hold: MiDaS DPT-Hybrid, as transformers builds it."""

import math
from collections.abc import Mapping

import torch
from transformers import BitConfig, DPTConfig, DPTForDepthEstimation

from makeyourvideo.checkpoints.names import DEPTH_ESTIMATOR
from makeyourvideo.checkpoints.unpickling import LazyTensor

_HEAD_DIM = 64  # of every ViT that DPT was built on; no shape shows it
_RESNET = "pretrained.model.patch_embed.backbone"


def build_depth_estimator(tensors: Mapping[str, LazyTensor]) -> DPTForDepthEstimation:
    """The network, without memory for its tensors, in the sizes that the tensors' shapes show.

    Raises:
        KeyError: a tensor that shows a size is missing.
    """

    def shape(name: str) -> tuple[int, ...]:
        return tensors[DEPTH_ESTIMATOR + name].shape

    def count(stem: str) -> int:
        names = (name.removeprefix(f"{DEPTH_ESTIMATOR}{stem}.") for name in tensors)
        return len({name.split(".")[0] for name in names if name.split(".")[0].isdecimal()})

    width, layers = shape("pretrained.model.cls_token")[-1], count("pretrained.model.blocks")
    grid = math.isqrt(shape("pretrained.model.pos_embed")[1] - 1)
    stages = range(count(f"{_RESNET}.stages"))
    features = [shape(f"{_RESNET}.stages.{stage}.blocks.0.conv3.weight")[0] for stage in stages]
    resnet = BitConfig(
        embedding_size=shape(f"{_RESNET}.stem.conv.weight")[0],
        hidden_sizes=features,
        depths=[count(f"{_RESNET}.stages.{stage}.blocks") for stage in stages],
        out_features=[f"stage{stage + 1}" for stage in stages],
        layer_type="bottleneck",
        global_padding="same",
        embedding_dynamic_padding=True,
    )
    config = DPTConfig(
        is_hybrid=True,
        backbone_config=resnet,
        backbone_featmap_shape=[1, features[-1], grid, grid],
        backbone_out_indices=[layers * quarter // 4 - 1 for quarter in (1, 2, 3, 4)],
        hidden_size=width,
        intermediate_size=shape("pretrained.model.blocks.0.mlp.fc1.weight")[0],
        num_hidden_layers=layers,
        num_attention_heads=width // _HEAD_DIM,
        layer_norm_eps=1e-6,
        image_size=grid * 16,
        patch_size=16,
        neck_hidden_sizes=[shape(f"scratch.layer{stage}_rn.weight")[1] for stage in (1, 2, 3, 4)],
        fusion_hidden_size=shape("scratch.layer1_rn.weight")[0],
        reassemble_factors=[1, 1, 1, 0.5],
        use_auxiliary_head=False,
    )
    with torch.device("meta"):
        return DPTForDepthEstimation(config)
