"""What a run keeps beside its result until it is finished, so that the same run can go on after a stop."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from makeyourvideo.sampling.recording import TensorFolder


class KeptWork:
    """The hidden folder `.NAME.resume` beside a result.

    It holds the network's answers of the window that is being made (or of the one pass), the latents of
    finished windows, and the video as far as it is written. It belongs to one run: where anything is
    different that decides the result, it is emptied.

    Args:
        output: the result.
        decides: all that decides it, as JSON.
        windows: how many there are, 0 for one pass.
    """

    def __init__(self, output: Path, decides: Mapping[str, Any], windows: int) -> None:
        self.folder = output.absolute().with_name(f".{output.name}.resume")
        self.video = self.folder / f"video{output.suffix}"
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        owner = self.folder / "digest"
        is_ours = owner.is_file() and owner.read_text() == digest
        if not (is_ours and self._is_whole(windows)):
            remove(self.folder)
            self.folder.mkdir(parents=True)
            owner.write_text(digest)

    def _is_whole(self, windows: int) -> bool:
        """Whether all is there to go on with, as it is unless the power failed."""
        finished = self.finished(0)
        needs_path = 0 < len(finished) < windows
        return all(number in finished for number in range(len(finished))) and (
            not needs_path or len(finished) - 1 in self.paths
        )

    def as_it_began(self, name: str, value: int | None) -> int | None:
        """A number as it was when this run first began, which may be now with `value`."""
        file = self.folder / f"{name}.json"
        if not file.exists():
            unfinished = file.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(value))
            unfinished.replace(file)
        before: int | None = json.loads(file.read_text())
        return before

    def answers(self, part: int, window: int) -> TensorFolder:
        """The network's answers in a window; `part` counts how often windows were begun again."""
        return TensorFolder(self.folder / f"answers-{part}-{window}")

    def forget_answers(self, part: int, window: int) -> None:
        """Drop the answers of a window that is finished."""
        remove(self.answers(part, window).folder)

    def finished(self, part: int) -> TensorFolder:
        """The latents of finished windows."""
        return TensorFolder(self.folder / f"windows-{part}")

    @property
    def paths(self) -> TensorFolder:
        """The path through the noise at the end of the last finished window."""
        return TensorFolder(self.folder / "paths")

    def begin_part(self, part: int, before: TensorFolder, without: int) -> None:
        """Let a part begin with the windows of another but one, unless it has begun already."""
        folder = self.finished(part).folder
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            remove(unfinished)
            shutil.copytree(before.folder, unfinished)
            TensorFolder(unfinished).pop(without, None)
            unfinished.rename(folder)

    def evaluations(self, part: int, each: int) -> int:
        """How many evaluations of a part need not be made again, where a window takes `each`."""
        windows = len(self.finished(part))
        return windows * each + len(self.answers(part, windows))

    def evaluations_again(self, part: int, window: int, each: int) -> int:
        """The same of a part in which one window is made again."""
        return each if window in self.finished(part) else len(self.answers(part, window))

    def remove(self) -> None:
        """The result is in place: drop everything."""
        remove(self.folder)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
