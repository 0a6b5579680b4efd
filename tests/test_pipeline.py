"""The pipeline with tiny random networks: every promise but the looks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import LCMScheduler
from torch import Tensor

from makeyourvideo import DepthVideo, MakeYourVideoPipeline
from makeyourvideo.errors import InputError
from makeyourvideo.pipeline import BUNDLED_MODEL
from makeyourvideo.sampling.schedulers import scheduler_class
from makeyourvideo.settings import Options
from tiny_model import moving_disc

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numpy's, inside diffusers


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Spy:
    """Stands in for the network's forward and keeps what it was given."""

    def __init__(self, pipe: MakeYourVideoPipeline) -> None:
        self.calls: list[tuple[Tensor, Tensor, Tensor]] = []
        self._forward = pipe.unet.forward
        pipe.unet.forward = self  # type: ignore[method-assign]

    def __call__(self, sample: Tensor, timesteps: Tensor, text: Tensor) -> Any:
        self.calls.append((sample, timesteps, text))
        return self._forward(sample, timesteps, text)


def test_a_prompt_and_depth_become_frames(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    output = pipe("a red ball", depth, generator=seeded(5))
    (frames,) = output.frames
    assert frames.shape == (4, 32, 32, 3)
    assert frames.dtype == np.uint8
    assert frames.std() > 10
    assert output.seeds == [5]
    assert output.notes == []


def test_the_same_seed_gives_the_same_bytes(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    first, again, other = (pipe("a red ball", depth, generator=seeded(seed)).frames[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_clip_alone_and_in_a_batch_agree(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    mirrored = DepthVideo.from_inverse_depth(depth.inverse_depth()[..., ::-1])
    asked = [("a red ball", depth, 3), ("a plain floor", mirrored, 4), ("", depth, 5)]
    prompts, depths, seeds = zip(*asked, strict=True)
    batch = pipe(list(prompts), list(depths), generator=[seeded(seed) for seed in seeds]).frames
    for together, (prompt, clip, seed) in zip(batch, asked, strict=True):
        (alone,) = pipe(prompt, clip, generator=seeded(seed)).frames
        assert np.abs(together.astype(int) - alone).max() <= 1
    assert not np.array_equal(batch[0], batch[1])


@pytest.mark.parametrize(("height", "width", "num_frames"), [(37, 51, 3), (16, 16, 1), (33, 20, None)])
def test_any_size_and_number_of_frames_is_met_exactly(
    pipe: MakeYourVideoPipeline, height: int, width: int, num_frames: int | None
) -> None:
    depth = moving_disc(6, 40, 60)
    output = pipe("a red ball", depth, num_frames=num_frames, height=height, width=width)
    assert output.frames[0].shape == (num_frames or 4, height, width, 3)
    notes = " / ".join(output.notes)
    assert "of the depth's 6 frames are used" in notes
    assert ("cropped to" in notes) == (height % 16 != 0 or width % 16 != 0)


def test_conditional_and_unconditional_branch_are_one_batch_and_only_the_text_is_dropped(
    pipe: MakeYourVideoPipeline, depth: DepthVideo
) -> None:
    spy = Spy(pipe)
    pipe("a red ball", depth, guidance_scale=3.0, negative_prompt="a floor")
    assert len(spy.calls) == 3
    sample, timesteps, text = spy.calls[0]
    assert torch.equal(sample[0], sample[1])  # latents and depth alike
    assert torch.equal(text, pipe.encode_prompt(["a floor", "a red ball"]))
    assert timesteps.tolist() == [667, 667]


def test_without_guidance_there_is_no_unconditional_branch(
    pipe: MakeYourVideoPipeline, depth: DepthVideo
) -> None:
    spy = Spy(pipe)
    output = pipe("a red ball", depth, guidance_scale=1.0, negative_prompt="a floor")
    assert {len(sample) for sample, _, _ in spy.calls} == {1}
    assert output.notes == ["the negative prompt has no effect, because no step is guided"]


def test_the_depth_enters_folded_after_the_latents(pipe: MakeYourVideoPipeline) -> None:
    spy = Spy(pipe)
    depth = DepthVideo.from_inverse_depth(moving_disc(4, 8, 8))  # 4 x 4 latents of 2 x 2 depth pixels
    pipe("a red ball", depth, guidance_scale=1.0)
    folded = spy.calls[0][0][0, 4:]
    assert folded.shape == (4, 4, 4, 4)
    values = torch.from_numpy(depth.values)
    for row in range(2):
        for column in range(2):
            assert torch.equal(folded[2 * row + column], values[:, row::2, column::2])


@pytest.mark.parametrize("normalization", ["clip", "frame", None])
def test_the_range_of_the_depth_is_the_models_unless_overridden(
    pipe: MakeYourVideoPipeline, normalization: Any
) -> None:
    spy = Spy(pipe)
    inverse = moving_disc(4, 32, 32) * np.array([1, 2, 3, 4], np.float32)[:, None, None]
    pipe("a red ball", inverse, depth_normalization=normalization)
    lowest = spy.calls[0][0][0, 4:].amin(dim=(0, 2, 3))
    highest = spy.calls[0][0][0, 4:].amax(dim=(0, 2, 3))
    per_frame = torch.allclose(lowest, -torch.ones(4)) and torch.allclose(highest, torch.ones(4))
    assert per_frame == (normalization == "frame")


def test_the_strength_scales_what_the_network_sees_of_the_depth(pipe: MakeYourVideoPipeline) -> None:
    spy = Spy(pipe)
    for strength in (1, 0.25, 0):
        pipe("a red ball", moving_disc(4, 32, 32), depth_strength=strength)
    whole, faint, none = (spy.calls[index * (len(spy.calls) // 3)][0][:, 4:] for index in range(3))
    assert torch.equal(faint, 0.25 * whole)
    assert not none.any()


def test_depth_and_text_both_matter(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    frames = pipe("a red ball", depth, generator=seeded(0)).frames[0]
    other_text = pipe("a floor", depth, generator=seeded(0)).frames[0]
    other_depth = pipe("a red ball", moving_disc(4, 32, 32)[::-1].copy(), generator=seeded(0)).frames[0]
    assert not np.array_equal(frames, other_text)
    assert not np.array_equal(frames, other_depth)


@pytest.mark.parametrize("wrap", [np.asarray, torch.from_numpy, DepthVideo.from_inverse_depth])
def test_depth_may_be_an_array_a_tensor_or_a_depth_video(pipe: MakeYourVideoPipeline, wrap: Any) -> None:
    expected = pipe("a red ball", moving_disc(4, 32, 32), generator=seeded(0)).frames[0]
    given = pipe("a red ball", wrap(moving_disc(4, 32, 32)), generator=seeded(0)).frames[0]
    assert np.array_equal(given, expected)


def test_a_callback_sees_every_step_and_can_change_the_latents(
    pipe: MakeYourVideoPipeline, depth: DepthVideo
) -> None:
    seen = []

    def callback(own: MakeYourVideoPipeline, step: int, timestep: Tensor, state: dict[str, Tensor]) -> Any:
        seen.append((own is pipe, step, int(timestep), state["latents"].shape))
        return {"latents": torch.zeros_like(state["latents"])} if step == 2 else {}

    latents = pipe("a ball", depth, callback_on_step_end=callback, output_type="latent").frames
    assert seen == [(True, step, t, (1, 4, 4, 4, 4)) for step, t in enumerate((667, 334, 1))]
    assert not latents.any()


def test_output_types_show_the_same_frames(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    outputs: dict[str, Any] = {
        kind: pipe("a ball", depth, generator=seeded(0), output_type=kind).frames  # type: ignore[arg-type]
        for kind in ("uint8", "np", "pt", "pil")
    }
    expected = outputs["uint8"][0]
    assert np.array_equal((outputs["np"][0] * 255).round(), expected)
    assert torch.equal(outputs["pt"], torch.from_numpy(outputs["np"]).permute(0, 1, 4, 2, 3))
    assert np.array_equal(np.stack([np.asarray(frame) for frame in outputs["pil"][0]]), expected)
    (frames,) = pipe("a ball", depth, generator=seeded(0), return_dict=False)
    assert np.array_equal(frames[0], expected)


@pytest.mark.parametrize(
    "name", ["EDMEulerScheduler", "HeunDiscreteScheduler", "EulerAncestralDiscreteScheduler"]
)
def test_schedulers_are_swapped_in_the_diffusers_way(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, name: str
) -> None:
    cls: Any = scheduler_class(name)
    pipe.scheduler = cls.from_config(pipe.scheduler.config)
    first, again = (pipe("a ball", depth, generator=seeded(0), eta=1.0) for _ in range(2))
    assert first.notes == [f"eta has no effect, because {name} has no such setting"]
    assert np.array_equal(first.frames[0], again.frames[0])  # nothing of a run stays in the scheduler
    assert first.frames[0].std() > 10


def test_steps_that_cannot_be_placed_are_said(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    notes = {
        name: pipe("a ball", depth, scheduler=name, timestep_spacing="trailing", output_type="latent").notes
        for name in ("EDMEulerScheduler", "EulerDiscreteScheduler")
    }
    found = ["timestep_spacing has no effect, because EDMEulerScheduler has no such setting"]
    assert notes == {"EDMEulerScheduler": found, "EulerDiscreteScheduler": []}


def test_other_schedulers_are_refused_by_name(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
    with pytest.raises(InputError, match="found 'LCMScheduler'"):
        pipe("a ball", depth)


def test_text_that_does_not_fit_is_said(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    with pytest.warns(UserWarning, match="model's 12 tokens; left out: '.*blue sky'"):
        pipe("a red ball rolls over a plain gray floor under a clear blue sky", depth)


def test_a_single_frame_of_depth_may_be_held_still(pipe: MakeYourVideoPipeline) -> None:
    output = pipe("a ball", moving_disc(1, 32, 32), num_frames=3)
    assert output.frames[0].shape == (3, 32, 32, 3)
    assert output.notes == ["the depth is a single frame, held still for 3 frames"]
    assert pipe("a ball", moving_disc(1, 32, 32)).frames[0].shape == (1, 32, 32, 3)


def nan_depth() -> np.ndarray:
    depth = moving_disc(4, 32, 32)
    depth[2, 3, 4] = np.nan
    return depth


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"num_frames": 5}, "num_frames: expected between 1 and the clip's 4 frames, found 5"),
        ({"num_frames": 0}, "num_frames: expected greater than or equal to 1, found 0"),
        ({"num_frames": -3}, "num_frames: expected greater than or equal to 1, found -3"),
        ({"frame_stride": 0}, "frame_stride"),
        ({"height": 0}, "height: expected between 1 and 8192 pixels, found 0"),
        ({"num_inference_steps": 0}, "num_inference_steps: expected between 1 and 1000, found 0"),
        ({"eta": 1.5}, "eta: expected less than or equal to 1, found 1.5"),
        ({"guidance_scale": float("nan")}, "guidance_scale: expected a finite number, found nan"),
        ({"depth_normalization": "video"}, "depth_normalization: expected 'clip' or 'frame', found 'video'"),
        ({"depth": nan_depth()}, "NaN or infinity in frame 2"),
        ({"depth": np.ones((4, 32, 32))}, "expected depth that varies"),
        ({"depth": np.ones((4, 32))}, r"expected depth of shape \(frames, height, width\)"),
        (
            {"prompt": ["a", "b"], "depth": [moving_disc(4, 32, 32)]},
            "depth: expected one for each of 2 prompts",
        ),
        ({"negative_prompt": ["a", "b"]}, "negative_prompt: expected one for each of 1 prompts, found 2"),
        ({"generator": [seeded(0), seeded(1)]}, "generator: expected one for each of 1 samples, found 2"),
        (
            {"prompt": ["a", "b"], "depth": [moving_disc(4, 32, 32), moving_disc(4, 32, 64)]},
            "expected clips that give videos of one shape",
        ),
    ],
)
def test_bad_input_is_one_line(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, asked: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        pipe(**({"prompt": "a ball", "depth": depth} | asked))


def test_samples_that_begin_with_a_sketch_and_without_are_no_batch(depth: DepthVideo) -> None:
    pipe = MakeYourVideoPipeline.without_weights(BUNDLED_MODEL)
    masks = (None, np.full((1, 1, 1), 0.5, np.float32))
    plans = [pipe.plan("a ball", depth, "", Options(), mask) for mask in masks]
    with pytest.raises(InputError, match="depth_mask: expected a mask for every sample or for none"):
        next(pipe.denoise(plans, [depth, depth], [seeded(0), seeded(1)]))


def test_a_plan_needs_no_weights(pipe: MakeYourVideoPipeline, model_folder: Path, depth: DepthVideo) -> None:
    skeleton = MakeYourVideoPipeline.without_weights(model_folder)
    assert all(parameter.is_meta for parameter in skeleton.unet.parameters())
    options = Options(height=37, num_inference_steps=7)
    assert skeleton.plan("a", depth, "b", options) == pipe.plan("a", depth, "b", options)


def test_saving_and_loading_again_keeps_every_number(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, tmp_path: Path
) -> None:
    pipe.save_pretrained(tmp_path)
    again = MakeYourVideoPipeline.from_pretrained(tmp_path)
    again.set_progress_bar_config(disable=True)
    assert again.config.fps == 6.0
    first, second = (own("a ball", depth, generator=seeded(0)).frames[0] for own in (pipe, again))
    assert np.array_equal(first, second)


def test_half_precision_on_disk_is_single_precision_in_memory(
    pipe: MakeYourVideoPipeline, tmp_path: Path
) -> None:
    pipe.to(torch.float16).save_pretrained(tmp_path)
    again = MakeYourVideoPipeline.from_pretrained(tmp_path)
    for network in (again.unet, again.vae, again.text_encoder):
        assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


@pytest.fixture
def steps(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> Iterator[Any]:
    plan = pipe.plan("a ball", depth, "", Options())
    return pipe.denoise([plan], [depth], [seeded(0)])


def test_the_loop_runs_no_further_than_its_consumer_and_without_gradients(
    pipe: MakeYourVideoPipeline, steps: Iterator[Any]
) -> None:
    spy = Spy(pipe)
    event = next(steps)
    assert len(spy.calls) == 1
    assert not event.latents.requires_grad
    assert torch.is_grad_enabled()
