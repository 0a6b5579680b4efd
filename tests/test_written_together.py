"""Results that belong together appear together."""

from pathlib import Path

import pytest

from makeyourvideo.errors import InputError
from makeyourvideo.outputs import written_together


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def write(paths: list[Path], force: bool = False) -> None:
    with written_together(paths, force) as partials:
        for partial in partials:
            partial.write_text("new")


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [tmp_path / name for name in ("out.mp4", "out.json", "out.png")]


def test_all_appear(paths: list[Path], tmp_path: Path) -> None:
    write(paths)
    assert contents(tmp_path) == dict.fromkeys(("out.mp4", "out.json", "out.png"), "new")


def test_one_that_exists_is_enough_to_refuse(paths: list[Path], tmp_path: Path) -> None:
    paths[2].write_text("old")
    with pytest.raises(InputError, match=r"out\.png"):
        write(paths)
    assert contents(tmp_path) == {"out.png": "old"}
    write(paths, force=True)
    assert set(contents(tmp_path).values()) == {"new"}


@pytest.mark.parametrize("moves_before", range(6))
def test_an_interrupt_between_two_moves_puts_everything_back(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves_before: int
) -> None:
    for path in paths:
        path.write_text("old")
    moves = 0
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        nonlocal moves
        moves += 1
        if moves == moves_before + 1:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(paths, force=True)
    assert moves > moves_before
    assert contents(tmp_path) == dict.fromkeys(("out.mp4", "out.json", "out.png"), "old")


def test_one_that_was_not_written_holds_back_the_others(paths: list[Path], tmp_path: Path) -> None:
    paths[1].write_text("old")
    with pytest.raises(FileNotFoundError), written_together(paths, force=True) as partials:
        partials[0].write_text("new")
    assert contents(tmp_path) == {"out.json": "old"}


def test_a_folder_is_not_replaced_by_a_file(paths: list[Path], tmp_path: Path) -> None:
    paths[1].mkdir()
    with pytest.raises(InputError, match=r"out\.json: expected a file to replace, found a folder"):
        write(paths, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
