"""Runs from settings to files: whole or not at all, and again with the same bytes."""

import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from followed_run import finish
from makeyourvideo import run as run_module
from makeyourvideo.errors import InputError
from makeyourvideo.job import Job, prepare
from makeyourvideo.making import Stage
from makeyourvideo.manifest import fingerprint, read_manifest
from makeyourvideo.media import read_image, read_video
from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.replay import check_inputs, check_same, differences
from makeyourvideo.run import Finished, run, seen_depth
from makeyourvideo.sampling import SamplingStep
from makeyourvideo.settings import Settings
from tiny_model import moving_disc


@pytest.fixture
def settings(model_folder: Path, depth_file: Path) -> Settings:
    return Settings(prompt="a red ball", depth=depth_file, model=model_folder, seed=3)


@pytest.fixture
def job(settings: Settings) -> Job:
    return prepare(settings)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"depth.npy", ".out.mp4.resume"}


def test_the_events_tell_the_whole_story(job: Job, tmp_path: Path) -> None:
    events = list(run(job, tmp_path / "out.mp4"))
    stages = [event.name for event in events if isinstance(event, Stage)]
    steps = [(event.step, event.total) for event in events if isinstance(event, SamplingStep)]
    assert stages == ["loading the model", "sampling", "decoding", "writing"]
    assert steps == [(0, 3), (1, 3), (2, 3)]
    assert isinstance(events[-1], Finished)


def test_video_manifest_and_strip_stand_side_by_side(job: Job, tmp_path: Path) -> None:
    finished = finish(run(job, tmp_path / "out.mp4"))
    assert names(tmp_path) == {"out.mp4", "out.json", "out.png"}
    frames, fps = read_video(finished.video)
    assert (frames.shape, fps) == ((4, 32, 32, 3), 6.0)
    assert read_image(finished.strip).shape == (2 * 32 + 2, 4 * 32 + 3 * 2, 3)
    manifest = read_manifest(finished.manifest_file)
    assert manifest == finished.manifest
    assert manifest.settings.model_dump(exclude={"model", "depth"}) == {
        "prompt": "a red ball",
        "negative_prompt": "",
        "video": None,
        "scene": None,
        "keyframes": (),
        "estimator": None,
        "camera": None,
        "start": 0,
        "animation": None,
        "depth_mask": None,
        "depth_curve": None,
        "depth_kind": "inverse",
        "inverted": False,
        "depth_near": None,
        "depth_far": None,
        "depth_normalization": "clip",
        "depth_strength": 1,
        "num_frames": 4,
        "frame_stride": None,
        "height": 32,
        "width": 32,
        "quality": None,
        "num_inference_steps": 3,
        "timestep_spacing": None,
        "guidance_scale": 2.0,
        "guidance_interval": (0.0, 1.0),
        "eta": 1.0,
        "sketch_share": 0.0,
        "refine": True,
        "antialias": True,
        "scheduler": "DDIMScheduler",
        "seed": 3,
        "fps": 6.0,
        "threads": torch.get_num_threads(),
        "memory_limit": None,
        "device": "cpu",
        "precision": "float32",
        "compiled": False,
        "memory_rung": None,
        "stream": False,
        "window": None,
        "context": 16,
        "lookahead": 8,
        "redone": (),
    }
    assert manifest.video_sha256 == fingerprint(finished.video)
    assert manifest.depth["units"] == "relative"
    assert manifest.depth["nearest_inverse_depth"] > manifest.depth["farthest_inverse_depth"]
    assert set(manifest.seconds) == {"loading the model", "sampling", "decoding", "writing"}


def test_the_preview_shows_the_depth_at_its_strength(settings: Settings, tmp_path: Path) -> None:
    job = prepare(settings.model_copy(update={"depth_strength": 0.5}))
    (shown,), (whole,) = seen_depth(job), seen_depth(prepare(settings))
    assert shown.shape == (4, 32, 32, 3)
    assert (int(whole.min()), int(whole.max())) == (0, 255)
    assert np.abs(shown.astype(float) - (127.5 + (whole.astype(float) - 127.5) / 2)).max() <= 1
    finished = finish(run(job, tmp_path / "out.mp4", preview=True))
    assert finished.manifest.preview == "out.depth.mp4"
    frames, _ = read_video(tmp_path / "out.depth.mp4")
    assert frames.shape == shown.shape
    assert names(tmp_path) >= {"out.mp4", "out.json", "out.png", "out.depth.mp4"}


@pytest.mark.parametrize("name", ["out.gif", "out.webp", "frames"])
def test_other_forms_of_video(job: Job, tmp_path: Path, name: str) -> None:
    finished = finish(run(job, tmp_path / name))
    frames, _ = read_video(finished.video)
    assert frames.shape == (4, 32, 32, 3)
    assert names(tmp_path) == {name, f"{finished.video.stem}.json", f"{finished.video.stem}.png"}


def test_a_replay_from_the_manifest_alone_has_the_same_bytes(settings: Settings, tmp_path: Path) -> None:
    asked = settings.model_copy(update={"height": 37, "scheduler": "EulerAncestralDiscreteScheduler"})
    first = finish(run(prepare(asked), tmp_path / "out.mp4"))
    manifest = read_manifest(first.manifest_file)
    check_inputs(manifest)
    assert list(differences(manifest)) == []
    again = finish(run(prepare(manifest.settings), tmp_path / "again.mp4"))
    check_same(manifest, again)
    assert again.video.read_bytes() == first.video.read_bytes()


def test_a_replay_notices_what_has_changed(job: Job, tmp_path: Path) -> None:
    first = finish(run(job, tmp_path / "out.mp4"))
    manifest = read_manifest(first.manifest_file)
    older = manifest.model_copy(update={"versions": {**manifest.versions, "torch": "1.0"}})
    assert len(list(differences(older))) == 1
    assert "made with torch 1.0" in next(differences(older))

    other_seed = job.settings.model_copy(update={"seed": 4})
    other = finish(run(prepare(other_seed), tmp_path / "other.mp4"))
    with pytest.raises(InputError, match=r"other.mp4: expected the bytes of out.mp4"):
        check_same(manifest, other)

    np.save(manifest.settings.depth, moving_disc(4, 32, 32)[::-1])
    with pytest.raises(InputError, match=r"depth.npy: expected the contents with SHA-256"):
        check_inputs(manifest)
    manifest.settings.depth.unlink()
    with pytest.raises(InputError, match=r"depth.npy: expected what the video was made from"):
        check_inputs(manifest)


def test_a_loaded_pipeline_makes_the_same_video(
    job: Job, pipe: MakeYourVideoPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = finish(run(job, tmp_path / "out.mp4"))
    monkeypatch.setattr(MakeYourVideoPipeline, "from_pretrained", None)  # nothing is loaded again
    second = finish(run(job, tmp_path / "again.mp4", pipe=pipe))
    assert second.manifest.video_sha256 == first.manifest.video_sha256


def test_the_threads_of_a_run_are_its_own(settings: Settings, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    events = run(prepare(settings.model_copy(update={"threads": before + 1})), tmp_path / "out.mp4")
    during = {torch.get_num_threads() for event in events if isinstance(event, SamplingStep)}
    assert during == {before + 1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("interrupted_at", ["write_video", "write_image", "fingerprint"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, os.strerror(28))])
def test_nothing_half_written_stays(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted_at: str, error: Any
) -> None:
    def interrupted(*_: Any) -> None:
        raise error

    monkeypatch.setattr(run_module, interrupted_at, interrupted)
    for name in ("out.mp4", "out.json", "out.png"):
        (tmp_path / name).write_text("old")
    with pytest.raises((KeyboardInterrupt, InputError, OSError)):
        list(run(job, tmp_path / "out.mp4", force=True))
    assert names(tmp_path) == {"out.mp4", "out.json", "out.png"}
    assert {(tmp_path / name).read_text() for name in names(tmp_path)} == {"old"}


@pytest.mark.parametrize("name", ["out.mp4", "out.gif", "frames"])
def test_a_disk_that_is_full_is_one_line(job: Job, tmp_path: Path, name: str) -> None:
    """A real refusal of the kernel: no file may grow beyond 200 bytes."""
    events = run(job, tmp_path / name)
    while next(events) != Stage("writing"):
        pass
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with pytest.raises(InputError, match="expected room to write it, found File too large") as caught:
            next(events)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.subject == tmp_path / name
    assert names(tmp_path) - {f".{name}.resume"} == set()


def test_existing_results_are_refused_before_any_work(job: Job, tmp_path: Path) -> None:
    (tmp_path / "out.png").touch()
    with pytest.raises(InputError, match=r"out.png: .*--force"):
        next(run(job, tmp_path / "out.mp4"))


def test_depth_that_is_constant_where_it_is_used_is_refused_before_loading(settings: Settings) -> None:
    flat_at_first = moving_disc(4, 32, 32)
    flat_at_first[0] = 0.5
    np.save(settings.depth, flat_at_first)
    prepare(settings)
    with pytest.raises(InputError, match=r"depth.npy: expected depth that varies, found .* in frame 0"):
        prepare(settings.model_copy(update={"depth_normalization": "frame"}))


def test_warnings_and_notes_end_in_the_manifest(model_folder: Path, tmp_path: Path) -> None:
    upside_down = tmp_path / "depth.npy"
    np.save(upside_down, 1 - moving_disc(6, 48, 32))
    asked = Settings(prompt="a red ball " * 9, depth=upside_down, model=model_folder, eta=1.0)
    job = prepare(asked.model_copy(update={"scheduler": "EulerDiscreteScheduler"}))
    assert any("left out" in warning for warning in job.warnings)
    finished = finish(run(job, tmp_path / "out.mp4"))
    assert finished.manifest.notes == (*job.warnings, *job.plan.notes)
    assert any("eta has no effect" in note for note in finished.manifest.notes)
    assert finished.manifest.settings.eta is None
