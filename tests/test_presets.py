"""Fewer evaluations: guidance over a part of the schedule, and the presets, from the options to the files."""

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from followed_run import finish
from makeyourvideo import DepthVideo, MakeYourVideoPipeline, denoising, settings
from makeyourvideo.job import prepare
from makeyourvideo.manifest import read_manifest
from makeyourvideo.pipeline import BUNDLED_MODEL
from makeyourvideo.presets import PRESETS, Quality
from makeyourvideo.replay import check_same, with_window_redone
from makeyourvideo.run import run
from makeyourvideo.sampling import Predict, SamplingStep
from makeyourvideo.settings import Options, Settings
from tiny_model import moving_disc

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numpy's, inside diffusers
EARLY = (0.0, 0.4)  # of the tiny model's three steps the first


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batches(pipe: MakeYourVideoPipeline, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The batch size of every call of the network, as calls come."""
    seen: list[int] = []
    forward = pipe.unet.forward

    def counted(sample: Tensor, *others: Tensor) -> Any:
        seen.append(len(sample))
        return forward(sample, *others)

    monkeypatch.setattr(pipe.unet, "forward", counted)
    return seen


def test_guidance_over_the_whole_schedule_is_bit_for_bit_as_without_an_interval(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(**asked: Any) -> Tensor:
        return pipe("a ball", depth, generator=seeded(1), output_type="latent", **asked).frames

    def everywhere(predict: Predict, guidance_scale: float, *_: object) -> Predict:
        def both(latents: Tensor, timesteps: Tensor) -> Tensor:
            answers = predict(torch.cat([latents] * 2), torch.cat([timesteps] * 2))
            unconditional, conditional = answers.chunk(2)
            return unconditional + guidance_scale * (conditional - unconditional)

        return both

    by_default, whole, early = made(), made(guidance_interval=(0, 1)), made(guidance_interval=EARLY)
    monkeypatch.setattr(denoising, "guided", everywhere)
    assert torch.equal(by_default, made())
    assert torch.equal(whole, by_default)
    assert not torch.equal(early, by_default)


def test_outside_the_interval_only_the_conditional_branch_is_evaluated(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, batches: list[int]
) -> None:
    asked = {"negative_prompt": "a floor", "output_type": "latent"}
    pipe("a ball", depth, guidance_interval=EARLY, **asked)
    pipe(["a ball", "a floor"], [depth, depth], guidance_interval=(0.4, 0.7), **asked)
    pipe("a ball", depth, guidance_interval=(0, 0.7), scheduler="HeunDiscreteScheduler", **asked)
    assert batches == [2, 1, 1, *(2, 4, 2), *(2, 2, 2, 1, 1)]
    del batches[:]
    unlike = pipe("a ball", depth, guidance_interval=(0.1, 0.2), generator=seeded(0), **asked)
    plain = pipe("a ball", depth, guidance_scale=1.0, generator=seeded(0), **asked)
    assert batches == [1] * 6
    assert torch.equal(unlike.frames, plain.frames)
    assert unlike.notes == [
        "nothing is guided, because no step lies from 0.1 to 0.2 of the schedule",
        "the negative prompt has no effect, because no step is guided",
    ]


def test_an_interval_without_guidance_is_said_to_have_no_effect(
    pipe: MakeYourVideoPipeline, depth: DepthVideo
) -> None:
    said = "the guidance interval has no effect at a guidance scale of 1 or less"
    assert said in pipe.plan("a ball", depth, "", Options(quality="draft", guidance_interval=EARLY)).notes
    assert said not in pipe.plan("a ball", depth, "", Options(quality="draft")).notes
    assert said not in pipe.plan("a ball", depth, "", Options(guidance_interval=EARLY)).notes


@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "EDMEulerScheduler", "KDPM2DiscreteScheduler"])
def test_a_plan_foretells_the_branches(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, batches: list[int], scheduler: str
) -> None:
    options = Options(guidance_interval=(0.2, 0.7), num_inference_steps=6, scheduler=scheduler)
    plan = pipe.plan("a ball", depth, "", options)
    assert {1, 2} == set(plan.branches)
    list(pipe.denoise([plan], [depth], [seeded(0)]))
    assert tuple(batches) == plan.branches
    windowed = pipe.plan("a ball", depth, "", options.model_copy(update={"stream": True, "window": 2}))
    assert windowed.evaluations == 2 * len(batches)
    assert windowed.branch_evaluations == 2 * sum(batches)


def test_a_batch_and_its_samples_alone_agree(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    mirrored = DepthVideo.from_inverse_depth(depth.inverse_depth()[..., ::-1])
    asked = {"guidance_interval": EARLY, "output_type": "latent"}
    together = pipe(["a ball", "a floor"], [depth, mirrored], generator=[seeded(1), seeded(2)], **asked)
    for sample, (prompt, clip, seed) in zip(
        together.frames, [("a ball", depth, 1), ("a floor", mirrored, 2)], strict=True
    ):
        alone = pipe(prompt, clip, generator=seeded(seed), **asked).frames[0]
        assert torch.allclose(sample, alone, atol=1e-3)  # sums of other lengths are rounded elsewhere


def test_a_model_folder_may_carry_the_interval(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, tmp_path: Path
) -> None:
    assert pipe.plan("a", depth, "", Options()).guidance_interval == (0, 1)
    pipe.register_to_config(guidance_interval=EARLY)
    pipe.save_pretrained(tmp_path)
    skeleton = MakeYourVideoPipeline.without_weights(tmp_path)
    assert skeleton.plan("a", depth, "", Options()).branches == (2, 1, 1)
    assert skeleton.plan("a", depth, "", Options(guidance_interval=(0, 1))).branches == (2, 2, 2)


@pytest.mark.parametrize(
    ("quality", "most", "most_after_a_sketch"), [("draft", 3, 0), ("standard", 13, 1), ("best", 56, 4)]
)
def test_a_preset_takes_no_more_branches_than_its_name_allows(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, quality: Quality, most: int, most_after_a_sketch: int
) -> None:
    bundled = MakeYourVideoPipeline.without_weights(BUNDLED_MODEL)
    for own, allowed in ((pipe, most), (bundled, most_after_a_sketch)):
        plan = own.plan("a", depth, "", Options(quality=quality))
        assert plan.guided == (quality != "draft" and own is pipe)
        assert plan.branch_evaluations <= allowed


def test_guidance_that_is_asked_for_where_all_is_sketched_is_said_to_be_none(depth: DepthVideo) -> None:
    bundled = MakeYourVideoPipeline.without_weights(BUNDLED_MODEL)
    said = "nothing is guided, because all steps from 0 to 0.85 of the schedule are sketched"
    assert said in bundled.plan("a", depth, "", Options(guidance_scale=5.0)).notes
    assert said not in bundled.plan("a", depth, "", Options()).notes
    assert said not in bundled.plan("a", depth, "", Options(guidance_scale=5.0, sketch_share=0.5)).notes
    unheard = "the negative prompt has no effect, because no step is guided"
    assert unheard in bundled.plan("a", depth, "a floor", Options()).notes
    assert unheard not in bundled.plan("a", depth, "a floor", Options(sketch_share=0.5)).notes


def test_the_documented_rows_are_the_presets(depth: DepthVideo) -> None:
    bundled = MakeYourVideoPipeline.without_weights(BUNDLED_MODEL)
    page = (Path(__file__).parent.parent / "docs" / "speed.md").read_text(encoding="utf-8")
    for quality, preset in PRESETS.items():
        branches = bundled.plan("a", depth, "", Options(quality=quality)).branch_evaluations
        start, end = preset.guidance_interval
        guided = "nowhere" if preset.guidance_scale == 1 else f"{start:g}, {end:g} .*"
        numbers = rf"{preset.num_inference_steps} \| {guided} \| {branches}"
        row = rf"\| `{quality}` \| .* \| {numbers} \| {'yes' if preset.refine else 'no'} \|"
        assert re.search(row, page), row


def test_what_a_preset_comes_to_is_written_down(depth: DepthVideo, tmp_path: Path) -> None:
    """So that a replay makes the same, though presets may change."""
    depth.save(tmp_path / "depth.npz")
    for quality, is_averaged in (("draft", False), ("standard", True)):
        asked = Settings(prompt="a ball", depth=tmp_path / "depth.npz", quality=quality)
        job = prepare(asked)
        assert job.plan.sketch_share
        assert job.plan.antialias == is_averaged
        again = prepare(job.settings)
        assert replace(again.plan, notes=()) == replace(job.plan, notes=())


def test_what_is_given_beside_a_preset_wins() -> None:
    given = {
        "scheduler": "DDIMScheduler",
        "num_inference_steps": 11,
        "timestep_spacing": "leading",
        "guidance_interval": (0.5, 0.75),
        "eta": 0.5,
        "refine": True,
        "antialias": True,
        "guidance_scale": 3.0,
    }
    assert given.keys() == asdict(PRESETS["draft"]).keys()
    for name, value in given.items():
        resolved = Options(quality="draft", **{name: value}).with_preset()
        expected = {**asdict(PRESETS["draft"]), name: value}
        assert {field: getattr(resolved, field) for field in expected} == expected
        assert resolved.quality is None
    assert Options(num_frames=3).with_preset() == Options(num_frames=3)


def test_the_bundled_models_own_numbers_are_the_standard_ones(depth: DepthVideo) -> None:
    bundled = MakeYourVideoPipeline.without_weights(BUNDLED_MODEL)
    by_default, asked = (
        bundled.plan("a", depth, "", options) for options in (Options(), Options(quality="standard"))
    )
    assert replace(asked, notes=(), timestep_spacing=None) == replace(by_default, notes=())
    assert bundled.scheduler.config.timestep_spacing == asked.timestep_spacing


@pytest.fixture
def drafted(model_folder: Path, tmp_path: Path) -> Settings:
    """11 frames in windows of 4, guided at the first of three steps."""
    DepthVideo.from_inverse_depth(moving_disc(11, 32, 32)).save(tmp_path / "depth.npz")
    return Settings(
        prompt="a red ball", depth=tmp_path / "depth.npz", model=model_folder, seed=3, num_frames=11,
        quality="draft", guidance_scale=2.0, guidance_interval=(0.0, 0.3), stream=True, window=4, context=3,
        lookahead=2,
    )  # fmt: skip


@pytest.mark.parametrize("stream", [True, False])
def test_a_replay_does_not_ask_what_the_preset_is_today(
    drafted: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    job = prepare(drafted.model_copy(update={"stream": stream}))
    first = finish(run(job, tmp_path / "out.mp4"))
    monkeypatch.setattr(settings, "PRESETS", dict.fromkeys(PRESETS, PRESETS["best"]))
    manifest = read_manifest(first.manifest_file)
    assert manifest.settings.quality is None
    assert (manifest.settings.num_inference_steps, manifest.settings.guidance_interval) == (3, (0.0, 0.3))
    again = prepare(manifest.settings)
    assert again.plan.branches == job.plan.branches == (2, 1, 1)
    check_same(manifest, finish(run(again, tmp_path / "again.mp4")))


@pytest.mark.parametrize("scheduler", [None, "HeunDiscreteScheduler"])
def test_a_stopped_stream_goes_on_with_the_same_bytes(
    drafted: Settings, tmp_path: Path, scheduler: str | None
) -> None:
    job = prepare(drafted.model_copy(update={"scheduler": scheduler}))
    straight = finish(run(job, tmp_path / "straight.mp4"))
    events = run(job, tmp_path / "out.mp4")
    for event in events:
        if isinstance(event, SamplingStep) and (event.window, event.step) == (1, 1):
            break
    events.close()  # type: ignore[attr-defined]
    assert finish(run(job, tmp_path / "out.mp4")).video.read_bytes() == straight.video.read_bytes()


def test_a_window_made_again_is_guided_as_the_others(drafted: Settings, tmp_path: Path) -> None:
    first = finish(run(prepare(drafted), tmp_path / "out.webp"))
    redo, latents = with_window_redone(first.manifest, tmp_path, 1, 9)
    job = prepare(redo)
    assert job.plan.branches == (2, 1, 1)
    redone = finish(run(job, tmp_path / "redone.webp", earlier=latents))
    check_same(redone.manifest, finish(run(prepare(redo), tmp_path / "again.webp")))
    assert not np.array_equal(first.video.read_bytes(), redone.video.read_bytes())
