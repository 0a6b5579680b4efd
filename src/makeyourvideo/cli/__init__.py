"""The command: one short file a subcommand; heavy libraries load only inside the one that runs."""

import gc
import sys
from typing import Annotated

import typer

from makeyourvideo import __version__
from makeyourvideo.cli.postponing import postpone
from makeyourvideo.errors import InputError

app = typer.Typer(
    name="makeyourvideo",
    help="Make a video from a sentence and per-frame depth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"makeyourvideo {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command: exit code 0, 1 where something is wrong, 130 after Ctrl-C."""
    gc.set_threshold(
        100_000
    )  # what an import makes stays: looking through it for garbage takes a sixth of it
    postpone()
    try:
        app()
    except (InputError, OSError) as error:
        print(f"makeyourvideo: {error}", file=sys.stderr)
        sys.exit(1)
    except SystemExit as stop:
        if stop.code in (130, 143):
            print("makeyourvideo: interrupted; nothing half-written", file=sys.stderr)
        sys.exit(1 if stop.code == 2 else stop.code)
    finally:
        gc.freeze()  # the same for the end, when all goes at once: there looking takes a second


from makeyourvideo.cli import (  # noqa: E402  (they register themselves)
    bundle,  # noqa: F401
    convert,  # noqa: F401
    demo,  # noqa: F401
    depth,  # noqa: F401
    doctor,  # noqa: F401
    evaluate,  # noqa: F401
    generate,  # noqa: F401
    replay,  # noqa: F401
    train,  # noqa: F401
    world,  # noqa: F401
)
