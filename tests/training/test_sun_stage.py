import json

import numpy as np
import pytest
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.errors import InputError
from makeyourvideo.models.sketcher import _PACE, KINDS
from makeyourvideo.training.config import OptimizerConfig, read_config
from makeyourvideo.training.loop import create_optimizers
from makeyourvideo.training.run import run_stage
from makeyourvideo.training.sun import MISLEADING, READING, SunStage, asked
from makeyourvideo.training.tokenizer import tokens_of, with_words
from makeyourvideo.world.captions import NOUNS, SIDES, caption

WORDS = ("backlit", "above")


@pytest.fixture
def make_stage(trained, write_config):
    """A stage on the tiny shaded model; `changes` are its settings."""

    def make(**changes):
        settings = {"batch_size": 6, "prompt_dropout": 0.0, "words": list(WORDS), **changes}
        config = read_config(write_config("sun", **settings), "sun")
        return SunStage(config, trained / "data", trained / "shading" / "model")

    return make


def lit(stage):
    """What is told of a scene whose captions say where the light comes from."""
    scenes = [stage._told("stills", number) for number in range(len(stage.data["stills"]))]
    return next(told for told in scenes if all(said != plain for said, plain in told.sentences[0]))


def sentences(stage, told, count=200):
    rng = np.random.default_rng(0)
    return [stage._sentence(rng, told) for _ in range(count)]


def test_the_sun_and_new_words_are_learnt_and_nothing_else_moves(make_stage, assert_learns):
    stage = make_stage(misleading=0.0, held_weight=0.1)
    told = lit(stage)
    stage._told = lambda *_: told
    before = {name: tensor.clone() for name, tensor in stage.modules.state_dict().items()}
    assert_learns(stage)
    after = stage.modules.state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    (rows,) = {name for name in changed if not name.startswith("sketcher.")}
    assert rows.endswith("rows")
    assert {name.split(".")[1] for name in changed - {rows}} == set(READING)


def test_the_loss_asks_for_the_mean_direction(make_stage):
    stage = make_stage(misleading=0.0, short=0.0, held_weight=0.0, batch_size=4)
    told = lit(stage)
    stage._told = lambda *_: told._replace(sentences=(told.sentences[0],) * 2)
    stage.loss(0).backward()  # nothing is said yet
    gradient = stage.sketcher.sun[-1].bias.grad
    torch.testing.assert_close(gradient[:2], torch.from_numpy(-2 * _PACE * told.sun).float())


def test_what_is_read_of_surfaces_is_held_to_what_was_read(make_stage):
    stage = make_stage(held_weight=1.0)
    unchanged = stage.loss(0).item()
    with torch.no_grad():
        for weight in stage.sketcher.mix.parameters():
            weight += 0.1
    strayed = stage.loss(0).item()
    assert strayed > unchanged + 0.01
    stage.config = stage.config.model_copy(update={"held_weight": 2.0})
    assert stage.loss(0).item() - strayed > 0.01


def test_words_get_a_token_each_and_no_other_caption_is_read_otherwise(trained):
    before = CLIPTokenizer.from_pretrained(trained / "image" / "model" / "tokenizer")
    after = with_words(before, (*WORDS, "backlit"))
    assert all(len(before.tokenize(word)) > 1 for word in WORDS)
    assert [after.tokenize(word) for word in WORDS] == [[f"{word}</w>"] for word in WORDS]
    captions = json.loads(next((trained / "data" / "stills").glob("*/captions.json")).read_text())
    for one in (wording for wordings in captions for wording in wordings if "backlit" not in wording):
        assert after.tokenize(one) == before.tokenize(one)
    assert after.model_max_length == before.model_max_length
    assert after.pad_token == before.pad_token
    assert max(after.get_vocab().values()) == len(after) - 1


def test_old_words_keep_their_rows_and_a_written_model_has_the_new_ones(
    trained, make_stage, tmp_path, monkeypatch
):
    stage = make_stage()
    monkeypatch.setattr("makeyourvideo.training.sun.known_words", lambda _: ["zebra"])
    was = CLIPTextModel.from_pretrained(trained / "shading" / "model" / "text_encoder").get_input_embeddings()
    with torch.no_grad():
        stage.table.parametrizations.weight[0].rows += 1
    wanted = stage.text_encoder(tokens_of(stage.tokenizer, ["a cube, backlit"])).last_hidden_state
    stage.finish(tmp_path)
    written = CLIPTextModel.from_pretrained(tmp_path / "text_encoder")
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer")
    now = written.get_input_embeddings().weight
    assert len(now) == len(tokenizer) == written.config.vocab_size > len(was.weight)
    assert torch.equal(now[: len(was.weight)], was.weight)
    found = written(tokens_of(tokenizer, ["a cube, backlit"])).last_hidden_state
    torch.testing.assert_close(found, wanted)
    record = json.loads((tmp_path / "training.json").read_text())
    assert {"lit", "zebra"} <= set(record["words"])
    assert "sun" in record["stages"]


def test_it_begins_with_another_one_s_rows_of_new_words(trained, write_config):
    model, start = trained / "shading" / "model", trained / "sun" / "model"
    config = read_config(write_config("sun"), "sun")
    stage = SunStage(config, trained / "data", model, start)
    before, after = (
        CLIPTextModel.from_pretrained(folder / "text_encoder").get_input_embeddings().weight
        for folder in (model, start)
    )
    assert torch.equal(stage.table.weight[: len(before)], before)
    assert len(after) > len(before)
    assert torch.equal(stage.table.weight[len(before) :], after[len(before) :])


def test_a_model_that_knows_all_words_gets_none(trained, write_config, tmp_path):
    again = trained / "sun" / "model"
    config = write_config("sun", steps=1, words=["lit", "from"])
    for _ in run_stage("sun", config, tmp_path, trained / "data", again):
        pass
    before, after = (
        CLIPTextModel.from_pretrained(model / "text_encoder").get_input_embeddings().weight
        for model in (again, tmp_path / "model")
    )
    assert torch.equal(before, after)


def test_sentences_say_the_side_and_are_read_as_if_they_did_not(make_stage):
    stage = make_stage(misleading=0.0, short=0.0, whole=0.5)
    told = lit(stage)
    found = sentences(stage, told)
    for one in found:
        if one.said != one.read_as:
            assert one.read_as in one.said
            assert any(side in one.said for side in (*SIDES, "backlit"))
            assert not any(f"from {side}" in one.read_as for side in SIDES)
            assert np.array_equal(one.sun, told.sun)
        else:
            assert not one.sun.any()
    is_first = [one.said.endswith(one.read_as) for one in found if one.said != one.read_as]
    assert 0.15 < np.mean(is_first) < 0.45
    lists = tuple([(f"{name}, lit from the left", name)] * 4 for name in ("whole", "partial"))
    drawn = sentences(stage, told._replace(sentences=lists))
    assert 0.35 < np.mean([one.read_as == "whole" for one in drawn]) < 0.65


def test_short_sentences_are_a_name_and_the_light(make_stage):
    stage = make_stage(misleading=0.0, short=1.0, whole=1.0, light_first=0.0)
    told = lit(stage)
    names = {noun for nouns in NOUNS.values() for noun in nouns} | {"object", "shape", "thing"}
    for one in sentences(stage, told, 40):
        assert one.read_as.split(" ", 1)[1] in names
        assert one.said.startswith(f"{one.read_as}, ")
        assert one.said.removeprefix(f"{one.read_as}, ").startswith(("lit from", "with light", "backlit"))
        assert np.array_equal(one.sun, told.sun)


def test_misleading_sentences_say_nothing_of_where_the_light_comes_from(make_stage):
    stage = make_stage(misleading=1.0)
    found = sentences(stage, lit(stage))
    assert not any(one.sun.any() for one in found)
    said = {frame for one in found for frame in MISLEADING if one.said == frame.format(one.read_as)}
    assert len(said) > 0.9 * len(MISLEADING)


@pytest.mark.parametrize("short", [0.0, 1.0])
def test_scenes_in_which_no_side_is_seen_say_none(make_stage, short):
    stage = make_stage(misleading=0.0, short=short)
    told = lit(stage)
    plain = [(plain, plain) for _, plain in told.sentences[0]]
    for one in sentences(stage, told._replace(sentences=(plain, plain)), 20):
        assert one.said == one.read_as
        assert (one.said in plain[0] + plain[1] + plain[2] + plain[3]) == (not short)
        assert not one.sun.any()


@pytest.mark.parametrize("word", ["side-lit", "well lit", "Lit", ""])
def test_what_is_more_or_less_than_a_word_is_refused(write_config, word):
    with pytest.raises(InputError, match="words"):
        read_config(write_config("sun", words=[word]), "sun")


def test_rows_of_tokens_are_no_matrices_to_muon(make_stage):
    stage = make_stage()
    rows = stage.table.parametrizations.weight[0].rows
    adamw, muon = create_optimizers(stage.modules, OptimizerConfig(learning_rate=1e-3, muon=True))
    held = [[id(one) for group in each.param_groups for one in group["params"]] for each in (adamw, muon)]
    assert id(rows) in held[0]
    assert id(rows) not in held[1]


def test_an_empty_prompt_says_nothing(make_stage, monkeypatch):
    stage, said = make_stage(prompt_dropout=1.0, held_weight=0.0), []
    monkeypatch.setattr(
        "makeyourvideo.training.sun.tokens_of", lambda *given: said.extend(given[1]) or tokens_of(*given)
    )
    assert stage.loss(0) == 0  # a head that says nothing is right
    assert set(said) == {""}


def test_surfaces_are_asked_about_as_they_are_as_mixtures_and_as_anything():
    kinds = np.array([36, 0, 5, 7, 9, 11])
    found = asked(np.random.default_rng(0), kinds)
    assert found.shape == (12, KINDS)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(12).double())
    exact = found[:4].argmax(dim=1).tolist()
    assert len(set(exact)) == 4
    assert (found[:4].max(dim=1).values == 1).all()
    assert set(found[4:8].nonzero()[:, 1].tolist()) <= set(exact)
    assert (found[4:8].max(dim=1).values < 1).any()
    assert (found[8:] > 0).all()
    often = [asked(np.random.default_rng(seed), kinds)[:4].argmax(dim=1).tolist() for seed in range(20)]
    assert {one for some in often for one in some} == set(kinds.tolist())


def test_captions_of_the_stage_are_those_of_the_world(make_stage):
    stage = make_stage()
    told = stage._told("stills", 0)
    scene = stage.data["stills"].scene(0)
    assert told.sentences[0][1] == (caption(scene, 1, True), caption(scene, 1, True, light=False))
    assert told.sentences[1][2] == (caption(scene, 2), caption(scene, 2, light=False))
    assert np.array_equal(told.sun, scene.sun)
