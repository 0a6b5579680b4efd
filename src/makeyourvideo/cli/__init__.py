"""The command: one short file a subcommand; heavy libraries load only inside the one that runs."""

import sys

import typer

from makeyourvideo.errors import InputError

app = typer.Typer(
    name="makeyourvideo",
    help="Make a video from a sentence and per-frame depth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command; bad input ends in one line and exit code 1, Ctrl-C in 130."""
    try:
        app()
    except (InputError, OSError) as error:
        print(f"makeyourvideo: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("makeyourvideo: interrupted; nothing half-written", file=sys.stderr)
        sys.exit(130)
