"""A run on the command line: what it says first, its bar, and the files it names at the end."""

import sys
from collections.abc import Iterator

import diffusers
import transformers

from makeyourvideo.cli.progress import progress_bar
from makeyourvideo.run import Event, Finished, Job, Stage, prepare
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


def follow(events: Iterator[Event]) -> Finished:
    """Consume a run to its end, with a bar and the time left on a terminal."""
    with progress_bar() as progress:
        for event in events:
            match event:
                case Stage(name):
                    for done in progress.task_ids:
                        progress.remove_task(done)
                    progress.add_task(name, total=None)
                case SamplingStep():
                    progress.update(progress.task_ids[-1], completed=event.step + 1, total=event.total)
                case Finished():
                    return event
    raise RuntimeError("the run ended without a result")


def report(finished: Finished) -> None:
    """Name what was written; the last lines of a command."""
    for path in finished.files:
        print(path)
