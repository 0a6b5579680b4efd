"""Events of a run as a progress bar, or as nothing where nobody watches."""

import sys
from collections.abc import Iterator

import diffusers
import transformers
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from makeyourvideo.run import Event, Finished, Job, Stage, prepare
from makeyourvideo.sampling import SamplingStep
from makeyourvideo.settings import Settings


def progress_bar() -> Progress:
    """A bar on a terminal, with the time left; nothing elsewhere, and nothing of it stays."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def prepare_aloud(settings: Settings) -> Job:
    """`prepare`, saying what is odd or changed about the run, a line each."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
    job = prepare(settings)
    for label, lines in (("warning", job.warnings), ("note", job.plan.notes)):
        for line in lines:
            print(f"{label}: {line}", file=sys.stderr)
    return job


def follow(events: Iterator[Event]) -> Finished:
    """Consume a run to its end, with a bar and the time left on a terminal."""
    with progress_bar() as progress:
        task = progress.add_task("", total=None)
        for event in events:
            match event:
                case Stage(name):
                    progress.reset(task, description=name, total=None)
                case SamplingStep():
                    progress.update(task, completed=event.step + 1, total=event.total)
                case Finished():
                    return event
    raise RuntimeError("the run ended without a result")


def report(finished: Finished) -> None:
    """Name what was written; the last lines of a command."""
    for path in finished.files:
        print(path)
