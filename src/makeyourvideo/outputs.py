"""Writing results whole or not at all."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from makeyourvideo.errors import InputError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_free(path: Path, force: bool) -> None:
    """Refuse to overwrite what exists, unless forced; call it before any long work.

    Raises:
        InputError: `path` exists and `force` is false, or it cannot be written to.
    """
    try:
        if path.exists() and not force:
            raise InputError(
                path, "a path that does not exist yet (or --force)", "an existing file or folder"
            )
        parent = next(folder for folder in path.absolute().parents if folder.exists())
    except OSError as error:  # no permission, or a name the file system does not take
        raise InputError(path, "a path to write to", os.strerror(error.errno or 0)) from error
    if not parent.is_dir():
        raise InputError(path, "a folder to write into", f"{parent}, which is not a folder")
    if not os.access(parent, os.W_OK):
        raise InputError(path, "a folder to write into", f"{parent}, which may not be written to")


@contextmanager
def written_whole(path: Path, force: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move what was written there into place at the end.

    The temporary path keeps the suffix, and may be made a file or a folder. On any error or interrupt it
    is removed, so `path` holds either the whole result or what it held before. A folder is only ever
    replaced by a folder.

    Raises:
        InputError: `path` exists and `force` is false, it cannot be written to, or the disk is full.
    """
    with _unfinished(path, force) as partial:
        yield partial
        check_free(path, force)
        _move(partial, path, aside=_aside(partial))


@contextmanager
def written_together(paths: Sequence[Path], force: bool = False) -> Iterator[list[Path]]:
    """`written_whole` for results that belong together: all of them appear, or none and all stays as it was.

    Raises:
        InputError: as `written_whole`, for any of `paths`.
    """
    with ExitStack() as stack:
        partials = [stack.enter_context(_unfinished(path, force)) for path in paths]
        yield partials
        moves = list(zip(partials, paths, strict=True))
        for partial, path in moves:
            partial.stat()  # whatever was not written fails here, before anything has moved
            check_free(path, force)
            if path.is_dir() != partial.is_dir() and path.exists():
                kinds = ("a file", "a folder") if path.is_dir() else ("a folder", "a file")
                raise InputError(path, f"{kinds[0]} to replace", kinds[1])
        try:
            for partial, path in moves:
                if path.exists():
                    path.rename(_aside(partial))
                partial.rename(path)
        except BaseException:  # an interrupt, too, can come between two of them
            for partial, path in moves:
                if not partial.exists():
                    path.rename(partial)
                if _aside(partial).exists():
                    _aside(partial).rename(path)
            raise


@contextmanager
def one_line_if_full(path: Path) -> Iterator[None]:
    """Turn the refusals of a disk that is full, while `path` is being made, into one line.

    Raises:
        InputError: there is no room.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise InputError(path, "room to write it", os.strerror(error.errno)) from error
        raise


@contextmanager
def _unfinished(path: Path, force: bool) -> Iterator[Path]:
    """A path in a folder beside `path` that is removed at the end; a full disk becomes one line."""
    check_free(path, force)
    with one_line_if_full(path):
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".unfinished.", dir=path.absolute().parent))
        try:
            yield scratch / path.name
        except InputError as error:
            if scratch in Path(error.subject).parents:  # people know the result, not where it grows
                raise InputError(path, error.expected, error.found) from error
            raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _aside(partial: Path) -> Path:
    """Where what is being replaced waits until the new result is in place."""
    return partial.with_name(f"{partial.name}.old")


def _move(partial: Path, path: Path, aside: Path) -> None:
    if not path.is_dir() or path.is_symlink():
        partial.replace(path)
        return
    if not partial.is_dir():
        raise InputError(path, "a file to replace", "a folder")
    path.rename(aside)  # a folder cannot be replaced in one step, but it can be put back
    try:
        partial.rename(path)
    except BaseException:
        aside.rename(path)
        raise
