"""A run on the command line: what it says first, its bar, and the files it names at the end."""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import diffusers
import transformers

from makeyourvideo.cli.progress import progress_bar
from makeyourvideo.job import Job, prepare
from makeyourvideo.making import Resumed, Stage
from makeyourvideo.planning import Plan
from makeyourvideo.run import Event, Finished
from makeyourvideo.sampling import SamplingStep
from makeyourvideo.settings import Settings


def prepare_aloud(settings: Settings, *, estimate: bool = True) -> Job:
    """`prepare`, saying what is odd or changed about the run, a line each."""
    quiet_libraries()
    job = prepare(settings, estimate=estimate)
    for label, lines in (("warning", job.warnings), ("note", job.plan.notes)):
        for line in lines:
            print(f"{label}: {line}", file=sys.stderr)
    return job


def quiet_libraries() -> None:
    """Leave talking and bars to this program."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def follow(events: Iterator[Event], plan: Plan) -> Finished:
    """Consume the run of a plan to its end, with a bar and the time left on a terminal.

    The bar counts branches, since an evaluation with guidance takes twice the time. A run that is stopped, by
    Ctrl-C or a plain `kill`, says how to go on.
    """
    last: SamplingStep | None = None
    try:
        with _terminated_like_interrupted(), progress_bar() as progress:
            for event in events:
                match event:
                    case Stage(name):
                        for over in progress.task_ids:
                            progress.remove_task(over)
                        progress.add_task(name, total=None)
                    case Resumed(done, total):
                        print(f"continuing from step {done} of {total}", file=sys.stderr)
                    case SamplingStep():
                        last = event
                        progress.update(progress.task_ids[-1], **_progress(event, plan.branches))
                    case Finished():
                        return event
    except (KeyboardInterrupt, SystemExit):
        if last is not None:
            done, total = _done(last)
            print(f"the same command again goes on from step {done} of {total}", file=sys.stderr)
        raise
    raise RuntimeError("the run ended without a result")


def _done(event: SamplingStep) -> tuple[int, int]:
    """Evaluations that are done and all there are, over all windows."""
    return event.window * event.total + event.step + 1, event.windows * event.total


def _progress(event: SamplingStep, branches: Sequence[int]) -> dict[str, Any]:
    each = sum(branches)
    done = event.window * each + sum(branches[: event.step + 1])
    where = f", window {event.window + 1} of {event.windows}" if event.windows > 1 else ""
    return {"completed": done, "total": event.windows * each, "description": f"sampling{where}"}


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end what runs as tidily as Ctrl-C does, with the code that the shell gives it."""

    def stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():  # only there signals can be handled
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def report(finished: Finished) -> None:
    """Name what was written; the last lines of a command."""
    for path in finished.files:
        print(path)
