import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from makeyourvideo.errors import InputError
from makeyourvideo.evaluation.measures import MEASURES, measure
from makeyourvideo.evaluation.report import Suite, read_tables, report
from makeyourvideo.evaluation.suite import read_scores, suite_parts, suite_scene
from makeyourvideo.models.judge import Judge
from makeyourvideo.world.captions import caption
from makeyourvideo.world.geometry import HELD_OUT_FAMILIES
from makeyourvideo.world.render import FLOOR, render
from makeyourvideo.world.scene import WorldConfig, sample_scene

SYSTEMS = ["ground truth", "through the autoencoder", "model", "temporal layers off"]


def finish(suite: Suite, folder, experts):
    for _ in report(suite, folder, experts):
        pass
    return read_scores(folder / "scores.jsonl")


@pytest.fixture
def suite(model_folder):
    return Suite(model_folder, scenes=1, ablation_scenes=0, long_scenes=0)


@pytest.mark.filterwarnings("ignore:the text is longer")  # the tiny model reads twelve tokens
def test_a_stopped_suite_goes_on_and_ends_with_the_same_scores(suite, experts, tmp_path):
    whole = finish(suite, tmp_path / "whole", experts)
    running = report(suite, tmp_path / "stopped", experts)
    assert [next(running) for _ in range(3)] == [(0, 4), (1, 4), (2, 4)]
    running.close()
    journal = tmp_path / "stopped" / "scores.jsonl"
    with journal.open("a") as lines:
        lines.write('{"scene": 0, "sys')  # as a stop may leave it
    assert len(read_scores(journal)) == 2
    assert finish(suite, tmp_path / "stopped", experts) == whole
    assert [score.system for score in whole] == SYSTEMS
    assert len(list((tmp_path / "whole" / "strips").iterdir())) == 4
    summary = json.loads((tmp_path / "whole" / "summary.json").read_text())
    assert summary["samplers"]["model"]["scheduler"] == "DDIMScheduler"
    assert list(summary["tables"]["held-out scenes"]) == SYSTEMS
    page = (tmp_path / "whole" / "index.html").read_text()
    measures = summary["tables"]["held-out scenes"]["model"]
    shown = ["model / through the autoencoder", "model, known shapes", "measures-0.png"]
    for name in [*SYSTEMS, *measures, *shown, "strips/000-model-16-0.png"]:
        assert name in page


@pytest.mark.filterwarnings("ignore:the text is longer")
def test_scores_of_another_model_are_never_mixed_in(suite, experts, tmp_path, model_folder):
    finish(suite, tmp_path / "report", experts)
    other = tmp_path / "other"
    shutil.copytree(model_folder, other)
    (other / "more.txt").write_text("another model")
    with pytest.raises(InputError, match="report: expected scores of the same models"):
        finish(replace(suite, model=other), tmp_path / "report", experts)


@pytest.mark.filterwarnings("ignore:the text is longer")
def test_scores_by_other_experts_are_never_mixed_in(suite, experts, tmp_path):
    finish(suite, tmp_path / "report", experts)
    torch.manual_seed(1)
    others = replace(experts, scenes=Judge(experts.scenes.config.questions).eval())
    with pytest.raises(InputError, match="report: expected scores of the same models, samplers and experts"):
        finish(suite, tmp_path / "report", others)
    kept = tmp_path / "report" / "suite.json"
    before = json.loads(kept.read_text())
    del before["experts"]  # nobody knows whose they are
    kept.write_text(json.dumps(before))
    with pytest.raises(InputError, match="report"):
        finish(suite, tmp_path / "report", experts)


@pytest.mark.filterwarnings("ignore:the text is longer")
def test_ablations_and_long_clips_have_tables_of_their_own(suite, experts, tmp_path, model_folder):
    unmasked = tmp_path / "unmasked"
    shutil.copytree(model_folder, unmasked)
    config = json.loads((unmasked / "unet" / "config.json").read_text())
    (unmasked / "unet" / "config.json").write_text(json.dumps({**config, "causal": False}))
    ablations = {"twin": model_folder, "no causal mask": unmasked}
    asked = replace(suite, ablations=ablations, ablation_scenes=1, long_scenes=1)
    scores = finish(asked, tmp_path / "report", experts)
    samplers = json.loads((tmp_path / "report" / "summary.json").read_text())["samplers"]
    assert list(samplers) == ["model", *ablations]
    tables = read_tables(tmp_path / "report")
    parts = ["held-out scenes", "ablations", "64 frames", "128 frames"]
    assert [title for title in tables if ":" not in title] == parts
    assert [title.split(":")[0] for title in tables if title.endswith(": ratios")] == parts
    noise = ["from noise", "from noise without temporal layers"]
    without = ["text only", "depth only", "light untold", "frame by frame", *noise]
    assert list(tables["ablations"]) == [*SYSTEMS[2:], *without, *ablations]
    assert list(tables["128 frames"]) == [
        f"{name}, {window} 16"
        for name in ("ground truth", "model", *ablations)
        for window in ("first", "last")
    ]
    names = [(score.system, score.num_frames, score.start) for score in scores]
    assert len(names) == len(set(names)) == 4 + 8 + 2 * 8  # the model's clips are made once for both tables
    made = {score.name: np.load(tmp_path / "report" / "features" / f"{score.name}.npy") for score in scores}
    model, *others = (
        made[f"000-{name}-16-0"] for name in ("model", "text-only", "depth-only", "no-causal-mask")
    )
    assert all(not np.array_equal(model, other) for other in others)


def test_a_prompt_without_the_light_says_all_else():
    asked = []

    class Pipe:
        unet = SimpleNamespace()

        def __call__(self, prompt, *_, **__):
            asked.append(prompt)
            return [[None]]

    _, ablations = suite_parts(Pipe(), {}, scenes=1, ablation_scenes=1, long_scenes=0)
    clip = render(sample_scene(0, WorldConfig(styles={"realistic": 1}, skies=("sunset",)), 1))
    prompt = caption(clip.scene, full=True)
    for name in ("model", "light untold"):
        ablations.systems[name](clip, prompt, 0)
    told, untold = asked
    assert told == prompt
    assert untold in told
    assert "from the" in told
    assert "from the" not in untold


def test_from_noise_nothing_is_sketched_with_temporal_layers_or_without():
    asked = []

    class Pipe:
        unet = SimpleNamespace()

        def __call__(self, prompt, *_, sketch_share=None, **__):
            asked.append((prompt, sketch_share, self.unet.temporal_enabled))
            return [[None]]

    _, ablations = suite_parts(Pipe(), {}, scenes=1, ablation_scenes=1, long_scenes=0)
    clip = render(sample_scene(0, WorldConfig(size=32, num_frames=1), 1), 32)
    noise, noise_off = "from noise", "from noise without temporal layers"
    for name in ("model", noise, noise_off):
        ablations.systems[name](clip, "a ball", 0)
    assert asked == [("a ball", None, True), ("a ball", 0, True), ("a ball", 0, False)]
    assert (noise, noise_off) in ablations.compared


def test_frame_by_frame_no_frame_knows_of_another():
    asked = []

    class Pipe:
        unet = SimpleNamespace()

        def __call__(self, prompt, depth, *, generator, **_):
            asked.append((prompt, depth.metric_depth(), self.unet.temporal_enabled, generator.initial_seed()))
            return [[np.full((1, 2, 2, 3), len(asked), np.uint8)]]

    _, ablations = suite_parts(Pipe(), {}, scenes=1, ablation_scenes=1, long_scenes=0)
    clip = render(sample_scene(0, WorldConfig(size=32, num_frames=3), 3), 32)
    made = ablations.systems["frame by frame"](clip, "a ball", 5)
    assert made[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert [one[0] for one in asked] == ["a ball"] * 3
    assert [one[2:] for one in asked] == [(False, 5)] * 3
    np.testing.assert_allclose(np.concatenate([one[1] for one in asked]), clip.depth, rtol=1e-3)


def test_long_scenes_keep_their_objects_in_sight():
    for index in range(12):
        scene = suite_scene(index, WorldConfig(), 128)
        last = render(scene.at(slice(127, 128)))
        assert (last.surfaces > FLOOR).mean() > 0.003  # a guitar seen from its side
        assert last.depth.min() > 0.2


def test_a_broken_journal_is_one_line(tmp_path):
    (tmp_path / "scores.jsonl").write_text('{"scene": 1}\n')
    with pytest.raises(InputError, match=r"scores\.jsonl"):
        read_scores(tmp_path / "scores.jsonl")


def test_every_fourth_scene_is_of_shapes_held_out_of_training():
    for index in range(24):
        families = {thing.family for thing in suite_scene(index, WorldConfig()).things}
        assert bool(families & set(HELD_OUT_FAMILIES)) == (index % 4 == 3)
        assert len(families) == 1 or index % 4 != 3


def test_the_truth_measures_as_the_truth(experts):
    world = WorldConfig(styles={"realistic": 1}, objects={2: 1}, finishes={"plain": 1})
    clip, other = render(sample_scene(10_000_000, world)), render(sample_scene(10_000_001, world))
    values = measure(clip.frames, clip, other.depth, experts)
    assert set(values) == set(MEASURES)
    assert values["color"]
    assert all(values["color"])
    assert values["psnr"][0] > 100
    assert np.mean(values["boundary F1"]) > 0.8


def test_what_a_style_hides_is_not_asked(experts):
    for style, hidden in (("pencil", {"color", "both colors", "floor", "sky"}), ("neon", {"sky"})):
        world = WorldConfig(styles={style: 1}, objects={2: 1})
        clip = render(sample_scene(10_000_002, world).at(slice(0, 2)))
        values = measure(clip.frames, clip, clip.depth, experts)
        assert not any(values[name] for name in hidden)
        assert values["style"]
