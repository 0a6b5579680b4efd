"""Memory at 2,400 frames is memory at 128."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from makeyourvideo.structure.streaming import save_streamed

_SCRIPT = """
import re, sys
from pathlib import Path
from makeyourvideo.job import prepare
from makeyourvideo.run import run
from makeyourvideo.settings import Settings

depth, model, output, frames = sys.argv[1:]
settings = Settings(
    prompt="a red ball", depth=depth, model=model, num_frames=int(frames), stream=True, num_inference_steps=2,
    height=64, width=64, threads=1,
)
for event in run(prepare(settings), Path(output)):
    pass
# ru_maxrss would begin at what the parent process once held
print(int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_frames(model_folder: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frames = (random.random((256, 256), np.float32) for _ in range(2400))
    list(save_streamed(tmp_path / "depth.npz", frames))
    peaks = {}
    for count in (128, 2400):
        arguments = [tmp_path / "depth.npz", model_folder, tmp_path / f"{count}.mp4", str(count)]
        ran = subprocess.run(
            [sys.executable, "-c", _SCRIPT, *arguments], capture_output=True, text=True, check=True
        )
        peaks[count] = json.loads(ran.stdout)
    print({count: f"{peak / 1e6:.0f} MB" for count, peak in peaks.items()})
    assert peaks[2400] < 1.05 * peaks[128]
