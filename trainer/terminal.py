"""What the command lines share: their form, one sentence for every error, results for programs."""

from __future__ import annotations

import json
import re
import signal
import sys
import traceback
from importlib.metadata import version as version_of
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from trainer.core.errors import TapelineError
from trainer.core.hint import did_you_mean

DEBUG = "--debug"
_DEFECT = f"This is a defect of tapeline; {DEBUG} shows where."

_CHOICE = re.compile(r"'(?P<given>.*)' is not one of (?P<known>'.*')\.")

AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable results.")]


class Commands(TyperGroup):
    """The verbs of a command line, whose complaints about an option's value are plain sentences."""

    def invoke(self, context: Any) -> Any:
        """Run the verb that is named."""
        try:
            return super().invoke(context)
        except typer.BadParameter as error:
            # Typer leaves the words of its validator before them.
            error.message = error.message.removeprefix("Value error, ")
            if choice := _CHOICE.fullmatch(error.message):
                known = re.findall("'(.*?)'", choice["known"])
                error.message += did_you_mean(choice["given"], known)
            raise


def command_line(purpose: str) -> typer.Typer:
    """An empty command line in the form that all of them have.

    Args:
        purpose: What it is for, in a sentence.
    """
    app = typer.Typer(
        cls=Commands,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={
            "help_option_names": ["-h", "--help"],
            # TensorFlow Serving writes its flags with underscores.
            "token_normalize_func": lambda token: token.replace("_", "-"),
        },
    )

    @app.callback(help=purpose, invoke_without_command=True)
    def root(
        context: typer.Context,
        version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
        debug: Annotated[bool, typer.Option(DEBUG, help="Show where an error arose.")] = False,
    ) -> None:
        given = {"debug": debug}
        context.default_map = {"serve": given, "bench": given}  # they report their own errors
        if version:
            typer.echo(f"tapeline {version_of('tapeline')}")
        elif context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return app


def run(app: typer.Typer, name: str) -> None:
    """Run a command line and leave with 0, with 1 after an error, or with 2 after wrong usage.

    Args:
        app: Made by `command_line`; `--debug` may stand anywhere.
        name: What the program is called.
    """
    arguments = [argument for argument in sys.argv[1:] if argument != DEBUG]
    debug = len(arguments) < len(sys.argv[1:])
    signal.signal(signal.SIGTERM, _leave)
    try:
        app([DEBUG, *arguments] if debug else arguments, prog_name=name)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; nobody is left to be told
    except Exception as error:
        if debug:
            traceback.print_exc()
        elif isinstance(error, TapelineError):
            typer.echo(f"{name}: {error}", err=True)
        else:
            typer.echo(f"{name}: {type(error).__name__}: {error}. {_DEFECT}", err=True)
    sys.exit(1)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End through every `finally`, so that no server and no half-written folder stays behind."""
    sys.exit(128 + number)


def print_json(value: Any) -> None:
    """Print a result for programs, on one line."""
    typer.echo(json.dumps(value))


def near(path: Path) -> Path:
    """A path as a person at this prompt would write it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
