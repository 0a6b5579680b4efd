"""Ten minutes of video stream through depth in bounded memory."""

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

_SCRIPT = """
import json, re, resource, sys
from pathlib import Path
from makeyourvideo.depth_job import Target, estimate_depth
from makeyourvideo.structure.picking import pick_from_video

page = resource.getpagesize()
used = {}
for done, _ in estimate_depth(pick_from_video(Path(sys.argv[1])), Target(Path(sys.argv[2]))):
    if done and done % 1000 == 0:
        used[done] = int(Path("/proc/self/statm").read_text().split()[1]) * page
# ru_maxrss would begin at what the parent process once held
most = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps([used, most]))
"""


@pytest.mark.slow
def test_ten_minutes_of_video_in_under_a_gigabyte(tmp_path: Path) -> None:
    frames, rng = 15_000, np.random.default_rng(0)
    wide = np.kron(rng.integers(0, 256, (12, 64, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    with av.open(tmp_path / "long.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for index in range(frames):
            place = round(192 * (1 + np.sin(index / 150)))
            picture = np.ascontiguousarray(wide[:, place : place + 128])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT, tmp_path / "long.mp4", tmp_path / "depth.npz"],
        capture_output=True,
        text=True,
        check=True,
    )
    used, most = json.loads(run.stdout)
    grown = (used["15000"] - used["3000"]) / 12
    print(f"\npeak {most / 1e6:.0f} MB, growing by {grown / 1e6:.2f} MB per 1,000 frames")
    assert most < 1e9
    assert grown < 1e6
