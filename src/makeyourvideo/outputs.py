"""Writing results whole or not at all."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
    check_free(path, force)
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".unfinished.", dir=path.absolute().parent))
        try:
            partial = scratch / path.name
            yield partial
            check_free(path, force)
            _move(partial, path, aside=scratch / f"{path.name}.old")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise InputError(path, "room to write it", os.strerror(error.errno)) from error
        raise


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
