"""The reference's checkpoints in all their layouts and sizes, and what is wrong with some."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from reference_files import SIZES, ReferenceModel, save, sizes
from transformers import CLIPTextModel

from makeyourvideo.checkpoints import Dropped, convert
from makeyourvideo.errors import InputError
from makeyourvideo.models import VideoUNet


@pytest.fixture(scope="module")
def reference() -> ReferenceModel:
    return ReferenceModel(SIZES)


def convert_to(folder: Path, checkpoint: Path, config: dict[str, Any] = SIZES) -> list[Any]:
    config_file = checkpoint.with_suffix(".json")
    config_file.write_text(json.dumps(config))
    return list(convert(checkpoint, folder, config_file))


def refusal(tmp_path: Path, checkpoint: Path, config: dict[str, Any] = SIZES) -> str:
    with pytest.raises(InputError) as caught:
        convert_to(tmp_path / "out", checkpoint, config)
    assert not (tmp_path / "out").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_same_outputs(folder: Path, reference: ReferenceModel) -> None:
    unet = VideoUNet.from_pretrained(folder, subfolder="unet")
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae")
    text_encoder = CLIPTextModel.from_pretrained(folder, subfolder="text_encoder")
    sample, tokens = torch.randn(1, 5, 6, 8, 8), torch.arange(8)[None]
    with torch.inference_mode():
        context = reference.text_encoder(tokens).last_hidden_state
        assert torch.allclose(text_encoder(tokens).last_hidden_state, context, atol=1e-5)
        want = reference.unet(sample, 5, context).sample
        assert torch.allclose(unet(sample, 5, context).sample, want, atol=1e-4 * want.std().item())
        latents = reference.vae.encode(sample[:, :3, 0]).latent_dist.mean
        assert torch.allclose(vae.encode(sample[:, :3, 0]).latent_dist.mean, latents, atol=1e-4)
        want = reference.vae.decode(latents).sample
        assert torch.allclose(vae.decode(latents).sample, want, atol=1e-4 * want.std().item())


def test_plain_layout(tmp_path: Path, reference: ReferenceModel) -> None:
    convert_to(tmp_path / "out", save(tmp_path / "model.ckpt", reference.state))
    assert_same_outputs(tmp_path / "out", reference)


@pytest.mark.parametrize("prefix", ["_forward_module.", "module.", "model.", "a.model.b."])
def test_deepspeed_layout(tmp_path: Path, reference: ReferenceModel, prefix: str) -> None:
    state = {prefix + name: tensor for name, tensor in reference.state.items()}
    torch.save({"module": state, "ds_version": "0.9"}, tmp_path / "states.pt")
    convert_to(tmp_path / "out", tmp_path / "states.pt")
    assert_same_outputs(tmp_path / "out", reference)


@pytest.mark.parametrize(
    "options",
    [
        {"transformer_depth": 2},
        {"num_head_channels": -1, "num_heads": 4},
        {"use_linear": False},
        {"temporal_conv": False},
        {"temporal_attention": False},
        {"use_causal_attention": False, "temporal_length": 3},
        {"num_res_blocks": 2, "channel_mult": [1, 2, 3], "attention_resolutions": [4, 1]},
        {"attention_resolutions": [], "context_dim": 16, "channel_mult": [2]},
    ],
    ids=str,
)
def test_other_sizes(tmp_path: Path, options: dict[str, Any]) -> None:
    reference = ReferenceModel(sizes(**options))
    convert_to(tmp_path / "out", save(tmp_path / "model.ckpt", reference.state), sizes(**options))
    assert_same_outputs(tmp_path / "out", reference)


def test_attention_in_the_autoencoders_levels(tmp_path: Path) -> None:
    config = SIZES | {"first_stage": SIZES["first_stage"] | {"attn_resolutions": [8], "z_channels": 6}}
    config["unet"] = SIZES["unet"] | {"in_channels": 7, "out_channels": 6}
    reference = ReferenceModel(config)
    assert "first_stage_model.decoder.up.1.attn.1.q.weight" in reference.state
    convert_to(tmp_path / "out", save(tmp_path / "model.ckpt", reference.state), config)
    vae = AutoencoderKL.from_pretrained(tmp_path / "out", subfolder="vae")
    weights = vae.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in reference.vae.state_dict().items())


def test_types(tmp_path: Path, reference: ReferenceModel) -> None:
    state = {
        name: tensor.half() if name.startswith("model.") else tensor.double()
        for name, tensor in reference.state.items()
    }
    convert_to(tmp_path / "out", save(tmp_path / "model.ckpt", state))
    halved = VideoUNet.from_pretrained(tmp_path / "out", subfolder="unet", torch_dtype=torch.float16)
    assert torch.equal(halved.conv_in.weight, reference.unet.conv_in.weight.half())
    full = AutoencoderKL.from_pretrained(tmp_path / "out", subfolder="vae")
    assert torch.equal(full.quant_conv.weight, reference.vae.quant_conv.weight)


def test_every_drop_is_named(tmp_path: Path, reference: ReferenceModel) -> None:
    state = reference.state | {
        "depth_stage_model.model.strange": torch.ones(1),
        "model_ema.decay": torch.ones(1),
    }
    events = convert_to(tmp_path / "out", save(tmp_path / "model.ckpt", state))
    dropped = [name for event in events if isinstance(event, Dropped) for name in event.names]
    assert sorted(dropped) == [
        "alphas_cumprod",
        "betas",
        "cond_stage_model.model.logit_scale",
        "cond_stage_model.model.text_projection",
        "cond_stage_model.model.transformer.resblocks.1.ln_1.weight",
        "depth_stage_model.model.strange",
        "global_step",
        "model_ema.decay",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "model.diffusion_model.input_blocks.1.0.temopral_conv.conv_last.3.bias",
        "model.diffusion_model.middle_block.2.transformer_blocks.0.attn1.relative_position_v.embeddings_table",
        "first_stage_model.post_quant_conv.weight",
        "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_bias",
    ],
)
def test_a_missing_or_misshapen_tensor_is_named(tmp_path: Path, reference: ReferenceModel, name: str) -> None:
    state = dict(reference.state)
    tensor = state.pop(name)
    line = refusal(tmp_path, save(tmp_path / "model.ckpt", state))
    assert name in line
    assert str(tmp_path / "model.ckpt") in line
    assert name in refusal(
        tmp_path, save(tmp_path / "model.ckpt", state | {name: torch.cat([tensor, tensor])})
    )


@pytest.mark.parametrize(
    "name",
    [
        "model.diffusion_model.label_emb.weight",
        "first_stage_model.extra",
        "cond_stage_model.model.visual.proj",
    ],
)
def test_a_surplus_tensor_is_refused(tmp_path: Path, reference: ReferenceModel, name: str) -> None:
    state = reference.state | {name: torch.ones(1)}
    assert name in refusal(tmp_path, save(tmp_path / "model.ckpt", state))


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("unet", "strange_option", 1),
        ("unet", "causal_block_size", 2),
        ("unet", "use_relative_position", False),
        ("unet", "addition_attention", True),
        ("unet", "model_channels", 0),
        ("unet", "model_channels", "32"),
        ("unet", "num_head_channels", 15),
        ("unet", "num_head_channels", -1),
        ("unet", "model_channels", 33),
        ("first_stage", "double_z", False),
        ("first_stage", "dropout", 0.1),
        ("first_stage", "ch", 33),
        ("cond_stage", "heads", 3),
        ("cond_stage", "vocab", 100),
        ("other_stage", "width", 100),
    ],
)
def test_an_option_that_cannot_be_honoured_is_refused(
    tmp_path: Path, reference: ReferenceModel, section: str, option: str, value: object
) -> None:
    config = SIZES | {section: SIZES.get(section, {}) | {option: value}}
    line = refusal(tmp_path, save(tmp_path / "model.ckpt", reference.state), config)
    assert str(tmp_path / "model.json") in line


def test_a_config_that_is_no_json_is_refused(tmp_path: Path, reference: ReferenceModel) -> None:
    checkpoint = save(tmp_path / "model.ckpt", reference.state)
    (tmp_path / "config.json").write_text("{")
    for config in (tmp_path / "config.json", tmp_path / "nothing.json"):
        with pytest.raises(InputError, match=config.name):
            list(convert(checkpoint, tmp_path / "out", config))


@pytest.mark.parametrize(
    "held", [{}, {"state_dict": {}}, {"state_dict": 3}, {"module": {"a": torch.ones(1)}}, [1]]
)
def test_other_files_are_refused(tmp_path: Path, held: Any) -> None:
    torch.save(held, tmp_path / "model.ckpt")
    assert "model.ckpt" in refusal(tmp_path, tmp_path / "model.ckpt")


def test_nothing_is_overwritten_unless_forced(tmp_path: Path, reference: ReferenceModel) -> None:
    checkpoint = save(tmp_path / "model.ckpt", reference.state)
    convert_to(tmp_path / "out", checkpoint)
    with pytest.raises(InputError, match="--force"):
        convert_to(tmp_path / "out", checkpoint)
    list(convert(checkpoint, tmp_path / "out", tmp_path / "model.json", force=True))
    assert_same_outputs(tmp_path / "out", reference)
