"""Streamed runs: the depth's range, the same bytes again, going on after a stop, one window made again."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from followed_run import finish
from makeyourvideo import DepthVideo, MakeYourVideoPipeline
from makeyourvideo.denoising import DenoisingPipeline
from makeyourvideo.errors import InputError
from makeyourvideo.job import Job, prepare
from makeyourvideo.making import Resumed
from makeyourvideo.manifest import read_manifest
from makeyourvideo.media import read_video
from makeyourvideo.replay import check_same, with_window_redone
from makeyourvideo.run import Event, Finished, run
from makeyourvideo.sampling import SamplingStep, WindowDone
from makeyourvideo.settings import Options, Settings
from makeyourvideo.structure.depth_file import DepthFile
from tiny_model import moving_disc


@pytest.fixture
def settings(model_folder: Path, tmp_path: Path) -> Settings:
    """11 frames in windows of 4: three windows, the last of three frames."""
    DepthVideo.from_inverse_depth(moving_disc(11, 32, 32)).save(tmp_path / "depth.npz")
    return Settings(
        prompt="a red ball", depth=tmp_path / "depth.npz", model=model_folder, seed=3, num_frames=11,
        stream=True, window=4, context=3, lookahead=2,
    )  # fmt: skip


@pytest.fixture
def job(settings: Settings) -> Job:
    return prepare(settings)


def stop_after(events: Iterator[Event], evaluations: int) -> None:
    """Kill a run as far as its files know: it never gets to tidy up."""
    for event in events:
        evaluations -= isinstance(event, SamplingStep)
        if not evaluations:
            break
    events.close()  # type: ignore[attr-defined]


def evaluations(events: Iterator[Event]) -> tuple[int, list[Resumed], Finished]:
    seen = list(events)
    asked = sum(isinstance(event, SamplingStep) for event in seen)
    assert isinstance(seen[-1], Finished)
    return asked, [event for event in seen if isinstance(event, Resumed)], seen[-1]


def test_a_window_is_shown_the_depth_that_the_whole_clip_would_be(
    pipe: MakeYourVideoPipeline, settings: Settings
) -> None:
    depth = DepthFile(settings.depth)  # type: ignore[arg-type]
    for asked in (
        {},
        {"height": 37, "width": 20},
        {"depth_normalization": "frame"},
        {"frame_stride": 2, "num_frames": 5},
    ):
        options = settings.model_copy(update=asked)
        plan = pipe.plan("a ball", depth, "", options)
        whole = pipe.condition(
            plan, DepthVideo.from_inverse_depth(moving_disc(11, 32, 32)), range(plan.num_frames)
        )
        for window in plan.windows:
            part = pipe.condition(plan, depth, window.seen)
            assert torch.equal(part, whole[:, window.seen.start : window.seen.stop])


def test_long_videos_are_streamed_unless_it_is_refused(
    pipe: MakeYourVideoPipeline, depth: DepthVideo
) -> None:
    long = DepthVideo.from_inverse_depth(np.repeat(depth.inverse_depth(), 33, axis=0))
    assert not pipe.plan("", long, "", Options(num_frames=128)).windows
    plan = pipe.plan("", long, "", Options(num_frames=129))
    assert [len(window.made) for window in plan.windows] == [32, 32, 32, 32, 1]
    assert plan.evaluations == 5 * 3
    assert plan.notes[-1] == (
        "made in 5 windows of 32 frames, because there are more than 128: "
        "each sees 16 finished frames before it and 8 after it"
    )
    assert not pipe.plan("", long, "", Options(num_frames=129, stream=False, window=9)).windows
    assert len(pipe.plan("", long, "", Options(num_frames=16, window=8)).windows) == 2


def test_from_python_windows_come_one_by_one(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    options = Options(stream=True, window=2, context=2, lookahead=1)
    plan = pipe.plan("a ball", depth, "", options)
    events = list(pipe.stream(plan, depth, torch.Generator().manual_seed(1)))
    done = [event for event in events if isinstance(event, WindowDone)]
    for event in done:
        frames = pipe.decode_latents(event.latents, [plan], [depth], event.window.made)
        assert frames.shape == (1, 2, 3, 32, 32)
    assert [event.window for event in events if isinstance(event, SamplingStep)] == [0, 0, 0, 1, 1, 1]
    at_once = pipe.plan("a ball", depth, "", Options())
    with pytest.raises(InputError, match="plan: expected one with windows"):
        next(pipe.stream(at_once, depth, torch.Generator()))


@pytest.mark.parametrize("name", ["out.mp4", "out.gif", "out"])
def test_a_streamed_video_its_manifest_and_its_replay(job: Job, tmp_path: Path, name: str) -> None:
    finished = finish(run(job, tmp_path / name, preview=True))
    frames, _ = read_video(finished.video)
    assert frames.shape == (11, 32, 32, 3)
    stored = {path.name for path in tmp_path.iterdir()}
    assert stored == {"depth.npz", name, "out.json", "out.png", "out.depth.mp4", "out.latents"}
    manifest = read_manifest(finished.manifest_file)
    asked = manifest.settings
    assert (asked.stream, asked.window, asked.context, asked.lookahead) == (True, 4, 3, 2)
    assert (manifest.latents, manifest.latents_sha256 is None) == ("out.latents", False)
    assert len(list((tmp_path / "out.latents").iterdir())) == 3
    again = finish(run(prepare(asked), tmp_path / f"again{Path(name).suffix}"))
    check_same(manifest, again)


def test_one_window_that_holds_everything_is_the_one_pass(settings: Settings, tmp_path: Path) -> None:
    still = settings.model_copy(update={"eta": 0.0, "window": 11})
    streamed = finish(run(prepare(still), tmp_path / "streamed.mp4"))
    at_once = finish(run(prepare(still.model_copy(update={"stream": False})), tmp_path / "at_once.mp4"))
    assert streamed.video.read_bytes() == at_once.video.read_bytes()
    assert streamed.strip.read_bytes() == at_once.strip.read_bytes()


@pytest.mark.parametrize(
    ("scheduler", "share"),
    [("DDIMScheduler", 0.0), ("EulerAncestralDiscreteScheduler", 0.0), ("DDIMScheduler", 0.85)],
)
@pytest.mark.parametrize("stream", [True, False])
def test_a_run_goes_on_after_a_stop_with_the_same_bytes(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stream: bool,
    scheduler: str,
    share: float,
) -> None:
    monkeypatch.setattr("makeyourvideo.making.DECODED_TOGETHER", 3)  # not as windows are cut
    asked_for = {"stream": stream, "scheduler": scheduler, "sketch_share": share}
    job = prepare(settings.model_copy(update=asked_for))
    assert job.plan.is_led == (share > 0)
    total = job.plan.evaluations
    asked, resumed, straight = evaluations(run(job, tmp_path / "straight.mp4"))
    assert (asked, resumed) == (total, [])
    for stopped_at in range(1, total, 2):
        output = tmp_path / str(stopped_at) / "out.mp4"
        stop_after(run(job, output), stopped_at)
        assert [path.name for path in output.parent.iterdir()] == [".out.mp4.resume"]
        _, resumed, finished = evaluations(run(job, output))
        assert resumed == [Resumed(stopped_at, total)]
        assert finished.video.read_bytes() == straight.video.read_bytes()
        assert ".out.mp4.resume" not in {path.name for path in output.parent.iterdir()}


def test_what_is_kept_does_not_grow_with_the_windows(job: Job, tmp_path: Path) -> None:
    hidden = tmp_path / ".out.mp4.resume"
    for event in run(job, tmp_path / "out.mp4"):
        if isinstance(event, SamplingStep):
            assert len(list(hidden.glob("answers-*/*"))) == event.step + 1
            assert len(list(hidden.glob("paths/*"))) <= 1


def test_the_network_is_not_asked_again_and_other_settings_start_afresh(
    job: Job, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(run(job, tmp_path / "out.mp4"), 4)
    other = prepare(settings.model_copy(update={"seed": 4}))
    _, resumed, _ = evaluations(run(other, tmp_path / "out.mp4"))
    assert resumed == []
    stop_after(run(job, tmp_path / "more.mp4"), 4)
    calls = []
    predict = DenoisingPipeline._predict

    def counted(*arguments: object) -> object:
        original = predict(*arguments)  # type: ignore[arg-type]
        return lambda *asked: calls.append(asked) or original(*asked)  # type: ignore[func-returns-value]

    monkeypatch.setattr(DenoisingPipeline, "_predict", counted)
    finish(run(job, tmp_path / "more.mp4"))
    assert len(calls) == job.plan.evaluations - 4


def test_what_a_power_failure_left_incomplete_is_made_again(job: Job, tmp_path: Path) -> None:
    straight = finish(run(job, tmp_path / "straight.mp4"))
    for damaged, stopped_at, done in (
        ("paths/00000.safetensors", 4, 0),
        ("answers-0-1/00000.safetensors", 4, 4),
        ("windows-0/00001.safetensors", 7, 0),
    ):
        output = tmp_path / damaged[:5] / "out.mp4"
        stop_after(run(job, output), stopped_at)
        (output.parent / ".out.mp4.resume" / damaged).write_bytes(b"")
        _, resumed, finished = evaluations(run(job, output))
        assert [event.done for event in resumed] == [done] * bool(done)
        assert finished.video.read_bytes() == straight.video.read_bytes()


@pytest.mark.parametrize("window", [0, 1, 2])
def test_a_window_made_again_leaves_the_others_as_they_were(
    settings: Settings, tmp_path: Path, window: int
) -> None:
    first = finish(run(prepare(settings), tmp_path / "out.webp"))
    manifest = read_manifest(first.manifest_file)
    redo, latents = with_window_redone(manifest, tmp_path, window, None)
    assert redo.redone == ((window, 4),)
    asked, _, redone = evaluations(run(prepare(redo), tmp_path / "redone.webp", earlier=latents))
    assert asked == 3
    (before, _), (after, _) = read_video(first.video), read_video(redone.video)
    changed = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    assert changed == [window * 4 <= frame < window * 4 + 4 for frame in range(11)]
    assert read_video(first.video)[0].shape == before.shape

    again = finish(run(prepare(read_manifest(redone.manifest_file).settings), tmp_path / "again.webp"))
    check_same(redone.manifest, again)


def test_the_only_window_made_again_is_the_video_of_another_seed(settings: Settings, tmp_path: Path) -> None:
    whole = settings.model_copy(update={"window": 11})
    first = finish(run(prepare(whole), tmp_path / "out.mp4"))
    redo, latents = with_window_redone(first.manifest, tmp_path, 0, 8)
    redone = finish(run(prepare(redo), tmp_path / "redone.mp4", earlier=latents))
    other = finish(run(prepare(whole.model_copy(update={"seed": 8})), tmp_path / "other.mp4"))
    assert redone.video.read_bytes() == other.video.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.85])
def test_windows_may_be_made_again_one_after_the_other_in_place_and_after_a_stop(
    settings: Settings, tmp_path: Path, share: float
) -> None:
    settings = settings.model_copy(update={"sketch_share": share})
    output = tmp_path / "out.webp"
    finish(run(prepare(settings), output))
    for window, seed in ((1, 9), (2, None), (1, None)):
        manifest = read_manifest(tmp_path / "out.json")
        redo, latents = with_window_redone(manifest, tmp_path, window, seed)
        stop_after(run(prepare(redo), output, force=True, earlier=latents), 2)
        last = finish(run(prepare(redo), output, force=True, earlier=latents))
    assert last.manifest.settings.redone == ((1, 9), (2, 10), (1, 11))
    straight = prepare(last.manifest.settings)
    stop_after(run(straight, tmp_path / "again.webp"), 14)
    check_same(last.manifest, finish(run(straight, tmp_path / "again.webp")))


def test_a_window_made_again_counts_alone_and_in_a_replay_after_the_others(
    settings: Settings, tmp_path: Path
) -> None:
    output = tmp_path / "out.webp"
    job = prepare(settings)
    manifest = finish(run(job, output)).manifest
    each = job.plan.evaluations // 3
    redo, latents = with_window_redone(manifest, tmp_path, 1, None)
    stop_after(run(prepare(redo), output, force=True, earlier=latents), 2)
    events = list(run(prepare(redo), output, force=True, earlier=latents))
    assert [event for event in events if isinstance(event, Resumed)] == [Resumed(2, each)]
    steps = [event for event in events if isinstance(event, SamplingStep)]
    assert {(step.window, step.windows) for step in steps} == {(0, 1)}
    straight = prepare(read_manifest(tmp_path / "out.json").settings)
    stop_after(run(straight, tmp_path / "again.webp"), 3 * each + 1)
    events = list(run(straight, tmp_path / "again.webp"))
    assert [event for event in events if isinstance(event, Resumed)] == [Resumed(3 * each + 1, 4 * each)]
    steps = [event for event in events if isinstance(event, SamplingStep)]
    assert {(step.window, step.windows) for step in steps} == {(3, 4)}


def test_a_window_that_cannot_be_made_again_is_one_line(settings: Settings, tmp_path: Path) -> None:
    at_once = finish(run(prepare(settings.model_copy(update={"stream": False})), tmp_path / "once.mp4"))
    with pytest.raises(InputError, match="redo_window: expected a video made with --stream"):
        with_window_redone(at_once.manifest, tmp_path, 0, None)
    manifest = finish(run(prepare(settings), tmp_path / "out.mp4")).manifest
    with pytest.raises(InputError, match="redo_window: expected between 0 and 2, found 3"):
        with_window_redone(manifest, tmp_path, 3, None)
    (tmp_path / "out.latents" / "00001.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"out.latents: expected the latents of out.mp4, found others"):
        with_window_redone(manifest, tmp_path, 0, None)


@pytest.mark.parametrize("stream", [True, False])
def test_a_long_video_comes_with_its_drift(settings: Settings, tmp_path: Path, stream: bool) -> None:
    DepthVideo.from_inverse_depth(moving_disc(20, 32, 32)).save(tmp_path / "long.npz")
    asked = {"depth": tmp_path / "long.npz", "num_frames": 20, "window": 8, "stream": stream}
    job = prepare(settings.model_copy(update=asked))
    finished = finish(run(job, tmp_path / "long.mp4"))
    drift = read_manifest(finished.manifest_file).drift
    assert drift is not None
    assert drift["num_frames"] == 20
    assert drift["borders"] == ([8, 16] if stream else [])
    assert finished.drift == tmp_path / "long.drift.png"
    assert finished.drift.stat().st_size > 1000


def test_a_clip_of_the_trained_length_is_not_watched(job: Job, tmp_path: Path) -> None:
    finished = finish(run(job, tmp_path / "short.mp4"))
    assert finished.manifest.drift is None
    assert finished.drift is None


def test_a_stop_while_results_are_written_loses_nothing(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = finish(run(job, tmp_path / "straight.mp4"))

    def stopped(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("makeyourvideo.run.Manifest.dumps", stopped)
        with pytest.raises(KeyboardInterrupt):
            finish(run(job, tmp_path / "out.mp4"))
    asked, resumed, finished = evaluations(run(job, tmp_path / "out.mp4"))
    assert (asked, resumed) == (0, [Resumed(job.plan.evaluations, job.plan.evaluations)])
    assert finished.video.read_bytes() == straight.video.read_bytes()
