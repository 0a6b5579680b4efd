"""A run that is killed at any moment and started again ends with the same bits."""

import os
import signal
import subprocess
import sys
import time

import pytest

STAGES = (
    "autoencoder",
    "image",
    "video",
    "sketcher",
    "covering",
    "shading",
    "sun",
    "camera",
    "depth",
    "judges",
)
BEFORE = {
    "image": "autoencoder",
    "video": "image",
    "sketcher": "camera",
    "covering": "sketcher",
    "shading": "covering",
    "sun": "shading",
    "camera": "refiner",
}


@pytest.mark.parametrize("stage", STAGES)
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
    whole, resumed = (
        {file.relative_to(model): file.read_bytes() for file in model.rglob("*.safetensors")}
        for model in (trained / stage / "model", tmp_path / "model")
    )
    assert whole
    assert whole == resumed
    assert len(log.read_text().splitlines()) == 8
