import hashlib
import json
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from diffusers import AutoencoderKL
from safetensors.torch import load_file

from makeyourvideo.errors import InputError
from makeyourvideo.model_folder import unknown_words
from makeyourvideo.models.depth_estimator import DepthEstimator
from makeyourvideo.models.judge import Judge, object_crop
from makeyourvideo.models.unet import VideoUNet
from makeyourvideo.pipeline import BUNDLED_MODEL, MakeYourVideoPipeline
from makeyourvideo.training import loop
from makeyourvideo.training.autoencoder import DecoderStage
from makeyourvideo.training.bundle import bundle
from makeyourvideo.training.config import OptimizerConfig, read_config
from makeyourvideo.training.data import to_signed
from makeyourvideo.training.depth import _CLOSEST, closer, invariant_loss, standardized
from makeyourvideo.training.diffusion import DiffusionStage, ImageStage, VideoStage
from makeyourvideo.training.judges import JudgesStage
from makeyourvideo.training.latents import visibility
from makeyourvideo.training.loop import learning_rate, matmul_peak, train
from makeyourvideo.training.refiner import RefinerStage
from makeyourvideo.training.run import run_stage
from makeyourvideo.training.tokenizer import train_tokenizer
from makeyourvideo.world.dataset import open_dataset
from makeyourvideo.world.scene import WorldConfig

WEIGHTS = "diffusion_pytorch_model.safetensors"

CONFIGS = Path(__file__).parents[2] / "configs"


def test_stage_2_moves_the_temporal_parameters_and_no_others(trained):
    before = load_file(trained / "image" / "model" / "unet" / WEIGHTS)
    after = load_file(trained / "video" / "model" / "unet" / WEIGHTS)
    unet = VideoUNet.from_pretrained(trained / "video" / "model" / "unet")
    names = {id(parameter): name for name, parameter in unet.named_parameters()}
    temporal = {names[id(parameter)] for parameter in unet.temporal_parameters()}
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert moved <= temporal


def test_a_stage_trains_what_its_config_names_and_nothing_else(trained, write_config):
    model = trained / "image" / "model"
    config = read_config(write_config("image", trains=["unet.conv_out", "unet.up_blocks.1"]), "image")
    stage = ImageStage(config, trained / "data", model, model)
    moving = {name for name, parameter in stage.unet.named_parameters() if parameter.requires_grad}
    assert {".".join(name.split(".")[:2]) for name in moving} == {
        "conv_out.weight", "conv_out.bias", "up_blocks.1",
    }  # fmt: skip
    assert not any("temporal" in name for name in moving)
    unknown = read_config(write_config("image", trains=["unet.up_block"]), "image")
    with pytest.raises(InputError, match=r"unet\.up_block"):
        ImageStage(unknown, trained / "data", model, model)


def test_the_decoder_is_trained_further_alone(trained):
    before, after = trained / "video" / "model", trained / "decoder" / "model"
    was, now = (load_file(model / "vae" / WEIGHTS) for model in (before, after))
    moved = {name.split(".")[0] for name in was if not torch.equal(was[name], now[name])}
    assert moved == {"decoder", "post_quant_conv"}
    for kept in ("unet/" + WEIGHTS, "text_encoder/model.safetensors", "vae/config.json", "model_index.json"):
        assert (before / kept).read_bytes() == (after / kept).read_bytes()
    record = json.loads((after / "training.json").read_text())
    assert list(record["stages"]) == ["autoencoder", "decoder", "image", "video"]


def test_the_decoder_learns_from_disturbed_latents(trained, write_config):
    seen = {}
    for noise in (0.0, 0.5):
        config = read_config(write_config("decoder", latent_noise=noise, batch_size=8), "decoder")
        stage = DecoderStage(config, trained / "data", trained / "video" / "model")
        decode = stage.vae.decode
        stage.vae.decode = lambda latents, noise=noise, decode=decode: decode(seen.setdefault(noise, latents))
        torch.manual_seed(0)
        stage.loss(0)
    noise = (seen[0.5] - seen[0.0]) * stage.vae.config.scaling_factor
    spreads = noise.flatten(1).std(dim=1)
    assert 0.3 < spreads.max() < 0.6
    assert spreads.min() < 0.2


def test_the_refiner_is_added_and_nothing_else_moves(trained):
    before, after = trained / "decoder" / "model", trained / "refiner" / "model"
    for kept in ("unet/" + WEIGHTS, "text_encoder/model.safetensors", "vae/" + WEIGHTS):
        assert (before / kept).read_bytes() == (after / kept).read_bytes()
    pipe = MakeYourVideoPipeline.from_pretrained(after)
    assert pipe.refiner is not None
    assert pipe.refiner.last.weight.any()
    assert MakeYourVideoPipeline.from_pretrained(before).refiner is None


def test_a_refiner_is_shown_sketches_in_their_share(trained, write_config, tmp_path):
    model = trained / "sketcher" / "model"

    def losses(share):
        """Of one step, with the latents of the data set and with others in their place."""
        config = read_config(write_config("refiner", sketched=share, timesteps=[0, 1]), "refiner")
        stage = RefinerStage(config, trained / "data", model, model)
        found = []
        for some in (stage.latents, {name: one + 1 for name, one in stage.latents.items()}):
            stage.latents = some
            torch.manual_seed(0)
            found.append(stage.loss(0).item())
        return found

    true, elsewhere = losses(0.0)
    assert true != pytest.approx(elsewhere)
    sketched, still = losses(1.0)
    assert sketched == still
    assert sketched != pytest.approx(true)
    config, sketchless = write_config("refiner", sketched=1), trained / "decoder" / "model"
    with pytest.raises(InputError, match="a model with a sketcher"):
        list(run_stage("refiner", config, tmp_path, trained / "data", sketchless))


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_the_network_learns_what_its_scheduler_says(trained, write_config, monkeypatch, kind):
    """An answer without error costs nothing, and the latents can be told from it."""
    scheduler = {"beta_schedule": "scaled_linear", "beta_end": 0.02, "prediction_type": kind}
    config = read_config(write_config("image", scheduler=scheduler), "image")
    stage = ImageStage(config, trained / "data", trained / "autoencoder" / "model")
    latents, noise = torch.randn(2, 2, 4, 1, 8, 8)
    timesteps = torch.tensor([20, 600])
    answer = noise if kind == "epsilon" else stage.scheduler.get_velocity(latents, noise, timesteps)
    noised = stage.scheduler.add_noise(latents, noise, timesteps)
    torch.testing.assert_close(stage._clean(noised, answer, timesteps), latents, atol=1e-4, rtol=1e-4)
    monkeypatch.setattr(
        stage, "_batch", lambda _: (latents, latents[:, :1], torch.ones(2, 3).long(), 1 + 0 * noise)
    )
    monkeypatch.setattr(torch, "randn_like", lambda _: noise)
    monkeypatch.setattr(torch, "randint", lambda *_: timesteps)
    monkeypatch.setattr(stage.unet, "forward", lambda *_: type("Answer", (), {"sample": answer}))
    assert stage.loss(0) == 0
    monkeypatch.setattr(stage.unet, "forward", lambda *_: type("Answer", (), {"sample": answer + 1}))
    clean = stage._clean(noised, answer + 1, timesteps) - latents  # the same error, of the latents
    snr = stage.snr[timesteps]
    counted = clean.square().flatten(1).mean(dim=1) * snr.clamp(1, 5)
    assert stage.loss(0).item() == pytest.approx(counted.mean().item(), rel=1e-3)


def test_what_a_scheduler_may_predict_is_said(trained, write_config):
    config = read_config(write_config("image", scheduler={"prediction_type": "sample"}), "image")
    with pytest.raises(InputError, match="epsilon or v_prediction"):
        ImageStage(config, trained / "data", trained / "autoencoder" / "model")


def test_depth_is_as_large_as_the_network_is_shown_it(trained, write_config):
    """One number a latent for networks that are converted, their folded patches for ours."""
    unet = yaml.safe_load(write_config("image").read_text())["unet"]
    plain = write_config("image", unet={**unet, "in_channels": 5, "depth_patch_size": 1})
    model, drawn = trained / "autoencoder" / "model", [("stills", 1, slice(0, 1))]
    found = [
        ImageStage(read_config(config, "image"), trained / "data", model)._gather(
            np.random.default_rng(0), drawn
        )
        for config in (write_config("image"), plain)
    ]
    (_, folded, _, weights), (latents, depth, _, same) = found
    assert folded.shape == (1, 64, 1, 4, 4)
    assert depth.shape == (1, 1, 1, *latents.shape[-2:]) == (1, 1, 1, 4, 4)
    torch.testing.assert_close(depth, folded.mean(dim=1, keepdim=True))
    assert torch.equal(weights, same)


@pytest.mark.parametrize(
    ("stage", "folder", "missing"),
    [
        ("image", "judges", "vae (`train autoencoder`"),
        ("video", "autoencoder", "text_encoder (`train image`"),
    ],
)
def test_a_model_that_lacks_a_part_is_refused_by_its_name(
    trained, write_config, tmp_path, stage, folder, missing
):
    with pytest.raises(InputError, match=re.escape(missing)):
        list(run_stage(stage, write_config(stage), tmp_path, trained / "data", trained / folder / "model"))


def test_a_stage_gone_on_with_keeps_the_refiner(trained, write_config, tmp_path):
    whole = trained / "refiner" / "model"
    for _ in run_stage("image", write_config("image", steps=1), tmp_path, trained / "data", whole, whole):
        pass
    refiner = Path("refiner") / WEIGHTS
    assert (tmp_path / "model" / refiner).read_bytes() == (whole / refiner).read_bytes()
    assert MakeYourVideoPipeline.from_pretrained(tmp_path / "model").refiner is not None


def test_new_temporal_layers_keep_the_sketcher_and_a_new_text_encoder_does_not(
    trained, write_config, tmp_path
):
    whole = trained / "sketcher" / "model"
    for stage, kept in (("video", True), ("image", False)):
        config = write_config(stage, steps=1)
        for _ in run_stage(stage, config, tmp_path / stage, trained / "data", whole, whole):
            pass
        pipe = MakeYourVideoPipeline.from_pretrained(tmp_path / stage / "model")
        assert (pipe.sketcher is not None) == kept
        assert pipe.camera is not None


def test_a_decoder_trained_further_needs_no_latents_made_again(trained):
    data = trained / "data" / "stills"
    assert len(list(data.glob("latents-*.npy"))) == 1


def test_a_trained_on_model_keeps_no_hash_of_the_weights_before(trained, write_config, tmp_path):
    bundle(trained / "video" / "model", tmp_path / "small")
    config = write_config("decoder", steps=1)
    for _ in run_stage("decoder", config, tmp_path / "run", trained / "data", tmp_path / "small"):
        pass
    assert "weights_sha256" not in json.loads((tmp_path / "run" / "model" / "training.json").read_text())


def test_ablations_change_the_temporal_layers_alone(write_config, trained):
    arguments = trained / "data", trained / "image" / "model"
    config = read_config(
        write_config("video", unet={"temporal_convolution": False, "causal": False}), "video"
    )
    stage = VideoStage(config, *arguments)
    assert not stage.unet.config.causal
    before = load_file(trained / "image" / "model" / "unet" / WEIGHTS)
    spatial = {id(parameter) for parameter in stage.unet.spatial_parameters()}
    named = {name: tensor for name, tensor in stage.unet.named_parameters() if id(tensor) in spatial}
    assert all(torch.equal(before[name], tensor) for name, tensor in named.items())
    assert len(list(stage.unet.parameters())) < len(before)
    wider = read_config(write_config("video", unet={"cross_attention_dim": 64}), "video")
    with pytest.raises(InputError, match="cross_attention_dim"):
        VideoStage(wider, *arguments)


def test_dropped_depth_is_neutral(write_config, trained):
    arguments = trained / "data", trained / "image" / "model"
    config = read_config(write_config("video", depth_dropout=1.0), "video")
    _, depth, *_ = VideoStage(config, *arguments)._batch(np.random.default_rng(0))
    assert not depth.any()
    config = read_config(write_config("video", depth_dropout=0.5, batch_size=64), "video")
    _, depth, *_ = VideoStage(config, *arguments)._batch(np.random.default_rng(0))
    assert 0.2 < depth.flatten(1).any(dim=1).float().mean() < 0.8


def test_objects_can_weigh_more(write_config, trained):
    arguments = trained / "data", trained / "image" / "model"
    plain = VideoStage(read_config(write_config("video"), "video"), *arguments)
    *_, weights = plain._batch(np.random.default_rng(0))
    assert (weights == 1).all()
    config = read_config(write_config("video", object_weight=3.0, batch_size=8), "video")
    stage = VideoStage(config, *arguments)
    latents, *_, weights = stage._batch(np.random.default_rng(0))
    assert weights.shape == (8, 1, *latents.shape[2:])
    assert weights.min() == 1
    assert 1 < weights.max() <= 4


def test_only_what_shows_in_pixels_is_visible(trained):
    dataset = open_dataset(trained / "data" / "stills")
    rng = np.random.default_rng(0)
    brightness = np.stack(
        [frames[:1].mean(axis=-1).reshape(1, 4, 8, 4, 8).mean((2, 4)) for frames in dataset.frames]
    )
    latents = np.stack([brightness / 64, rng.normal(size=brightness.shape)], axis=2).astype(np.float16)
    metric = visibility(dataset, latents)
    torch.testing.assert_close(metric.trace().item(), 2.0)
    assert metric[0, 0] > 1.9


def test_what_shows_in_pixels_can_weigh_more(write_config, trained):
    arguments = trained / "data", trained / "image" / "model"
    plain, weighed, all_of_it = (
        VideoStage(read_config(write_config("video", pixel_weight=share), "video"), *arguments)
        for share in (0.0, 0.75, 1.0)
    )
    assert plain.view is None
    metric = visibility(weighed.data["clips"], weighed.latents["clips"])
    torch.testing.assert_close(
        weighed.view.T @ weighed.view, 0.25 * torch.eye(len(metric)) + 0.75 * metric, atol=1e-4, rtol=1e-4
    )
    losses = []
    for stage in (plain, weighed, all_of_it):
        torch.manual_seed(0)
        losses.append(stage.loss(0).item())
    torch.testing.assert_close(losses[1], 0.25 * losses[0] + 0.75 * losses[2], rtol=1e-4, atol=0)


def test_a_model_names_no_folder_of_the_run(trained):
    for config in trained.glob("*/model/*/config.json"):
        assert str(trained) not in config.read_text()


def test_the_latents_have_unit_spread(trained):
    config = AutoencoderKL.load_config(trained / "autoencoder" / "model" / "vae")
    assert config["scaling_factor"] > 0
    assert config["shift_factor"] is not None


def test_the_log_holds_every_step_and_a_plot_stands_beside_it(trained):
    for stage in (
        "autoencoder", "image", "video", "decoder", "refiner", "sketcher", "camera", "depth", "judges",
    ):  # fmt: skip
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


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_of_the_project_is_valid(path):
    stage = "video" if path.parent.name == "ablations" else path.stem
    assert read_config(path, stage).stage == stage


def test_ablations_differ_from_ours_in_what_they_leave_out_alone():
    ours, *others = (
        read_config(CONFIGS / "ablations" / f"{name}.yaml", "video").model_dump()
        for name in ("ours", "no_causal_mask", "no_temporal_convolution", "no_temporal_modules")
    )
    left_out = [{"unet": {"causal": False}}, {"unet": {"temporal_convolution": False}}, {"steps": 0}]
    for other, changed in zip(others, left_out, strict=True):
        assert other == {**ours, **changed}


def test_temporal_layers_that_were_never_trained_change_nothing(trained, write_config, tmp_path):
    before = trained / "image" / "model"
    for _ in run_stage("video", write_config("video", steps=0), tmp_path, trained / "data", before):
        pass
    asked = torch.randn(1, 68, 4, 4, 4), torch.tensor([10]), torch.randn(1, 40, 32)
    with torch.no_grad():
        one, other = (
            VideoUNet.from_pretrained(model / "unet").eval()(*asked).sample
            for model in (before, tmp_path / "model")
        )
    torch.testing.assert_close(one, other)
    assert not (tmp_path / "loss.png").exists()


def test_a_plot_that_cannot_be_drawn_is_refused_before_training(write_config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"loss\.png: expected matplotlib"):
        next(run_stage("image", write_config("image"), tmp_path, tmp_path / "data"))


def test_a_bundle_holds_the_same_weights_in_half_precision(trained, tmp_path):
    made = bundle(trained / "video" / "model", tmp_path / "small")
    whole = load_file(trained / "video" / "model" / "unet" / WEIGHTS)
    small = load_file(tmp_path / "small" / "unet" / WEIGHTS)
    assert all(torch.equal(small[name], tensor.half()) for name, tensor in whole.items())
    assert made.size == sum(path.stat().st_size for path in (tmp_path / "small").rglob("*.safetensors"))
    assert MakeYourVideoPipeline.from_pretrained(tmp_path / "small").unet.dtype == torch.float32
    check_hashes(tmp_path / "small")


def test_a_bundle_may_have_a_narrower_text_encoder(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("makeyourvideo.training.bundle._SCENES", 40)
    monkeypatch.setattr("makeyourvideo.training.bundle._UNSEEN", 5)
    before = trained / "video" / "model"
    whole = bundle(before, tmp_path / "whole")
    made = bundle(before, tmp_path / "small", text_width=32)
    config = json.loads((tmp_path / "small" / "text_encoder" / "config.json").read_text())
    assert config["intermediate_size"] == 32
    assert made.size < whole.size
    assert 0 < made.text_error < 0.5
    assert MakeYourVideoPipeline.from_pretrained(tmp_path / "small").text_encoder.dtype == torch.float32
    record = json.loads((tmp_path / "small" / "training.json").read_text())
    assert record["narrowed"] == {"text_width": 32, "error": round(made.text_error, 4)}
    check_hashes(tmp_path / "small")
    with pytest.raises(InputError, match="fewer hidden units to keep than it has, found 4096"):
        bundle(before, tmp_path / "small", force=True, text_width=4096)


def check_hashes(model):
    hashes = json.loads((model / "training.json").read_text())["weights_sha256"]
    assert hashes == {
        path.relative_to(model).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in model.rglob("*.safetensors")
    }


def test_the_bundled_models_record_is_of_its_weights():
    check_hashes(BUNDLED_MODEL)


def test_the_record_names_every_stage_and_the_words_learnt(trained):
    record = json.loads((trained / "video" / "model" / "training.json").read_text())
    assert list(record["stages"]) == ["autoencoder", "image", "video"]
    assert record["stages"]["image"]["config"]["steps"] == 8
    assert WorldConfig.model_validate(record["world"]).size == 32
    assert "a" in record["words"]
    for stage in ("depth", "judges"):
        own = json.loads((trained / stage / "model" / "training.json").read_text())
        assert list(own["stages"]) == [stage]
    known = record["words"][-1]
    assert unknown_words(trained / "video" / "model", f"A {known} Zeppelin, a zeppelin!") == ["zeppelin"]
    assert unknown_words(trained / "data", "a model without a record") == []


def test_high_noise_counts_in_the_loss(write_config):
    """Min-SNR alone would weigh the last steps, where text decides the colours, 10,000 times less."""
    stage = DiffusionStage.__new__(DiffusionStage)
    stage.config = read_config(write_config("image"), "image")
    stage.snr = torch.tensor([100.0, 5.0, 1.0, 1e-4])
    for stage.predicts_noise, expected in (
        (False, [5 / 101, 5 / 6, 1 / 2, 1 / 1.0001]),
        (True, [5 / 100, 5 / 5, 1, 1e4]),
    ):
        torch.testing.assert_close(stage._weight(torch.arange(4)), torch.tensor(expected))


def test_the_depth_loss_is_blind_to_scale_and_shift():
    target = torch.rand(2, 16, 16)
    assert invariant_loss(5 * target - 3, target, 0.5) < 1e-4
    assert invariant_loss(torch.rand(2, 16, 16), target, 0.5) > 0.5
    assert invariant_loss(-target, target, 0.5) > 1  # upside down is wrong
    torch.testing.assert_close(standardized(2 * target + 1), standardized(target), atol=1e-5, rtol=0)


def test_closer_views_show_a_part_of_the_picture_and_its_own_depth():
    across = torch.linspace(-1, 1, 64).expand(64, 64)
    for channel, inverse in enumerate((across, across.T)):
        pictures = torch.stack([across, across.T, 0 * across]).expand(6, 3, 64, 64)
        depth = inverse.expand(6, 64, 64)
        seen, found = closer(pictures, depth, np.random.default_rng(0))
        assert torch.equal(seen[1::2], pictures[1::2])
        assert torch.equal(found[1::2], depth[1::2])
        span = found[::2, -1, -1] - found[::2, 0, 0]
        assert (span < 2).all()
        assert (span >= 2 * _CLOSEST - 0.1).all()
        assert set(found[::2].unique().tolist()) <= set(across.unique().tolist())  # depth is not blended
        off = (seen[::2, channel] - found[::2]) / (2 / 63)  # in pixels
        assert off.abs().max() < 0.51
        assert off.mean(dim=(1, 2)).abs().max() < 0.05


def test_judges_see_pictures_and_their_mirror_images_with_objects_where_they_are(
    trained, write_config, monkeypatch
):
    shown = []
    monkeypatch.setattr("makeyourvideo.training.judges._softened", lambda frame, _: frame)
    monkeypatch.setattr(
        "makeyourvideo.training.judges.object_crop",
        lambda picture, mask: shown.append((picture, mask)) or object_crop(picture, mask),
    )
    config = read_config(write_config("judges", batch_size=20), "judges")
    stage = JudgesStage(config, trained / "data")
    stage.loss(0)
    stored = {
        (to_signed(frame).numpy().tobytes(), (surfaces == thing).tobytes())
        for data in stage.data.values()
        for frame, surfaces in zip(np.concatenate(data.frames), np.concatenate(data.surfaces), strict=True)
        for thing in range(1, 5)
    }
    seen = [
        [(part[0].numpy().tobytes(), part[1].numpy().tobytes()) in stored for part in (one, mirrored)]
        for one, mirrored in ((one, [part.flip(-1) for part in one]) for one in shown)
    ]
    assert all(map(any, seen))
    assert 0.2 < np.mean([is_plain for is_plain, _ in seen]) < 0.8


def test_the_estimator_and_the_judges_read_back(trained):
    estimator = DepthEstimator.from_pretrained(trained / "depth" / "model" / "depth_estimator")
    assert estimator(torch.zeros(2, 3, 32, 64)).shape == (2, 32, 64)
    with pytest.raises(ValueError, match="33"):
        estimator(torch.zeros(1, 3, 33, 64))
    judge = Judge.from_pretrained(trained / "judges" / "model" / "judges" / "objects")
    assert judge(torch.zeros(2, 4, 64, 64))["finish"].shape == (2, 8)


@pytest.mark.parametrize(("halved", "warned"), [(1e9, 1), (1e12, 0)])
def test_bfloat16_is_warned_of_where_it_is_slower(
    write_config, trained, tmp_path, monkeypatch, halved, warned
):
    monkeypatch.setattr(loop, "matmul_peak", lambda dtype: halved if dtype == torch.bfloat16 else 6e10)
    config = read_config(write_config("image", mixed_precision="bf16", steps=1), "image")
    stage = ImageStage(config, trained / "data", trained / "autoencoder" / "model")
    with warnings.catch_warnings(record=True) as caught:
        list(train(config, stage.modules, stage.loss, tmp_path))
    said = [str(one.message) for one in caught if "bfloat16" in str(one.message)]
    wanted = "bfloat16 runs at 1.0 GFLOP/s here and single precision at 60.0: 'mixed_precision: no' is faster"
    assert said == [wanted] * warned


def test_the_peak_is_not_waited_for_where_products_are_slow(monkeypatch):
    sizes = []
    multiply = torch.mm
    monkeypatch.setattr(torch, "mm", lambda left, right: sizes.append(len(left)) or multiply(left, right))
    assert matmul_peak(torch.float32) > 0
    assert set(sizes) == {256, 512, 1024, 2048}
    sizes.clear()
    monkeypatch.setattr(loop, "PATIENCE", 0.0)
    assert matmul_peak(torch.float32) > 0
    assert sizes == [256]


def test_bfloat16_trains_to_nearly_the_same_loss(write_config, trained, tmp_path):
    losses = {}
    for precision in ("no", "bf16"):
        config = read_config(write_config("image", mixed_precision=precision, steps=3), "image")
        stage = ImageStage(config, trained / "data", trained / "autoencoder" / "model")
        (tmp_path / precision).mkdir()
        losses[precision] = [
            step.loss for step in train(config, stage.modules, stage.loss, tmp_path / precision)
        ]
        assert all(parameter.dtype == torch.float32 for parameter in stage.modules.parameters())
    assert losses["bf16"] != losses["no"]
    assert losses["bf16"] == pytest.approx(losses["no"], rel=0.02)
