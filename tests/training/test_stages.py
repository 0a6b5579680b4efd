import json

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file

from makeyourvideo.errors import InputError
from makeyourvideo.models.unet import VideoUNet
from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.training.bundle import bundle
from makeyourvideo.training.config import OptimizerConfig, read_config
from makeyourvideo.training.loop import learning_rate
from makeyourvideo.training.tokenizer import train_tokenizer

WEIGHTS = "diffusion_pytorch_model.safetensors"


def test_stage_2_moves_the_temporal_parameters_and_no_others(trained):
    before = load_file(trained / "image" / "model" / "unet" / WEIGHTS)
    after = load_file(trained / "video" / "model" / "unet" / WEIGHTS)
    unet = VideoUNet.from_pretrained(trained / "video" / "model" / "unet")
    names = {id(parameter): name for name, parameter in unet.named_parameters()}
    temporal = {names[id(parameter)] for parameter in unet.temporal_parameters()}
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert moved <= temporal


def test_the_latents_have_unit_spread(trained):
    config = AutoencoderKL.load_config(trained / "autoencoder" / "model" / "vae")
    assert config["scaling_factor"] > 0
    assert config["shift_factor"] is not None


def test_the_log_holds_every_step_and_a_plot_stands_beside_it(trained):
    for stage in ("autoencoder", "image", "video"):
        lines = [json.loads(line) for line in (trained / stage / "log.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == list(range(1, 9))
        assert all(line["loss"] > 0 and line["peak_share"] > 0 for line in lines)
        assert (trained / stage / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_learning_rate_warms_up_and_falls_to_its_share():
    settings = OptimizerConfig(learning_rate=1.0, warmup_steps=10, final_share=0.1)
    rates = [learning_rate(settings, step, 110) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[60] == pytest.approx(0.1 + 0.9 / 2)
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)


def test_no_word_breaks_the_tokenizer():
    tokenizer = train_tokenizer(["a red ball on a wooden floor"] * 20, 700, 40)
    text = "a déjà-vu 日本 ball \U0001f600 ÿ"
    tokens = tokenizer(text).input_ids
    assert tokens.count(tokenizer.unk_token_id) == 1  # the end of text, and nothing unknown
    assert tokenizer.decode(tokens, skip_special_tokens=True).replace(" ", "") == text.replace(" ", "")
    assert len(tokenizer("a red ball").input_ids) == 5


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"stepz": 3}, "stepz"), ({"steps": "many"}, "steps"), ({"optimizer": {}}, "optimizer")],
)
def test_a_wrong_config_is_one_line_that_names_the_key(write_config, changes, key):
    path = write_config("autoencoder", **changes)
    with pytest.raises(InputError, match=key) as caught:
        read_config(path, "autoencoder")
    assert "\n" not in str(caught.value)


def test_a_bundle_holds_the_same_weights_in_half_precision(trained, tmp_path):
    size = bundle(trained / "video" / "model", tmp_path / "small")
    whole = load_file(trained / "video" / "model" / "unet" / WEIGHTS)
    small = load_file(tmp_path / "small" / "unet" / WEIGHTS)
    assert all(torch.equal(small[name], tensor.half()) for name, tensor in whole.items())
    assert size == sum(path.stat().st_size for path in (tmp_path / "small").rglob("*.safetensors"))
    assert MakeYourVideoPipeline.from_pretrained(tmp_path / "small").unet.dtype == torch.float32
