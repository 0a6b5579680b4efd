"""A rate is a rate of frames a second wherever one is asked for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh

from makeyourvideo.errors import InputError
from makeyourvideo.structure.files import read_depth
from makeyourvideo.structure.filming import film
from makeyourvideo.structure.scenes import film_blockout

SIZE = {"height": 16, "width": 16}


def read(folder: Path, fps: float) -> None:
    np.save(folder / "d.npy", np.arange(16.0).reshape(1, 4, 4))
    read_depth(folder / "d.npy", fps=fps)


def film_ball(folder: Path, fps: float) -> None:
    trimesh.creation.icosphere().export(folder / "ball.obj")
    film(folder / "ball.obj", num_frames=2, fps=fps, **SIZE)


def block_out(folder: Path, fps: float) -> None:
    (folder / "b.yaml").write_text("things: [{shape: ball}]")
    film_blockout(folder / "b.yaml", fps=fps, **SIZE)


@pytest.mark.parametrize("use", [read, film_ball, block_out])
@pytest.mark.parametrize("fps", [0.0, -8.0, float("nan"), float("inf")])
def test_what_is_no_rate_is_refused(tmp_path: Path, use: Callable[[Path, float], None], fps: float) -> None:
    with pytest.raises(InputError, match=f"fps: expected above 0 and at most 1000, found {fps:g}"):
        use(tmp_path, fps)


def test_a_stated_rate_is_a_rate(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.arange(16.0).reshape(1, 4, 4))
    (tmp_path / "d.npy.depth.json").write_text('{"kind": "inverse", "fps": 0}')
    with pytest.raises(InputError, match=r"d\.npy\.depth\.json: .*fps"):
        read_depth(tmp_path / "d.npy")


def test_no_frames_of_a_block_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("things: [{shape: ball}]")
    with pytest.raises(InputError, match="num_frames: expected 1 to"):
        film_blockout(tmp_path / "b.yaml", num_frames=0, **SIZE)
