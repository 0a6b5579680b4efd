import errno
import os
import pickle
from pathlib import Path

import pytest

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.outputs import check_free, written_whole


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def write(target: Path, *, force: bool = False, error: BaseException | None = None) -> None:
    with written_whole(target, force) as partial:
        partial.write_text("new")
        if error:
            raise error


def test_a_file_appears_whole_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "out.txt"
    with written_whole(target) as partial:
        assert partial.suffix == ".txt"
        partial.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert names(target.parent) == ["out.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupt_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(error):
        write(target, force=True, error=error())
    assert target.read_text() == "old"
    assert names(tmp_path) == ["out.txt"]


def test_a_folder_replaces_a_folder_and_nothing_remains_of_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for name in ("a", "b"):
        with written_whole(target, force=True) as partial:
            partial.mkdir()
            (partial / name).touch()
    assert names(target) == ["b"]
    assert names(tmp_path) == ["out"]


def test_a_folder_is_never_replaced_by_a_file_nor_lost_for_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "precious").touch()
    with pytest.raises(InputError, match="expected a file to replace, found a folder"):
        write(target, force=True)
    with pytest.raises(InputError), written_whole(target, force=True):
        pass  # nothing written
    assert names(target) == ["precious"]
    assert names(tmp_path) == ["out"]


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    for refuse in (lambda: check_free(target, force=False), lambda: write(target)):
        with pytest.raises(InputError, match="--force"):
            refuse()
    assert target.read_text() == "old"
    write(target, force=True)
    assert target.read_text() == "new"


def test_what_came_into_being_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    unfinished = written_whole(target)
    unfinished.__enter__().write_text("ours")
    target.write_text("theirs")
    with pytest.raises(InputError, match="--force"):
        unfinished.__exit__(None, None, None)
    assert target.read_text() == "theirs"
    assert names(tmp_path) == ["out.txt"]


def test_a_place_that_cannot_hold_a_file_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="not a folder"):
        check_free(tmp_path / "file" / "out.mp4", force=False)
    with pytest.raises(InputError, match="too long"):
        check_free(tmp_path / ("n" * 300), force=False)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_one_line_about_the_result(tmp_path: Path, code: int) -> None:
    target = tmp_path / "out.txt"
    with pytest.raises(InputError) as caught:
        write(target, error=OSError(code, os.strerror(code), "somewhere"))
    assert str(caught.value) == f"{target}: expected room to write it, found {os.strerror(code)}"
    assert names(tmp_path) == []


def test_other_system_errors_are_not_mistaken_for_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "out.txt"):
        (tmp_path / "missing").read_text()


def test_input_errors_name_all_three_and_survive_pickling() -> None:
    error = InputError("a.mp4", "a video", "nothing")
    assert str(error) == "a.mp4: expected a video, found nothing"
    again = pickle.loads(pickle.dumps(error))
    assert (again.subject, again.expected, again.found) == ("a.mp4", "a video", "nothing")


def test_what_a_parser_raises_becomes_one_line() -> None:
    with pytest.raises(InputError) as caught, unreadable_unless("a.png", "a picture"):
        raise SyntaxError("broken\n  chunk")
    assert str(caught.value) == "a.png: expected a picture, found broken chunk"
    with pytest.raises(InputError, match="found KeyError"), unreadable_unless("a.png", "a picture"):
        raise KeyError
    with pytest.raises(InputError, match=r"^inner"), unreadable_unless("outer", "x"):
        raise InputError("inner", "y", "z")
