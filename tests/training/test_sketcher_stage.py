import pytest
import torch

from makeyourvideo.errors import InputError
from makeyourvideo.models.segments import segmented
from makeyourvideo.models.sketcher import Sketcher
from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.training.config import read_config
from makeyourvideo.training.data import step_generator
from makeyourvideo.training.run import run_stage
from makeyourvideo.training.sketcher import SketcherStage, mispainted
from makeyourvideo.training.stills import UNKNOWN


@pytest.fixture
def stage(trained, write_config):
    config = read_config(write_config("sketcher", batch_size=6, prompt_dropout=0.0), "sketcher")
    return SketcherStage(config, trained / "data", trained / "camera" / "model")


def test_the_sketcher_learns(stage, assert_learns):
    assert_learns(stage)


def test_a_right_picture_costs_nothing_and_objects_count_more(stage, monkeypatch):
    rng = step_generator(stage.config, 0)
    batch = stage.stills.batch(rng, [("stills", 0, slice(0, 1))], stage.sketcher.device)
    size = batch.pictures.shape[-1]
    labels = torch.full_like(batch.labels, UNKNOWN)
    labels[:, 1, 0, 0] = 0
    batch = batch._replace(labels=labels)

    def error(rows, columns):
        off = batch.pictures.clone()
        off[..., rows, columns] += 1
        monkeypatch.setattr(stage.sketcher, "picture", lambda *_: off)
        return mispainted(stage.sketcher, [], off, segmented(batch.depth), batch, rng, stage.config)

    assert error(slice(0), slice(0)) == 0
    on_object, elsewhere = error(slice(8), slice(8)), error(slice(-8, None), slice(-8, None))
    torch.testing.assert_close(
        on_object - elsewhere, torch.tensor(stage.config.object_weight * (8 / size) ** 2)
    )


def test_sentences_are_read_without_their_pictures(stage, monkeypatch):
    monkeypatch.setattr("makeyourvideo.training.stills.depth_of", None)  # it may not be asked for
    losses = [stage._reading(step_generator(stage.config, step)) for step in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    losses[0].backward()
    sketcher = stage.sketcher
    assert sketcher.names.weight.grad.any()
    assert sketcher.words.weight.grad.any()
    unasked = (sketcher.look, sketcher.kinds, sketcher.paint, sketcher.locate, sketcher.light)
    assert all(parameter.grad is None for part in unasked for parameter in part.parameters())


def test_the_sketcher_is_added_and_nothing_else_moves(trained):
    before, after = trained / "camera" / "model", trained / "sketcher" / "model"
    for file in before.rglob("*.safetensors"):
        assert file.read_bytes() == (after / file.relative_to(before)).read_bytes()
    assert MakeYourVideoPipeline.from_pretrained(before).sketcher is None
    assert MakeYourVideoPipeline.from_pretrained(after).sketcher is not None


def test_a_sketcher_needs_a_camera_beside_it(trained, write_config, tmp_path):
    config = write_config("sketcher", steps=1)
    with pytest.raises(InputError, match="a model with a camera"):
        list(run_stage("sketcher", config, tmp_path, trained / "data", trained / "refiner" / "model"))


def test_it_goes_on_from_another_one(trained, write_config):
    config = read_config(write_config("sketcher"), "sketcher")
    model = trained / "sketcher" / "model"
    stage = SketcherStage(config, trained / "data", trained / "camera" / "model", start=model)
    known = Sketcher.from_pretrained(model / "sketcher").state_dict()
    assert all(torch.equal(tensor, known[name]) for name, tensor in stage.sketcher.state_dict().items())
