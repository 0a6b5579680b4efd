"""Starting is quick, because nothing heavy is imported before it is needed."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

import makeyourvideo

HEAVY = ("torch", "diffusers", "transformers", "numpy", "av")


def python(code: str, *arguments: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("module", ["makeyourvideo", "makeyourvideo.cli"])
def test_importing_brings_in_nothing_heavy(module: str) -> None:
    loaded = python(f"import sys, {module}; print(*sys.modules)").split()
    assert not set(loaded) & set(HEAVY)


@pytest.mark.parametrize(
    "code",
    ["import makeyourvideo", "import sys; sys.argv[1:] = ['--help']; from makeyourvideo import __main__"],
)
def test_it_takes_less_than_a_second(code: str) -> None:
    def seconds() -> float:
        start = time.perf_counter()
        python(code)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 1


@pytest.mark.parametrize("command", ["generate", "replay", "demo", "depth"])
def test_help_of_a_command_is_as_light(command: str) -> None:
    code = f"""
import sys
from makeyourvideo.cli import main
sys.argv = ["makeyourvideo", "{command}", "--help"]
try:
    main()
except SystemExit as stopped:
    assert stopped.code == 0
print(*sys.modules)
"""
    assert not set(python(code).splitlines()[-1].split()) & set(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [
        ("depth", "missing.mp4", "-o", "d.npz"),
        ("generate", "--prompt", "a", "--depth", "missing.npy", "-o", "v.mp4"),
    ],
    ids=lambda given: given[0],
)
def test_what_is_missing_is_refused_before_networks_load(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code = """
import sys
from makeyourvideo.cli import main
try:
    main()
except SystemExit as stopped:
    assert stopped.code == 1
print(*sys.modules)
"""
    named = [str(tmp_path / given) if "." in given else given for given in arguments]
    assert not set(python(code, *named).split()) & {"torch", "diffusers", "transformers"}


def test_opencv_loads_only_with_what_looks_at_motion() -> None:
    """Videos, keyframes and long clips do; a short clip from a file of depth does not."""
    loaded = python("import sys, makeyourvideo.run, makeyourvideo.cli.generate; print(*sys.modules)").split()
    assert "torch" in loaded
    assert "cv2" not in loaded


def test_packages_whose_parts_are_imported_run_only_when_asked() -> None:
    code = """
import sys
from makeyourvideo.cli.postponing import POSTPONED, postpone
postpone()
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL as by_its_path
assert AutoencoderKL is by_its_path
print(*sys.modules)
print(all("_postponed" in vars(sys.modules[name]) for name in POSTPONED))
from diffusers import FluxTransformer2DModel
from diffusers.models.autoencoders import AutoencoderTiny
from scipy.stats import *
assert beta.ppf(0.5, 1, 1) == 0.5 and AutoencoderTiny.__module__.endswith("autoencoder_tiny")
asked = ("scipy.stats", "diffusers.models.autoencoders")
print(any("_postponed" in vars(sys.modules[name]) for name in asked))
print(hasattr(sys.modules["scipy.stats"], "no_such_distribution"))
"""
    loaded, before, after, is_there = python(code).splitlines()
    assert not [name for name in loaded.split() if "flux" in name or name.startswith("scipy.stats.")]
    assert (before, after, is_there) == ("True", "False", "False")


def test_a_command_needs_none_of_what_is_postponed(tmp_path: Path) -> None:
    code = """
import sys
from makeyourvideo.cli import main
from makeyourvideo.cli.postponing import POSTPONED
try:
    main()
except SystemExit:
    print(all("_postponed" in vars(sys.modules[name]) for name in POSTPONED))
"""
    example = Path(makeyourvideo.__file__).parent / "bundled" / "examples" / "demo_depth.npz"
    named = ("--depth", str(example), "--quality", "draft", "--num-frames", "2")
    said = python(code, "generate", "--prompt", "a ball", *named, "-o", str(tmp_path / "a.mp4"))
    assert said.splitlines()[-1] == "True"


def test_both_ways_to_call_it_know_the_version() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "makeyourvideo", "--version"], check=True, capture_output=True, text=True
    )
    assert result.stdout == f"makeyourvideo {makeyourvideo.__version__}\n"


def test_imports_are_not_searched_for_garbage_again_and_again() -> None:
    code = """
import gc
from makeyourvideo.cli import main
try:
    main()
except SystemExit:
    pass
before = sum(generation["collections"] for generation in gc.get_stats())
import torch
print(sum(generation["collections"] for generation in gc.get_stats()) - before)
"""
    assert int(python(code, "--version").splitlines()[-1]) < 20


def test_the_end_does_not_look_through_what_goes_anyway() -> None:
    code = """
import atexit, gc
from makeyourvideo.cli import main
atexit.register(lambda: print(gc.get_count()[0] < gc.get_freeze_count()))
main()
"""
    assert python(code, "--version").splitlines()[-1] == "True"
