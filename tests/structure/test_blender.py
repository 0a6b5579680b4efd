"""What Blender exports against our own rays on the same triangles.

Needs Blender's Python module (`pip install bpy`), here or in the Python that BPY_PYTHON names.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from makeyourvideo.structure.files import read_depth
from makeyourvideo.structure.raycast import RayCaster

HERE = Path(__file__).parent
SCRIPT = HERE.parent.parent / "scripts/blender_export_depth.py"


def cast(triangles: np.ndarray, settings: dict, index: int) -> np.ndarray:  # type: ignore[type-arg]
    camera, width, height = settings["frames"][index], settings["width"], settings["height"]
    x = ((np.arange(width) + 0.5) / width * 2 - 1) * np.tan(camera["fov_x"] / 2) + camera["centre_x"]
    y = (1 - (np.arange(height) + 0.5) / height * 2) * np.tan(camera["fov_y"] / 2) + camera["centre_y"]
    rays = np.stack([*np.meshgrid(x, y), np.full((height, width), -1.0)], axis=-1).reshape(-1, 3)
    directions = (rays @ np.array(camera["rotation"]).T).astype(np.float32)
    origins = np.broadcast_to(np.array(camera["position"], np.float32), directions.shape).copy()
    # The direction's part along the axis is 1, so that its length counts depth along the axis.
    return RayCaster([triangles]).intersect(origins, directions).distance.reshape(height, width)


@pytest.mark.slow
def test_blenders_depth_is_that_of_our_rays(tmp_path: Path) -> None:
    python = os.environ.get("BPY_PYTHON")
    if not python:
        pytest.importorskip("bpy")
    output = tmp_path / "out"
    command = [python or sys.executable, HERE / "blender_scene.py", SCRIPT, output]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    depth = read_depth(output / "depth")
    assert (depth.units, depth.num_frames, depth.fps) == ("metric", 3, 24)
    settings = json.loads((output / "camera.json").read_text())
    triangles = np.load(output / "triangles.npy")
    for index, blender in enumerate(depth.metric_depth()):
        ours = cast(triangles, settings, index)
        assert np.mean(np.isinf(blender) != np.isinf(ours)) < 0.01
        both = np.isfinite(blender) & np.isfinite(ours)
        difference = np.abs(blender[both] / ours[both] - 1)
        print(f"frame {index}: median {np.median(difference):.1e}, 99 %: {np.quantile(difference, 0.99):.1e}")
        assert both.mean() > 0.3
        assert np.median(difference) <= 1e-3
        assert np.quantile(difference, 0.95) <= 1e-3, "away from silhouettes"
