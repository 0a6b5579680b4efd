"""A memory limit is kept, by work in slices that changes nothing but the rounding."""

import json
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from followed_run import finish
from makeyourvideo import MakeYourVideoPipeline, cost, timing
from makeyourvideo.cost import estimate_memory
from makeyourvideo.errors import InputError
from makeyourvideo.job import prepare
from makeyourvideo.memory import LADDER, Thrift, parse_size
from makeyourvideo.model_folder import NETWORKS
from makeyourvideo.models.sketcher import Sketcher
from makeyourvideo.pipeline import BUNDLED_MODEL
from makeyourvideo.replay import check_same
from makeyourvideo.run import Finished, Resumed, run
from makeyourvideo.sampling import SamplingStep
from makeyourvideo.settings import Settings, parse_settings
from makeyourvideo.timing import Layers
from tiny_model import moving_disc


@pytest.fixture
def settings(model_folder: Path, tmp_path: Path) -> Settings:
    np.save(tmp_path / "depth.npy", moving_disc(16, 128, 128))
    return Settings(
        prompt="a red ball",
        depth=tmp_path / "depth.npy",
        model=model_folder,
        num_frames=16,
        height=256,
        width=256,
    )


@pytest.mark.parametrize(
    ("text", "count"),
    [("4GB", 4 * 10**9), ("500 mb", 5 * 10**8), ("1.5GiB", 3 * 2**29), ("2G", 2 * 10**9), ("4096", 4096)],
)
def test_sizes_are_read_as_people_write_them(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["four", "-4GB", "0MB", "4 elephants", "4TB", ""])
def test_nonsense_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match=r"memory_limit: expected a size such as 4GB or 500MB, found "):
        parse_settings({"prompt": "a ball", "depth": "depth.npy", "memory_limit": text})


@pytest.mark.parametrize(
    "thrift",
    [
        Thrift(slice_bytes=2**14),
        Thrift(clips_apart=True),
        Thrift(decoded_frames=1),
        Thrift(slice_bytes=1, clips_apart=True, decoded_frames=1),
    ],
)
def test_savings_change_nothing_but_the_rounding(pipe: MakeYourVideoPipeline, thrift: Thrift) -> None:
    # one step: over several, random weights make more of every rounding
    asked = {
        "prompt": "a red ball",
        "depth": moving_disc(4, 32, 32),
        "num_inference_steps": 1,
    }
    for output_type in ("latent", "pt"):
        pipe.save_memory(Thrift())
        plain = pipe(**asked, generator=torch.Generator().manual_seed(1), output_type=output_type).frames
        pipe.save_memory(thrift)
        saving = pipe(**asked, generator=torch.Generator().manual_seed(1), output_type=output_type).frames
        assert (saving - plain).abs().max() <= 1e-5 * plain.std()


def test_clips_apart_are_never_in_the_network_together(pipe: MakeYourVideoPipeline) -> None:
    batches = []
    pipe.unet.register_forward_pre_hook(lambda _, args: batches.append(len(args[0])))
    pipe.save_memory(Thrift(clips_apart=True))
    pipe("a red ball", moving_disc(4, 32, 32), num_inference_steps=1)
    assert batches == [1, 1]


def test_each_rung_holds_less(settings: Settings) -> None:
    job = prepare(settings)
    estimated = [
        estimate_memory(job.skeleton, job.plan, job.depth, job.model_folder, thrift, job.memory_in_use)
        for thrift in LADDER
    ]
    held = [memory.activations for memory in estimated]
    assert held == sorted(held, reverse=True)
    assert held[-1] < 0.5 * held[0]
    skeleton = job.skeleton
    networks = [getattr(skeleton, name) for name in NETWORKS]
    assert estimated[0].weights == sum(4 * p.numel() for network in networks for p in network.parameters())


def test_enough_memory_changes_nothing_and_too_little_names_the_least(settings: Settings) -> None:
    assert prepare(settings).settings.memory_rung is None
    assert prepare(settings.model_copy(update={"memory_limit": 10**12})).settings.memory_rung == 0
    with pytest.raises(InputError, match=r"memory_limit: expected at least \d+ MB .*--stream") as caught:
        prepare(settings.model_copy(update={"memory_limit": 10**6}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rung", [3, 5])
def test_a_video_made_again_stays_on_its_rung(settings: Settings, tmp_path: Path, rung: int) -> None:
    asked = {"memory_limit": 10**6, "memory_rung": rung, "num_frames": 4, "num_inference_steps": 1}
    job = prepare(settings.model_copy(update=asked))
    assert job.thrift == LADDER[rung]
    made = finish(run(job, tmp_path / "out.mp4"))
    assert any("in tiles" in note for note in made.manifest.notes) == LADDER[rung].tiled
    again = finish(run(prepare(made.manifest.settings), tmp_path / "again.mp4"))
    check_same(made.manifest, again)


def test_a_stopped_run_goes_on_with_the_rung_it_began_with(settings: Settings, tmp_path: Path) -> None:
    asked = {"memory_limit": 10**12, "num_frames": 4, "num_inference_steps": 2}
    job = prepare(settings.model_copy(update=asked))
    higher = replace(job, settings=job.settings.model_copy(update={"memory_rung": 2}))
    events = run(higher, tmp_path / "out.mp4")
    for event in events:
        if isinstance(event, SamplingStep):
            break
    events.close()
    events = list(run(job, tmp_path / "out.mp4"))
    assert any(isinstance(event, Resumed) for event in events)
    assert isinstance(events[-1], Finished)
    assert events[-1].manifest.settings.memory_rung == 2


def test_frames_no_larger_than_a_tile_are_not_said_to_be_tiled(settings: Settings) -> None:
    small = {"height": 64, "width": 64, "memory_rung": 5}
    assert not any("tiles" in note for note in prepare(settings.model_copy(update=small)).plan.notes)


def test_what_was_held_before_is_not_blamed_on_the_video(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = {"VmRSS": 10**8, "VmHWM": 10**13}
    monkeypatch.setattr(cost, "resident_bytes", lambda entry="VmRSS": status[entry])
    with pytest.raises(InputError, match="more than this process has held already, 10000"):
        prepare(settings.model_copy(update={"memory_limit": 10**12}))
    monkeypatch.setattr(cost, "resident_bytes", lambda *_: 0)
    with pytest.raises(InputError, match="a system that tells what a process holds"):
        prepare(settings.model_copy(update={"memory_limit": 10**12}))


_LIMITED = """
import json, re, sys
from pathlib import Path
from makeyourvideo.errors import InputError
from makeyourvideo.job import prepare
from makeyourvideo.memory import resident_bytes
from makeyourvideo.run import run
from makeyourvideo.settings import Settings

settings = Settings.model_validate(json.loads(sys.argv[1]))
try:
    prepare(settings.model_copy(update={"memory_limit": 10**6}))
except InputError as error:
    limit = int(re.search(r"at least (\\d+) MB", str(error))[1]) * 10**6 + 2 * 10**7
job = prepare(settings.model_copy(update={"memory_limit": limit}))
list(run(job, Path(sys.argv[2])))
print(json.dumps([limit, job.settings.memory_rung, resident_bytes("VmHWM")]))
"""


def in_another_process(script: str, *arguments: str) -> list[int]:
    command = [sys.executable, "-c", script, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def test_the_process_stays_below_its_limit(settings: Settings, tmp_path: Path) -> None:
    limit, rung, peak = in_another_process(_LIMITED, settings.model_dump_json(), str(tmp_path / "out.mp4"))
    assert rung >= 1
    assert 0.85 * limit < peak <= limit


_FREED = """
import sys
import torch
from makeyourvideo.memory import resident_bytes, treat_freed_memory

treat_freed_memory(hands_back=sys.argv[1] == "back")
before = resident_bytes()
for size in (2**21, 2**26):
    some = [torch.ones(size // 4) for _ in range(2**27 // size)]
    del some
print([resident_bytes() - before, 0])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what the C library of GNU does")
def test_freed_memory_is_kept_or_handed_back() -> None:
    kept, handed_back = (in_another_process(_FREED, what)[0] for what in ("kept", "back"))
    assert kept > 2**27
    assert handed_back < 2**24


_LOADING = """
import json, sys, threading, time
from pathlib import Path
import torch
from makeyourvideo.memory import resident_bytes
from makeyourvideo.model_folder import load_network

folder = Path(sys.argv[1])
load_network(folder, "vae", torch.float32)  # whatever the library needs is loaded by then
before, held, loading = resident_bytes("RssAnon"), [], True

def watch():
    while loading:
        held.append(resident_bytes("RssAnon") - before)
        time.sleep(0.001)

watcher = threading.Thread(target=watch)
watcher.start()
network = load_network(folder, "unet", getattr(torch, sys.argv[2]))
loading = False
watcher.join()
size = sum(p.numel() * p.element_size() for p in network.parameters())
print(json.dumps([size, max(held)]))
"""


@pytest.mark.parametrize(("dtype", "copies"), [("float32", 1), ("float16", 0)])
def test_half_precision_weights_are_mapped_and_never_copied_twice(dtype: str, copies: int) -> None:
    size, private = in_another_process(_LOADING, str(BUNDLED_MODEL), dtype)
    assert private == pytest.approx(copies * size, abs=0.15 * size)


def test_every_layer_is_timed_as_often_as_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    monkeypatch.setattr(timing, "_seconds_of", lambda call: measured.append(call) or (1.5, 1.0))
    layers, linear = Layers(), torch.nn.Linear(3, 3)
    network = torch.nn.Sequential(linear, torch.nn.Linear(3, 3), torch.nn.Linear(3, 5))
    with layers.recorded(network):
        network(torch.ones(2, 3))
        linear(torch.ones(7, 3))
    network(torch.ones(2, 3))  # not noted any more
    assert layers.seconds() == (4, 1.5)
    assert len(measured) == 3


def test_time_is_in_proportion_to_steps_and_frames(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "_seconds_of", lambda _: (1.0, 1.0))
    monkeypatch.setattr(timing, "MEASURED_FRAMES", 4)

    def computing(**changed: int) -> float:
        return timing._computing(prepare(settings.model_copy(update=changed)))

    once = computing(num_inference_steps=2)
    text = 2 * once - computing(num_inference_steps=4, num_frames=16)
    decoding = text  # what both share, text encoder and decoder
    assert computing(num_inference_steps=6) - decoding == pytest.approx(3 * (once - decoding))
    assert computing(num_inference_steps=2, num_frames=8) < 0.6 * once


def test_evaluations_without_guidance_take_half_the_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "_seconds_of", lambda _: (1.0, 1.0))

    def network(interval: tuple[float, float]) -> float:
        asked = {"num_inference_steps": 4, "guidance_interval": interval}
        job = prepare(settings.model_copy(update=asked))
        two = prepare(settings.model_copy(update=asked | {"num_inference_steps": 8}))
        return timing._computing(two) - timing._computing(job)

    whole = network((0.0, 1.0))
    assert network((0.0, 0.5)) == pytest.approx(0.75 * whole)


def test_what_is_sketched_takes_no_evaluations(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor less memory: where the network takes over it holds as much as without."""
    monkeypatch.setattr(timing, "_seconds_of", lambda _: (1.0, 1.0))
    times, held = [], []
    for share in (0.0, 0.5):
        few, many = (
            prepare(settings.model_copy(update={"num_inference_steps": steps, "sketch_share": share}))
            for steps in (4, 8)
        )
        times.append(timing._computing(many) - timing._computing(few))
        memory = estimate_memory(few.skeleton, few.plan, few.depth, few.model_folder, LADDER[0], 0)
        held.append(memory.activations)
    assert times[1] == pytest.approx(times[0] / 2)
    assert held[1] >= held[0]


def test_a_few_frames_are_sketched_without_contents_and_count_for_all(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds(call: timing._Call) -> tuple[float, float]:
        return (1.0, 1.0) if isinstance(call.module, Sketcher) else (0.0, 0.0)

    monkeypatch.setattr(timing, "_seconds_of", seconds)
    job, sketched = prepare(settings.model_copy(update={"sketch_share": 0.5})), []
    assert job.skeleton.sketcher is not None
    job.skeleton.sketcher.register_forward_hook(lambda _, given, __: sketched.append(len(given[0])))
    assert timing._computing(job) == job.plan.num_frames / 4
    assert sketched == [8]  # large frames, four at a time between four others


def test_a_layer_really_runs() -> None:
    layers = Layers()
    with torch.device("meta"):
        linear = torch.nn.Linear(64, 64)
    with layers.recorded(linear):
        linear(torch.ones(2, 64, device="meta"))
    assert 0 < layers.seconds()[0] < 1
