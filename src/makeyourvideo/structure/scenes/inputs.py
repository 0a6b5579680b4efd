"""What files of scenes say and name, checked: forms, sizes, and files that lie beside them."""

import reprlib
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, ValidationError

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import check_unpacked

STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
_Form = TypeVar("_Form", bound=BaseModel)
_SHOWN = 60
_NO_KEYS = ("model_type", "model_attributes_type", "dict_type")  # whose messages name our classes


def validated(path: Path, form: type[_Form], content: object) -> _Form:
    """Hold what a file says to its form.

    Raises:
        InputError: the first key that is wrong, and in what way.
    """
    try:
        return form.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"]) or "the whole file"
        if first["input"] is None:
            raise InputError(path, f"a value for {key}", "nothing") from error
        given = reprlib.repr(first["input"])  # YAML's aliases can make what is nested endless to print
        if len(given) > _SHOWN:
            given = f"{given[:_SHOWN]}…"
        if first["type"] in _NO_KEYS:
            raise InputError(path, f"keys and their values for {key}", given) from error
        reason = first["msg"].removeprefix("Value error, ").replace("Input should", "it should")
        raise InputError(path, f"a sound value for {key}", f"{given}: {reason}") from error


def read_bounded(path: Path, what: str, max_bytes: int) -> bytes:
    """Read a file that is not too large.

    Raises:
        InputError: missing, unreadable, empty or too large.
    """
    with unreadable_unless(path, what):
        check_unpacked(path, path.stat().st_size, max_bytes)
        if not path.is_file():  # a pipe would be waited for without end
            raise InputError(path, what, "a folder" if path.is_dir() else "something else than a file")
        content = path.read_bytes()
    if not content:
        raise InputError(path, what, "an empty file")
    return content


def beside(path: Path, name: str) -> Path:
    """The file that `path` names, in its folder or below.

    Raises:
        InputError: it lies elsewhere: an absolute path, one through "..", a URL, or a link that leads out.
    """
    place = unquote(name)
    parts = place.replace("\\", "/").split("/")
    if ":" in parts[0] or parts[0] == "" or ".." in parts or "\0" in place:
        raise InputError(path, "files in its own folder", repr(place[:_SHOWN]))
    with unreadable_unless(path, "files in its own folder"):
        folder = path.parent.resolve()
        if not (folder / place).resolve().is_relative_to(folder):
            raise InputError(path, "files in its own folder", f"{place!r}, which leads out of it")
    return path.parent / place
