"""The depth estimator inside the reference's checkpoint."""

from pathlib import Path

import pytest
import torch
from reference_files import SIZES, ReferenceModel, foreign_state, save
from test_reference import convert_to, refusal
from transformers import BitConfig, DPTConfig, DPTForDepthEstimation

from makeyourvideo.checkpoints.names import DEPTH_ESTIMATOR, depth_estimator_sources


@pytest.fixture(scope="module")
def estimator() -> DPTForDepthEstimation:
    torch.manual_seed(0)
    resnet = BitConfig(
        embedding_size=32,
        hidden_sizes=[128, 128, 256],
        depths=[1, 2, 1],
        out_features=["stage1", "stage2", "stage3"],
        layer_type="bottleneck",
        global_padding="same",
        embedding_dynamic_padding=True,
    )
    config = DPTConfig(
        is_hybrid=True,
        backbone_config=resnet,
        backbone_featmap_shape=[1, 256, 2, 2],
        backbone_out_indices=[0, 1, 2, 3],
        hidden_size=128,
        intermediate_size=96,
        num_hidden_layers=4,
        num_attention_heads=2,
        layer_norm_eps=1e-6,
        image_size=32,
        neck_hidden_sizes=[128, 128, 64, 128],
        fusion_hidden_size=32,
        reassemble_factors=[1, 1, 1, 0.5],
        use_auxiliary_head=False,
    )
    return DPTForDepthEstimation(config).eval()


@pytest.fixture(scope="module")
def state(estimator: DPTForDepthEstimation) -> dict[str, torch.Tensor]:
    depth_state = foreign_state(estimator, depth_estimator_sources(estimator.state_dict()))
    head = {f"{DEPTH_ESTIMATOR}pretrained.model.head.weight": torch.ones(3, 128)}
    return ReferenceModel(SIZES).state | depth_state | head


def test_gives_the_same_depth(
    tmp_path: Path, estimator: DPTForDepthEstimation, state: dict[str, torch.Tensor]
) -> None:
    convert_to(tmp_path / "out", save(tmp_path / "model.ckpt", state))
    loaded, report = DPTForDepthEstimation.from_pretrained(
        tmp_path / "out" / "depth_estimator", output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    with torch.inference_mode():
        frames = torch.randn(2, 3, 32, 32)
        want = estimator(frames).predicted_depth
        assert want.std() > 0
        torch.testing.assert_close(loaded.eval()(frames).predicted_depth, want)


def test_names_are_those_of_midas(state: dict[str, torch.Tensor]) -> None:
    assert {
        "depth_stage_model.model.pretrained.model.patch_embed.backbone.stem.conv.weight",
        "depth_stage_model.model.pretrained.model.patch_embed.backbone.stages.1.blocks.0.downsample.norm.bias",
        "depth_stage_model.model.pretrained.model.patch_embed.proj.weight",
        "depth_stage_model.model.pretrained.model.blocks.3.attn.qkv.weight",
        "depth_stage_model.model.pretrained.model.blocks.0.mlp.fc2.bias",
        "depth_stage_model.model.pretrained.act_postprocess3.0.project.0.weight",
        "depth_stage_model.model.pretrained.act_postprocess4.4.weight",
        "depth_stage_model.model.scratch.layer1_rn.weight",
        "depth_stage_model.model.scratch.refinenet4.resConfUnit1.conv2.bias",
        "depth_stage_model.model.scratch.refinenet1.out_conv.weight",
        "depth_stage_model.model.scratch.output_conv.4.bias",
    } <= state.keys()


@pytest.mark.parametrize("name", ["pretrained.model.blocks.2.attn.proj.bias", "scratch.layer2_rn.weight"])
def test_a_missing_tensor_is_named(tmp_path: Path, state: dict[str, torch.Tensor], name: str) -> None:
    state = {key: tensor for key, tensor in state.items() if key != DEPTH_ESTIMATOR + name}
    assert name in refusal(tmp_path, save(tmp_path / "model.ckpt", state))
