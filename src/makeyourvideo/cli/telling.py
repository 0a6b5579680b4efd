"""Warnings for people: a line each, without the place in the code."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def warnings_told() -> Iterator[None]:
    """Print the warnings that come up inside, each once and in one line, at the end or before an error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        finally:
            for line in dict.fromkeys(str(warning.message) for warning in caught):
                print(f"warning: {line}", file=sys.stderr)
