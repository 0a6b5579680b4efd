"""The one error people see: a line that names the file, what was expected and what was found."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """Bad input from outside; the command prints it as one line and exits with 1.

    Args:
        subject: the file, option or name at fault.
        expected: what would have been right.
        found: what was there instead.
    """

    def __init__(self, subject: str | Path, expected: str, found: str) -> None:
        self.subject, self.expected, self.found = subject, expected, found
        super().__init__(f"{subject}: expected {expected}, found {found}")

    def __reduce__(self) -> tuple[type["InputError"], tuple[str | Path, str, str]]:
        return type(self), (self.subject, self.expected, self.found)


@contextmanager
def unreadable_unless(subject: str | Path, expected: str, found: str | None = None) -> Iterator[None]:
    """Turn whatever a parser raises over bad bytes into an `InputError` about `subject`.

    `found` stands in for a parser's own words where those would tell people nothing.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # parsers of hostile bytes raise anything
        reason = getattr(error, "strerror", None) or found or str(error) or type(error).__name__
        raise InputError(subject, expected, " ".join(str(reason).split())) from error


@contextmanager
def naming_files(files: Mapping[str, Path | None]) -> Iterator[None]:
    """Put its file before a setting that an `InputError` inside is about."""
    try:
        yield
    except InputError as error:
        file = files.get(str(error.subject))
        if file is None:
            raise
        raise InputError(f"{file}: {error.subject}", error.expected, error.found) from error
