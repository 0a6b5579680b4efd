import sys
from pathlib import Path

import pytest

from makeyourvideo import cli


class Result:
    """What a command ended with."""

    def __init__(self, code: object, captured: pytest.CaptureFixture[str]) -> None:
        self.code = 0 if code is None else code
        self.out, self.err = captured.readouterr()


class Command:
    """`makeyourvideo` in this process."""

    def __init__(self, patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> None:
        self._patch, self._captured = patch, captured

    def __call__(self, *arguments: object) -> Result:
        self._patch.setattr(sys, "argv", ["makeyourvideo", *map(str, arguments)])
        self._captured.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return Result(stopped.value.code, self._captured)


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, depth_file: Path
) -> Command:
    monkeypatch.chdir(tmp_path)
    assert depth_file.parent == tmp_path
    return Command(monkeypatch, capsys)
