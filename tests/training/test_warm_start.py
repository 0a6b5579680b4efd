"""A stage can begin with the weights of a model that is there already."""

import json

import pytest
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.errors import InputError
from makeyourvideo.models.judge import Judge
from makeyourvideo.models.refiner import Refiner
from makeyourvideo.models.unet import VideoUNet
from makeyourvideo.training.config import read_config
from makeyourvideo.training.diffusion import ImageStage, VideoStage
from makeyourvideo.training.judges import JudgesStage
from makeyourvideo.training.refiner import RefinerStage
from makeyourvideo.training.run import run_stage


def table(encoder):
    return encoder.get_input_embeddings().weight


def test_the_image_stage_begins_with_what_fits(trained, write_config):
    start = trained / "image" / "model"
    config = read_config(write_config("image"), "image")
    del config.data["stills"]  # other captions, so other numbers of the tokens
    stage = ImageStage(config, trained / "data", trained / "autoencoder" / "model", start)
    before = VideoUNet.from_pretrained(start / "unet").state_dict()
    assert all((tensor == before[name]).all() for name, tensor in stage.unet.state_dict().items())
    theirs = CLIPTokenizer.from_pretrained(start / "tokenizer").get_vocab()
    ours = stage.tokenizer.get_vocab()
    assert any(theirs[token] != ours[token] for token in ours.keys() & theirs.keys())
    was = table(CLIPTextModel.from_pretrained(start / "text_encoder"))
    for token in ours.keys() & theirs.keys():
        assert torch.equal(table(stage.text_encoder)[ours[token]], was[theirs[token]])


def test_the_video_stage_takes_temporal_layers_alone(trained, write_config):
    image, video = trained / "image" / "model", trained / "video" / "model"
    stage = VideoStage(read_config(write_config("video"), "video"), trained / "data", image, video)
    state, before = stage.unet.state_dict(), VideoUNet.from_pretrained(video / "unet").state_dict()
    fresh = VideoUNet.from_pretrained(image / "unet").state_dict()
    temporal = [name for name in state if not torch.equal(fresh[name], before[name])]
    assert temporal
    assert all(torch.equal(state[name], before[name]) for name in temporal)


def test_a_refiner_takes_the_blocks_over_that_it_has(trained, write_config):
    model = trained / "refiner" / "model"
    before = Refiner.from_pretrained(model / "refiner").state_dict()
    changes = {"channels": 8, "num_blocks": 2}  # one more
    config = read_config(write_config("refiner", refiner=changes), "refiner")
    stage = RefinerStage(config, trained / "data", trained / "decoder" / "model", model)
    state = stage.refiner.state_dict()
    assert before.keys() < state.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in before.items())


def test_the_record_says_what_a_run_started_from(trained, write_config, tmp_path):
    start, folder = trained / "autoencoder" / "model", tmp_path / "run"
    config = write_config("autoencoder", steps=1)
    for _ in run_stage("autoencoder", config, folder, trained / "data", start=start):
        pass
    record = json.loads((folder / "model" / "training.json").read_text())
    begun = json.loads((start / "training.json").read_text())["stages"]["autoencoder"]
    assert record["stages"]["autoencoder"]["start"] == begun


def test_judges_go_on_from_others(trained, write_config):
    config = read_config(write_config("judges", objects={"widths": [32, 64, 96, 16]}), "judges")
    stage = JudgesStage(config, trained / "data", trained / "judges" / "model")
    for part, judge in stage.judges.items():
        before = Judge.from_pretrained(trained / "judges" / "model" / "judges" / part).state_dict()
        taken = {name for name, tensor in judge.state_dict().items() if torch.equal(tensor, before[name])}
        assert "halvings.0.weight" in taken
        assert (part == "scenes") == (taken == before.keys())  # the last width fits in whole pictures alone
    with pytest.raises(InputError, match="judges"):
        JudgesStage(config, trained / "data", trained / "autoencoder" / "model")


def test_the_depth_estimator_has_no_start(trained, write_config, tmp_path):
    with pytest.raises(InputError, match="--start"):
        list(run_stage("depth", write_config("depth"), tmp_path, trained / "data", start=trained / "depth"))
