"""Runs, followed to their end."""

from collections.abc import Iterator

from makeyourvideo.run import Event, Finished


def finish(events: Iterator[Event]) -> Finished:
    """Consume a run; its last event."""
    *_, last = events
    assert isinstance(last, Finished)
    return last
