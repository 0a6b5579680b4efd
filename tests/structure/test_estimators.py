"""Estimators behind one interface: ours, and small random networks of the classes that transformers has."""

import json

import numpy as np
import pytest
import torch
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    DepthProConfig,
    DepthProForDepthEstimation,
    DPTConfig,
    DPTForDepthEstimation,
)

from makeyourvideo.errors import InputError
from makeyourvideo.models.depth_estimator import DepthEstimator
from makeyourvideo.structure.estimators import Preprocessing, load_estimator

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3), dtype=np.uint8)
VIT = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 64}


def depth_anything(**settings):
    backbone = {
        "model_type": "dinov2",
        **VIT,
        "patch_size": 14,
        "image_size": 56,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
        "reshape_hidden_states": False,
    }
    return DepthAnythingForDepthEstimation(
        DepthAnythingConfig(
            backbone_config=backbone,
            reassemble_hidden_size=32,
            neck_hidden_sizes=[8, 8, 8, 8],
            fusion_hidden_size=8,
            head_in_index=-1,
            **settings,
        )
    )


def dpt():
    config = DPTConfig(
        **VIT,
        image_size=64,
        patch_size=16,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        is_hybrid=False,
        backbone_out_indices=[0, 1, 2, 3],
    )
    return DPTForDepthEstimation(config)


def depth_pro():
    vit = {"model_type": "dinov2", **VIT, "patch_size": 4, "image_size": 16}
    config = DepthProConfig(
        patch_size=16,
        fusion_hidden_size=8,
        scaled_images_ratios=[0.5, 1],
        scaled_images_overlap_ratios=[0.0, 0.2],
        scaled_images_feature_dims=[8, 8],
        intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[8, 8],
        image_model_config=vit,
        patch_model_config=vit,
        fov_model_config=vit,
        num_fov_head_layers=0,
        use_fov_model=True,
    )
    return DepthProForDepthEstimation(config)


@pytest.fixture
def saved(tmp_path):
    def save(network, **settings):
        torch.manual_seed(0)
        network.save_pretrained(tmp_path / "estimator")
        (tmp_path / "estimator" / "preprocessor_config.json").write_text(json.dumps(settings))
        return tmp_path / "estimator"

    return save


@pytest.mark.parametrize(
    ("build", "settings", "units"),
    [
        (dpt, {"size": {"height": 64, "width": 64}}, "relative"),
        (depth_anything, {"size": 56, "keep_aspect_ratio": True, "ensure_multiple_of": 14}, "relative"),
        (lambda: depth_anything(depth_estimation_type="metric", max_depth=20), {"size": 56}, "metric"),
        (depth_pro, {"size": {"height": 32, "width": 32}}, "metric"),
    ],
    ids=["dpt", "depth anything", "metric depth anything", "depth pro"],
)
def test_networks_of_transformers_estimate_at_the_frames_size(saved, build, settings, units):
    estimator = load_estimator(saved(build(), **settings))
    inverse = estimator.estimate(FRAMES)
    assert (inverse.shape, inverse.dtype) == (FRAMES.shape[:3], np.float32)
    assert np.isfinite(inverse).all()
    assert estimator.units == units
    if units == "metric":
        assert inverse.min() >= 0


def test_depth_pro_takes_the_angle_of_view_into_account(saved):
    network = depth_pro()
    estimator = load_estimator(saved(network, size={"height": 32, "width": 32}))
    seen = network.eval()(pixel_values=Preprocessing(32, 32, False, 1, (0.5,) * 3, (0.5,) * 3)(FRAMES[:1]))
    focal_length_in_widths = 0.5 / torch.tan(torch.deg2rad(seen.field_of_view) / 2)
    expected = seen.predicted_depth.mean() / focal_length_in_widths
    assert estimator.estimate(FRAMES[:1]).mean() == pytest.approx(
        expected.item(), rel=0.05
    )  # but for the resampling


def test_pictures_keep_their_shape_where_the_network_wants_it():
    prepare = Preprocessing.read({"size": 70, "keep_aspect_ratio": True, "ensure_multiple_of": 14})
    assert prepare(np.zeros((1, 40, 80, 3), np.uint8)).shape == (1, 3, 28, 70)
    white = Preprocessing.read({"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "size": 8})
    assert torch.allclose(white(np.full((1, 8, 8, 3), 255, np.uint8)), torch.tensor(2.0))


def test_our_own_is_found_by_its_config_and_bundled(tmp_path):
    DepthEstimator().save_pretrained(tmp_path)
    for source, name in ((tmp_path, str(tmp_path)), (None, "bundled")):
        estimator = load_estimator(source)
        assert (estimator.name, estimator.units) == (name, "relative")
        assert estimator.estimate(FRAMES).shape == FRAMES.shape[:3]


def test_what_is_no_estimator_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere: expected a depth estimator"):
        load_estimator(tmp_path / "nowhere")
