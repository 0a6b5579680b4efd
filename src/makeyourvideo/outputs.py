"""Writing results whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from makeyourvideo.errors import InputError


def check_free(path: Path, force: bool) -> None:
    """Refuse to overwrite what exists, unless forced; call it before any long work.

    Raises:
        InputError: `path` exists and `force` is false, or its parent cannot be a folder.
    """
    if path.exists() and not force:
        raise InputError(path, "a path that does not exist yet (or --force)", "an existing file or folder")
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir():
        raise InputError(path, "a folder to write into", f"{parent}, which is not a folder")


@contextmanager
def written_whole(path: Path, force: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move what was written there into place at the end.

    The temporary path keeps the suffix, and may be made a file or a folder. On any error or interrupt it
    is removed, so `path` holds either the whole result or what it held before.

    Raises:
        InputError: `path` exists and `force` is false.
    """
    check_free(path, force)
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.absolute().parent))
    try:
        partial = scratch / path.name
        yield partial
        if path.is_dir() and not path.is_symlink():
            path.rename(scratch / "superseded")
        os.replace(partial, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
