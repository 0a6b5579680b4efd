"""Where and how exactly a run computes: device, precision, compiled or not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from followed_run import finish
from makeyourvideo import DepthVideo, MakeYourVideoPipeline
from makeyourvideo.cost import estimate_memory
from makeyourvideo.errors import InputError
from makeyourvideo.job import Job, prepare
from makeyourvideo.manifest import read_manifest
from makeyourvideo.media import read_video
from makeyourvideo.memory import LAVISH
from makeyourvideo.replay import check_same
from makeyourvideo.run import run
from makeyourvideo.settings import Options, Settings
from tiny_model import moving_disc

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numpy's, inside diffusers


@pytest.fixture
def settings(model_folder: Path, tmp_path: Path) -> Settings:
    DepthVideo.from_inverse_depth(moving_disc(4, 32, 32)).save(tmp_path / "depth.npz")
    return Settings(prompt="a red ball", depth=tmp_path / "depth.npz", model=model_folder, seed=3)


def weights(job: Job) -> int:
    return estimate_memory(job.skeleton, job.plan, job.depth, job.model_folder, LAVISH, 0).weights


def distance(folder: Path, *videos: str) -> float:
    one, other = (read_video(folder / f"{name}.mp4")[0].astype(int) for name in videos)
    return float(np.abs(one - other).mean())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_halves_the_weights_and_keeps_the_video(
    settings: Settings, tmp_path: Path, precision: str
) -> None:
    # the bundled model, since random weights would enlarge rounding
    asked = {"model": None, "num_inference_steps": 2, "sketch_share": 0.0, "height": 64, "width": 64}
    settings = settings.model_copy(update=asked)
    whole, half = prepare(settings), prepare(settings.model_copy(update={"precision": precision}))
    assert weights(half) == weights(whole) / 2
    finish(run(whole, tmp_path / "whole.mp4"))
    finish(run(prepare(settings.model_copy(update={"seed": 4})), tmp_path / "other.mp4"))
    finished = finish(run(half, tmp_path / "half.mp4"))
    assert read_manifest(finished.manifest_file).settings.precision == precision
    assert 0 < distance(tmp_path, "whole", "half") < 0.3 * distance(tmp_path, "whole", "other")
    check_same(finished.manifest, finish(run(prepare(finished.manifest.settings), tmp_path / "again.mp4")))


@pytest.mark.parametrize("stream", [False, True])
def test_noise_and_solver_stay_in_single_precision(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, stream: bool
) -> None:
    pipe.to(torch.bfloat16)
    plan = pipe.plan("a ball", depth, "", Options(stream=stream))
    generator = torch.Generator().manual_seed(0)
    events = pipe.stream(plan, depth, generator) if stream else pipe.denoise([plan], [depth], [generator])
    assert {event.latents.dtype for event in events} == {torch.float32}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"device": "abacus"}, "device: expected one that PyTorch can compute on here, found abacus"),
        ({"device": "meta"}, "device: expected one that PyTorch can compute on here, found meta"),
        ({"compiled": True, "memory_limit": 10**10}, "expected a run on the processor that is not compiled"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    settings: Settings, changed: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        prepare(settings.model_copy(update=changed))


@pytest.mark.slow
def test_compiled_makes_the_same_video_to_rounding(settings: Settings, tmp_path: Path) -> None:
    finish(run(prepare(settings), tmp_path / "plain.mp4"))
    finish(run(prepare(settings.model_copy(update={"compiled": True})), tmp_path / "compiled.mp4"))
    assert counters["stats"]["unique_graphs"] > 0
    assert distance(tmp_path, "plain", "compiled") < 0.1
