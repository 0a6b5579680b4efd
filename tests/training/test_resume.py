"""A run that is killed at any moment and started again ends with the same bits."""

import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

PARTS = {
    "autoencoder": "vae",
    "image": "unet",
    "video": "unet",
    "sketcher": "sketcher",
    "covering": "sketcher",
    "shading": "sketcher",
    "sun": "sketcher",
    "camera": "camera",
    "depth": "depth_estimator",
    "judges": "judges/objects",
}
BEFORE = {
    "image": "autoencoder",
    "video": "image",
    "sketcher": "camera",
    "covering": "sketcher",
    "shading": "covering",
    "sun": "shading",
    "camera": "refiner",
}


@pytest.mark.parametrize("stage", PARTS)
def test_a_killed_run_ends_with_the_same_bits(stage, trained, write_config, tmp_path):
    before = BEFORE.get(stage)
    config = write_config(stage, save_minutes=0.0)
    command = [sys.executable, "-m", "makeyourvideo", "train", stage, "--config", str(config)]
    command += ["--output", str(tmp_path), "--data", str(trained / "data")]
    command += ["--model", str(trained / before / "model")] if before else []
    running = subprocess.Popen(command, stderr=subprocess.PIPE)
    log = tmp_path / "log.jsonl"
    while not (log.exists() and len(log.read_text().splitlines()) >= 3):
        assert running.poll() is None, running.stderr.read().decode()
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "model").exists()

    subprocess.run(command, check=True)
    whole = load_file(trained / stage / "model" / PARTS[stage] / "diffusion_pytorch_model.safetensors")
    resumed = load_file(tmp_path / "model" / PARTS[stage] / "diffusion_pytorch_model.safetensors")
    assert whole.keys() == resumed.keys()
    assert all((whole[name] == resumed[name]).all() for name in whole)
    assert len(log.read_text().splitlines()) == 8
