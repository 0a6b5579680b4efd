"""A Stable Diffusion depth model as the start of stage 2."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from makeyourvideo.checkpoints import Dropped, convert
from makeyourvideo.checkpoints.clip_tokenizer import clip_tokenizer
from makeyourvideo.errors import InputError
from makeyourvideo.models import VideoUNet

UNET: dict[str, Any] = {
    "in_channels": 5,
    "out_channels": 4,
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "attention_head_dim": (2, 4),  # the number of heads, in this class
    "cross_attention_dim": 16,
    "use_linear_projection": True,
}


def image_model(folder: Path, **options: Any) -> UNet2DConditionModel:
    torch.manual_seed(0)
    unet = UNet2DConditionModel(**(UNET | options)).eval()
    unet.save_pretrained(folder / "unet")
    AutoencoderKL(block_out_channels=(32,)).save_pretrained(folder / "vae")
    text = CLIPTextConfig(
        vocab_size=600, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    clip_tokenizer(600).save_pretrained(folder / "tokenizer")
    DDIMScheduler().save_pretrained(folder / "scheduler")
    (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"a variant")
    index = {
        "_class_name": "StableDiffusionDepth2ImgPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "feature_extractor": ["transformers", "DPTImageProcessor"],
        "depth_estimator": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return unet


@pytest.mark.parametrize(
    "options", [{}, {"use_linear_projection": False}, {"transformer_layers_per_block": 2}], ids=str
)
@torch.inference_mode()
def test_gives_the_image_models_numbers_frame_by_frame(tmp_path: Path, options: dict[str, Any]) -> None:
    image = image_model(tmp_path / "sd", **options)
    events = list(convert(tmp_path / "sd", tmp_path / "out"))
    assert [event.names for event in events if isinstance(event, Dropped)] == [["feature_extractor"]]
    video, report = VideoUNet.from_pretrained(tmp_path / "out" / "unet", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    sample, context = torch.randn(2, 5, 3, 8, 8), torch.randn(2, 7, 16)
    predicted = video(sample, torch.tensor([3, 900]), context).sample
    for frame in range(3):
        want = image(sample[:, :, frame], torch.tensor([3, 900]), context).sample
        torch.testing.assert_close(predicted[:, :, frame], want, atol=2e-5, rtol=1e-4)


def test_temporal_layers_are_as_in_a_new_network(tmp_path: Path) -> None:
    image_model(tmp_path / "sd")
    for name in ("first", "second"):
        list(convert(tmp_path / "sd", tmp_path / name))
    first, second = (VideoUNet.from_pretrained(tmp_path / name / "unet") for name in ("first", "second"))
    for (name, drawn), again, new in zip(
        first.named_parameters(),
        second.parameters(),
        VideoUNet.from_config(first.config).parameters(),
        strict=True,
    ):
        assert torch.equal(drawn, again), name
        if any(drawn is parameter for parameter in first.temporal_parameters()):
            assert drawn.any() == new.any(), name
            torch.testing.assert_close(drawn.std(), new.std(), rtol=0.5, atol=1e-3, msg=name)


def test_the_other_parts_come_along(tmp_path: Path) -> None:
    image_model(tmp_path / "sd")
    list(convert(tmp_path / "sd", tmp_path / "out"))
    for name in ("vae/diffusion_pytorch_model.safetensors", "tokenizer/tokenizer.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "sd" / name).read_bytes()
    index = json.loads((tmp_path / "out" / "model_index.json").read_text())
    assert index["unet"] == ["makeyourvideo.models.unet", "VideoUNet"]
    assert index["_class_name"] == "MakeYourVideoPipeline"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"in_channels": 4}, "one channel more"),
        ({"act_fn": "gelu"}, "act_fn"),
        ({"resnet_time_scale_shift": "scale_shift"}, "resnet_time_scale_shift"),
        ({"down_block_types": ("AttnDownBlock2D", "DownBlock2D")}, "AttnDownBlock2D"),
        ({"up_block_types": ("UpBlock2D", "UpBlock2D")}, "up and down"),
    ],
)
def test_other_networks_are_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    image_model(tmp_path / "sd", **options)
    with pytest.raises(InputError, match=said):
        list(convert(tmp_path / "sd", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_incomplete_folders_are_refused(tmp_path: Path) -> None:
    image_model(tmp_path / "sd")
    weights = tmp_path / "sd" / "unet" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(InputError, match="diffusion_pytorch_model"):
        list(convert(tmp_path / "sd", tmp_path / "out"))
    weights.write_bytes(whole)
    (tmp_path / "sd" / "vae" / "config.json").unlink()
    (tmp_path / "sd" / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(InputError, match="vae"):
        list(convert(tmp_path / "sd", tmp_path / "out"))
    (tmp_path / "sd" / "model_index.json").unlink()
    with pytest.raises(InputError, match="model_index"):
        list(convert(tmp_path / "sd", tmp_path / "out"))
    assert not (tmp_path / "out").exists()
