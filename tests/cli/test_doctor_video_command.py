import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from makeyourvideo.cli import app
from makeyourvideo.errors import InputError
from makeyourvideo.media import read_video, write_video


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    """A still video that turns three levels brighter at frame 16."""
    picture = np.random.default_rng(0).integers(40, 200, (6, 6, 3)).repeat(8, 0).repeat(8, 1)
    frames = np.stack([picture + 3 * (frame >= 16) for frame in range(32)]).astype(np.uint8)
    write_video(tmp_path / "torn.mp4", frames, 8)
    return tmp_path / "torn.mp4"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["doctor", "video", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_step_is_named_and_at_a_border_it_is_a_seam(torn: Path, tmp_path: Path) -> None:
    plain = run(torn)
    assert "step (" in plain
    assert "frame 16): a sudden change inside a window" in plain
    output = run(torn, "--borders", "8,16,24", "--plot", tmp_path / "a.png", "--json", tmp_path / "a.json")
    assert "seam (" in output
    assert "frame 16): windows do not meet" in output
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads((tmp_path / "a.json").read_text())
    assert told["borders"] == [8, 16, 24]
    assert len(told["series"]["warp"]) == told["num_frames"] - 1 == 31
    assert "seam" in [finding["fault"] for finding in told["findings"]]
    with pytest.raises(InputError, match="does not exist yet"):
        run(torn, "--plot", tmp_path / "a.png")


def test_borders_come_from_the_report_in_the_manifest_beside(torn: Path) -> None:
    manifest = torn.with_suffix(".json")
    manifest.write_text(json.dumps({"drift": {"borders": [16]}}))
    assert "windows do not meet" in run(torn)
    folder = torn.with_suffix("")
    write_video(folder, read_video(torn)[0], 8.0)  # the same manifest stands beside it
    assert "windows do not meet" in run(folder)
    manifest.write_text(json.dumps({"settings": {}}))
    assert "inside a window" in run(torn)
    manifest.write_text("{")
    with pytest.raises(InputError, match="a manifest in JSON"):
        run(torn)
    manifest.write_text(json.dumps({"drift": {"borders": "16"}}))
    with pytest.raises(InputError, match="a list of frames"):
        run(torn)


@pytest.mark.parametrize("borders", ["", "8,", "8,x", "9,8", "0,8"])
def test_borders_that_are_none_are_refused(torn: Path, borders: str) -> None:
    with pytest.raises(InputError, match="--borders: expected increasing frames such as 32,64"):
        run(torn, "--borders", borders)


def test_a_folder_of_pictures_will_do(tmp_path: Path) -> None:
    write_video(tmp_path / "still", np.full((16, 32, 32, 3), 90, np.uint8), 8)
    assert "no drift, seam or step found in 16 frames" in run(tmp_path / "still")
