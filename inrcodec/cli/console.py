"""Where words go: people read stderr, programs read stdout."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from inrcodec.cli.exits import OutputError
from inrcodec.strict_json import finite

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Console:
    """The two streams and how much to say on the first; travels as click's context object.

    Attributes:
        verbose: say more, and show the traceback of errors.
        quiet: say nothing but errors.
    """

    verbose: bool = False
    quiet: bool = False

    def say(self, text: str) -> None:
        """One line for people."""
        if not self.quiet:
            click.echo(text, err=True)

    def detail(self, text: str) -> None:
        """One line for people who asked for more."""
        if self.verbose:
            self.say(text)

    def error(self, text: str) -> None:
        """One line that -q does not silence."""
        colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        click.echo((click.style("error:", fg="red", bold=True) if colour else "error:") + f" {text}", err=True)

    def data(self, text: str) -> None:
        """One line of the command's result, on stdout.

        Raises:
            OutputError: it takes no more.
        """
        try:
            click.echo(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"standard output: {error.strerror}") from error

    def json(self, value: dict[str, Any]) -> None:
        """One JSON object on one line of stdout; as :meth:`data`."""
        self.data(to_json(value))


def verbosity(command: Command) -> Command:
    """Add -v and -q, which work before and after the name of a sub-command."""

    def set_field(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            setattr(context.ensure_object(Console), str(parameter.name), True)

    options = [
        click.option(*names, is_flag=True, expose_value=False, is_eager=True, callback=set_field, help=text)
        for *names, text in (("-v", "--verbose", "Say more."), ("-q", "--quiet", "Say nothing but errors."))
    ]
    for option in reversed(options):
        command = option(command)
    return command


def to_json(value: object) -> str:
    """JSON on one line; numbers JSON does not know (``inf``, ``nan``) become null."""
    return json.dumps(finite(value), ensure_ascii=False, allow_nan=False, default=str)


def table(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Rows of text in columns: the first ``left`` columns to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def clock(seconds: float) -> str:
    """A duration as people read it: ``0:42``, ``12:05``, ``1:02:03``; ``?`` where it is not known."""
    if not math.isfinite(seconds) or seconds < 0:
        return "?"
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02d}:{second:02d}" if hour else f"{minute}:{second:02d}"
