"""The commands as people type them: what they print, what they leave behind, how they end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from makeyourvideo import job
from makeyourvideo.cli.running import _progress
from makeyourvideo.media import read_video
from makeyourvideo.sampling import SamplingStep
from tiny_model import moving_disc

Command = Callable[..., Any]  # the fixture of that name


@pytest.fixture
def generate(model_folder: Path) -> list[object]:
    return ["generate", "--prompt", "a red ball", "--depth", "depth.npy", "--model", model_folder]


def files() -> set[str]:
    return {path.name for path in Path().iterdir()} - {"depth.npy"}


def test_generate_names_what_it_wrote_and_is_quiet_otherwise(
    command: Command, generate: list[object]
) -> None:
    result = command(*generate, "-o", "deep/out.mp4")
    assert result.code == 0
    assert result.out.splitlines() == ["deep/out.mp4", "deep/out.json", "deep/out.png"]
    assert result.err == ""
    assert {path.name for path in Path("deep").iterdir()} == {"out.mp4", "out.json", "out.png"}


def test_every_option_reaches_the_manifest(command: Command, generate: list[object]) -> None:
    asked = {
        "negative_prompt": "a floor",
        "depth_normalization": "frame",
        "depth_strength": 0.25,
        "num_frames": 2,
        "frame_stride": 2,
        "height": 33,
        "width": 47,
        "timestep_spacing": "trailing",
        "guidance_scale": 1.5,
        "eta": 0.5,
        "scheduler": "DDIMScheduler",
        "seed": 99,
        "fps": 12.5,
        "threads": 1,
    }
    options = [part for name, value in asked.items() for part in (f"--{name.replace('_', '-')}", value)]
    result = command(*generate, "--steps", 5, *options, "-o", "out.mp4")
    assert result.code == 0, result.err
    settings = json.loads(Path("out.json").read_text())["settings"]
    assert settings["num_inference_steps"] == 5
    assert {name: settings[name] for name in asked} == asked
    frames, fps = read_video(Path("out.mp4"))
    assert (frames.shape, fps) == ((2, 33, 47, 3), 12.5)


def test_a_quality_is_said_and_its_numbers_reach_the_manifest(
    command: Command, generate: list[object]
) -> None:
    asked = ["--quality", "draft", "--steps", 5, "--guidance-scale", 2, "--guidance-interval", 0.2, 0.6]
    result = command(*generate, *asked, "-o", "out.mp4")
    assert result.code == 0, result.err
    assert result.err.splitlines() == [
        "note: draft quality: DPMSolverMultistepScheduler, 5 steps, guided from 0.2 to 0.6 of the schedule, "
        "not refined"
    ]
    settings = json.loads(Path("out.json").read_text())["settings"]
    row = {
        "quality": None, "scheduler": "DPMSolverMultistepScheduler", "num_inference_steps": 5,
        "timestep_spacing": "trailing", "guidance_interval": [0.2, 0.6], "eta": None, "refine": False,
    }  # fmt: skip
    assert {name: settings[name] for name in row} == row
    dry = command(*generate, *asked, "--dry-run", "-o", "dry.mp4")
    assert "scale 2 at 2 of 5 evaluations; the others take half the time" in dry.out
    assert command("replay", "out.json").out.splitlines()[-1] == "the same bytes as out.mp4"


def test_the_bar_counts_branches() -> None:
    step = SamplingStep(1, 3, torch.tensor(0), torch.zeros(0), window=1, windows=2)
    assert _progress(step, (2, 1, 1)) == {
        "completed": 7,
        "total": 8,
        "description": "sampling, window 2 of 2",
    }


def test_metric_and_inverted_depth_are_flags(command: Command, generate: list[object]) -> None:
    np.save("depth.npy", 1 / moving_disc(4, 32, 32))
    assert command(*generate, "--depth-kind", "metric", "-o", "metric.mp4").code == 0
    np.save("depth.npy", 1 - moving_disc(4, 32, 32))
    assert command(*generate, "--inverted", "-o", "inverted.mp4").code == 0
    np.save("depth.npy", moving_disc(4, 32, 32))
    assert command(*generate, "-o", "plain.mp4").code == 0
    plain, inverted, metric = (read_video(Path(f"{name}.mp4"))[0] for name in ("plain", "inverted", "metric"))
    assert np.abs(plain.astype(int) - inverted).mean() < 1
    assert np.abs(plain.astype(int) - metric).mean() < 1
    np.save("depth.npy", 1 - moving_disc(4, 32, 32))
    assert command(*generate, "-o", "upside-down.mp4").code == 0
    assert np.abs(plain.astype(int) - read_video(Path("upside-down.mp4"))[0]).mean() > 3


def test_what_is_changed_is_noted_a_line_each(command: Command, generate: list[object]) -> None:
    result = command(*generate, "--height", 30, "--num-frames", 2, "-o", "out.mp4")
    assert result.err.splitlines() == [
        "note: 2 of the depth's 4 frames are used: 0, 1",
        "note: made at 32x32, as the network needs, and cropped to 30x30",
    ]


def test_a_warning_is_one_line(command: Command, generate: list[object]) -> None:
    generate[2] = "a red ball rolls over a plain gray floor under a clear blue sky"
    result = command(*generate, "-o", "out.mp4")
    assert result.code == 0
    (line,) = result.err.splitlines()
    assert line.startswith("warning: the text is longer than the model's 12 tokens; left out: ")


def test_a_dry_run_says_what_would_happen_and_writes_nothing(
    command: Command, generate: list[object]
) -> None:
    result = command(
        *generate, "--dry-run", "--height", 30, "--scheduler", "HeunDiscreteScheduler", "-o", "out.mp4"
    )
    assert result.code == 0, result.err
    facts = dict(line.strip().split("  ", 1) for line in result.out.splitlines())
    assert facts["video"] == "4 frames of 30x30 at 6 a second"
    assert facts["network"] == "works at 32x32"
    assert facts["sampling"] == "HeunDiscreteScheduler, 3 steps, 5 evaluations"
    assert facts["memory"].startswith("about ")
    assert facts["memory"].endswith("(9 MB of it weights), estimated")
    assert re.match(r"about \d+ (s|min) on \d+ threads", facts["time"])
    assert (facts["limit"], facts["saving"]) == ("none", "nothing")
    assert facts["files"] == "out.mp4, out.json, out.png"
    assert files() == set()


def test_a_dry_run_says_what_is_sketched(command: Command, generate: list[object]) -> None:
    for share, said in ((0, "left out"), (0.5, "stands for 1 of 3 evaluations")):
        result = command(*generate, "--dry-run", "--sketch-share", share, "-o", "out.mp4")
        assert result.code == 0, result.err
        facts = dict(line.strip().split("  ", 1) for line in result.out.splitlines())
        assert facts["sketch"] == said
        assert facts["guidance"] == "scale 2"


def test_a_sketched_video_is_made_again(command: Command, generate: list[object]) -> None:
    result = command(*generate, "--sketch-share", 0.5, "-o", "out.mp4")
    assert result.code == 0, result.err
    assert json.loads(Path("out.json").read_text())["settings"]["sketch_share"] == 0.5
    assert command("replay", "out.json").out.splitlines()[-1] == "the same bytes as out.mp4"


def test_a_limited_run_says_what_it_saves_on_and_its_manifest_keeps_it(
    command: Command, generate: list[object]
) -> None:
    limited = [*generate, "--memory-limit", "1MB", "-o", "out.mp4"]
    refused = command(*limited, "--dry-run")
    (line,) = refused.err.splitlines()
    least = re.fullmatch(
        r"makeyourvideo: memory_limit: expected at least (\d+) MB \(less with --stream .*\), found 1 MB", line
    )
    assert refused.code == 1
    assert least, line
    limited[limited.index("1MB")] = f"{int(least[1]) + 500}MB"
    assert command(*limited).code == 0
    kept = json.loads(Path("out.json").read_text())["settings"]
    assert kept["memory_limit"] == (int(least[1]) + 500) * 10**6
    assert kept["memory_rung"] == 0
    assert command("replay", "out.json").out.splitlines()[-1] == "the same bytes as out.mp4"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--scheduler", "Bla"], "scheduler: expected one of DDIMScheduler, "),
        (["--num-frames", "5"], "depth.npy: num_frames: expected between 1 and the clip's 4 frames, found 5"),
        (["--guidance-interval", 0, 2], "guidance_interval.1: expected less than or equal to 1, found 2.0"),
        (["--guidance-interval", 0.5, 0.4], "guidance_interval: expected a start below its end, found (0.5"),
        (["--sketch-share", "2"], "sketch_share: expected less than or equal to 1, found 2.0"),
        (["--eta", "2"], "eta: expected less than or equal to 1, found 2.0"),
        (["--depth-strength", "nan"], "depth_strength: expected a finite number, found nan"),
        (["--seed", "-1"], "seed: expected greater than or equal to 0, found -1"),
        (["--depth", "nothing.mp4"], "nothing.mp4: expected "),
        (
            ["--model", "nowhere"],
            "nowhere: expected a model folder with a model_index.json, found nothing there",
        ),
        (["--output", "out.xyz"], "out.xyz: expected .mp4, .gif, .webp or no suffix"),
        (["--output", "depth.npy/out.mp4"], "depth.npy/out.mp4: expected a folder to write into"),
    ],
)
def test_bad_input_is_one_line_and_ends_in_1(
    command: Command, generate: list[object], arguments: list[str], complaint: str
) -> None:
    result = command(*generate, "-o", "out.mp4", *arguments)
    assert result.code == 1
    (line,) = result.err.splitlines()
    assert line.startswith(f"makeyourvideo: {complaint}")
    assert result.out == ""
    assert files() == set()


@pytest.mark.parametrize("existing", ["out.mp4", "out.json", "out.png"])
def test_nothing_is_overwritten_without_force(
    command: Command, generate: list[object], existing: str
) -> None:
    Path(existing).write_text("precious")
    result = command(*generate, "-o", "out.mp4")
    assert result.code == 1
    assert f"{existing}: expected a path that does not exist yet (or --force)" in result.err
    assert Path(existing).read_text() == "precious"
    assert files() == {existing}
    assert command(*generate, "-o", "out.mp4", "--force").code == 0
    assert Path(existing).read_bytes() != b"precious"


@pytest.mark.parametrize("existing", ["out.latents", "out.drift.png"])
def test_what_only_long_videos_have_is_refused_before_depth_is_read(
    command: Command, generate: list[object], existing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "read_structure", None)
    Path(existing).write_text("precious")
    result = command(*generate, "--stream", "--num-frames", 40, "-o", "out.mp4")
    assert f"{existing}: expected a path that does not exist yet (or --force)" in result.err


def test_a_dry_run_names_the_preview(command: Command, generate: list[object]) -> None:
    result = command(*generate, "--preview", "--dry-run", "-o", "out.mp4")
    assert result.out.splitlines()[-1].endswith("out.mp4, out.json, out.png, out.depth.mp4")


def test_a_wrong_option_ends_in_1(command: Command) -> None:
    assert command("generate", "--promt", "a").code == 1
    assert command("degenerate").code == 1


def test_replay_makes_the_same_video(command: Command, generate: list[object]) -> None:
    assert command(*generate, "--height", 37, "-o", "out.mp4").code == 0
    result = command("replay", "out.json")
    assert result.code == 0, result.err
    assert result.out.splitlines()[:3] == ["out-replay.mp4", "out-replay.json", "out-replay.png"]
    assert result.out.splitlines()[3] == "the same bytes as out.mp4"
    assert Path("out-replay.mp4").read_bytes() == Path("out.mp4").read_bytes()


def test_replay_says_what_differs(command: Command, generate: list[object]) -> None:
    assert command(*generate, "-o", "out.mp4").code == 0
    content = json.loads(Path("out.json").read_text())
    content["versions"]["torch"] = "1.0"
    content["video_sha256"] = "0" * 64
    Path("out.json").write_text(json.dumps(content))
    result = command("replay", "out.json", "-o", "again.mp4")
    assert result.code == 1
    warning, error = result.err.splitlines()
    assert warning.startswith("warning: the video was made with torch 1.0; this is ")
    assert error.startswith("makeyourvideo: again.mp4: expected the bytes of out.mp4, SHA-256 000000000000")
    assert Path("again.mp4").exists()


def test_replay_refuses_other_depth(command: Command, generate: list[object]) -> None:
    assert command(*generate, "-o", "out.mp4").code == 0
    np.save("depth.npy", moving_disc(4, 32, 32)[::-1])
    result = command("replay", "out.json")
    assert result.code == 1
    assert "depth.npy: expected the contents with SHA-256" in result.err


def test_demo_runs_the_bundled_example(
    command: Command, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "BUNDLED_MODEL", model_folder)
    result = command("demo", "--output", "results/demo")
    assert result.code == 0, result.err
    assert result.out.splitlines()[-3:] == [
        f"results/demo/demo.{suffix}" for suffix in ("mp4", "json", "png")
    ]
    assert command("demo", "--output", "results/demo").code == 1
    assert command("demo", "--output", "results/demo", "--force").code == 0


def started(arguments: list[object], folder: Path) -> subprocess.Popen[str]:
    """The command as a process of its own, to send signals to."""
    return subprocess.Popen(
        [sys.executable, "-m", "makeyourvideo", *map(str, arguments)],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job ignores it
    )


def test_ctrl_c_leaves_what_was_there(generate: list[object], depth_file: Path) -> None:
    """A real signal to a real process, while it samples."""
    folder = depth_file.parent
    (folder / "out.mp4").write_text("precious")
    arguments = ["--steps", 999, "--height", 63, "--force", "-o", "out.mp4"]
    process = started([*generate, *arguments], folder)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("note: made at 64x64")
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1] == "makeyourvideo: interrupted; nothing half-written"
    assert {path.name for path in folder.iterdir()} - {".out.mp4.resume"} == {"depth.npy", "out.mp4"}
    assert (folder / "out.mp4").read_text() == "precious"


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_stopped_command_says_how_to_go_on_and_does(
    command: Command, generate: list[object], depth_file: Path, sent: signal.Signals, code: int
) -> None:
    """Real signals to a real process, in the middle of its second window."""
    folder = depth_file.parent
    arguments = ["--steps", 40, "--threads", 1, "--stream", "--window", 2, "-o", "out.mp4"]
    process = started([*generate, *arguments], folder)
    while process.poll() is None and not list(folder.glob(".out.mp4.resume/answers-0-1/[!.]*")):
        time.sleep(0.05)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    if sent != signal.SIGKILL:
        _, going_on, interrupted = errors.splitlines()
        assert going_on.startswith("the same command again goes on from step ")
        assert interrupted == "makeyourvideo: interrupted; nothing half-written"
    assert {path.name for path in folder.iterdir()} == {"depth.npy", ".out.mp4.resume"}

    result = command(*generate, *arguments)
    assert result.code == 0, result.err
    (step,) = [line for line in result.err.splitlines() if line.startswith("continuing from step ")]
    done = int(step.split()[3])
    assert 41 <= done < 80
    assert step.endswith(" of 80")
    assert command(*generate, *arguments[:-1], "straight.mp4").code == 0
    assert Path("straight.mp4").read_bytes() == Path("out.mp4").read_bytes()


def test_one_window_of_a_streamed_video_is_made_again(command: Command, generate: list[object]) -> None:
    arguments = ["--stream", "--window", 2, "-o"]
    result = command(*generate, *arguments, "out.webp")
    assert result.code == 0, result.err
    assert result.out.splitlines() == ["out.webp", "out.json", "out.png", "out.latents"]
    assert result.err.splitlines() == [
        "note: made in 2 windows of 2 frames: each sees 16 finished frames before it and 8 after it"
    ]
    redone = command("replay", "out.json", "--redo-window", 1, "--seed", 7)
    assert redone.code == 0, redone.err
    assert redone.out.splitlines()[0] == "out-redo.webp"
    assert redone.out.splitlines()[-1] == "window 1 is made again with seed 7"
    before, after = (read_video(Path(name))[0] for name in ("out.webp", "out-redo.webp"))
    assert np.array_equal(before[:2], after[:2])
    assert not np.array_equal(before[2:], after[2:])
    assert command("replay", "out-redo.json").out.splitlines()[-1] == "the same bytes as out-redo.webp"
    assert command("replay", "out.json", "--redo-window", 2).code == 1
    assert command("replay", "out.json", "-o", "a.webp", "--seed", 2).code == 1


def test_a_dry_run_of_a_streamed_video_tells_windows_and_evaluations(
    command: Command, generate: list[object]
) -> None:
    result = command(*generate, "--dry-run", "--stream", "--window", 3, "-o", "out.mp4")
    assert result.code == 0, result.err
    facts = dict(line.strip().split("  ", 1) for line in result.out.splitlines())
    assert facts["windows"] == "2 of 3 frames, up to 4 at once"
    assert facts["sampling"] == "DDIMScheduler, 3 steps, 6 evaluations"
    assert facts["files"] == "out.mp4, out.json, out.png, out.latents"
