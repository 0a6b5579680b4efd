"""The released model's sizes with random weights: converted, then run for one guided step by the command."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

KEYS = Path(__file__).parent / "data" / "full_size_keys.json"
MEGABYTE = 1 << 20

CONVERT = """
import sys, threading, time
from pathlib import Path
from makeyourvideo.checkpoints import convert

def private_memory():  # in bytes, of this process alone
    fields = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    return 1024 * sum(int(line.split()[1]) for line in fields if line.startswith("Private"))

def watch():
    global peak
    while True:
        peak = max(peak, private_memory())
        time.sleep(0.05)

peak = libraries = private_memory()
threading.Thread(target=watch, daemon=True).start()
for event in convert(Path(sys.argv[1]), Path(sys.argv[2])):
    pass
print(peak - libraries)
"""


def random_checkpoint(path: Path) -> None:
    """Half-precision weights whose layers neither vanish nor explode."""
    torch.manual_seed(0)
    state = {}
    for name, shape in json.loads(KEYS.read_text()).items():
        values = torch.empty(shape, dtype=torch.float16)
        if len(shape) > 1:
            state[name] = values.normal_(std=float(np.prod(shape[1:])) ** -0.5)
        else:
            state[name] = values.fill_(name.endswith("weight"))
    torch.save({"state_dict": state}, path)


@pytest.mark.slow
def test_full_size_weights_convert_and_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random_checkpoint(tmp_path / "model.ckpt")
    started = time.monotonic()
    arguments = [sys.executable, "-c", CONVERT, str(tmp_path / "model.ckpt"), str(tmp_path / "model")]
    converted = subprocess.run(arguments, check=True, capture_output=True, text=True)
    conversion_time = time.monotonic() - started
    private = int(converted.stdout)
    (tmp_path / "model.ckpt").unlink()

    rows, columns = np.mgrid[:256, :256] / 256
    depth = np.stack([rows + (columns < frame / 16) for frame in range(16)]).astype(np.float32)
    np.save(tmp_path / "depth.npy", depth)
    started = time.monotonic()
    command = [str(Path(sys.executable).with_name("makeyourvideo")), "generate", "--prompt", "a tiger walks"]
    command += ["--depth", str(tmp_path / "depth.npy"), "--model", str(tmp_path / "model"), "--steps", "1"]
    command += ["--num-frames", "16", "--height", "256", "--width", "256", "-o", str(tmp_path / "video.mp4")]
    command += ["--threads", str(os.cpu_count())]
    subprocess.run(command, check=True)
    run_time = time.monotonic() - started
    run_peak = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    with capsys.disabled():
        print(f"\nconversion: {conversion_time:.0f} s, {private / MEGABYTE:.0f} MB above the libraries")
        print(f"one guided step of 16 frames at 256x256: {run_time:.0f} s, peak {run_peak / MEGABYTE:.0f} MB")
    assert (tmp_path / "video.mp4").stat().st_size > 0
    assert private < 1500 * MEGABYTE
