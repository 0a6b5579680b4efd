"""`makeyourvideo convert`, as people meet it."""

import json
from pathlib import Path

import pytest
import torch
from reference_files import SIZES, ReferenceModel, save
from typer.testing import CliRunner

from makeyourvideo.cli import app, main
from makeyourvideo.pipeline import MakeYourVideoPipeline


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "sizes.json").write_text(json.dumps(SIZES))
    return save(tmp_path / "model.ckpt", ReferenceModel(SIZES).state)


def test_lists_what_was_dropped_and_written(tmp_path: Path, checkpoint: Path) -> None:
    out = tmp_path / "out"
    arguments = ["convert", str(checkpoint), str(out), "--config", str(tmp_path / "sizes.json")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert any(line.startswith("dropped 2") and "alphas_cumprod, betas" in line for line in lines)
    assert any(line.startswith(f"{out / 'unet'}: ") for line in lines)
    assert lines[-1] == str(out)


def test_the_folder_is_a_pipeline(tmp_path: Path, checkpoint: Path) -> None:
    out = tmp_path / "out"
    CliRunner().invoke(app, ["convert", str(checkpoint), str(out), "--config", str(tmp_path / "sizes.json")])
    pipe = MakeYourVideoPipeline.from_pretrained(out)
    pipe.set_progress_bar_config(disable=True)
    depth = torch.rand(3, 16, 16).numpy()
    frames = pipe("a ball!", depth, num_inference_steps=1, height=16, width=16, output_type="np").frames
    assert frames[0].shape == (3, 16, 16, 3)


def test_a_bad_file_is_one_line_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.ckpt").write_bytes(b"nothing of the kind")
    monkeypatch.setattr(
        "sys.argv", ["makeyourvideo", "convert", str(tmp_path / "model.ckpt"), str(tmp_path / "out")]
    )
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "model.ckpt" in said.err
    assert not (tmp_path / "out").exists()
