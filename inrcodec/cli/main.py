"""The ``inrcodec`` command: its sub-commands, and the one place where an outcome becomes an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from inrcodec import __version__
from inrcodec.cli.bench import bench
from inrcodec.cli.compare import compare
from inrcodec.cli.completion import completion
from inrcodec.cli.console import Console, verbosity
from inrcodec.cli.data import data
from inrcodec.cli.decode import decode
from inrcodec.cli.encode import encode
from inrcodec.cli.exits import FAILED, FINE, INTERRUPTED, describe, exit_code
from inrcodec.cli.info import info
from inrcodec.cli.recipes import recipes
from inrcodec.cli.truncate import truncate
from inrcodec.cli.verify import verify


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    click.echo(f"inrcodec {__version__}")
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@verbosity
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def inrcodec() -> None:
    """Code a picture as a small neural network, in exactly the size you ask for.

    \b
      inrcodec encode photo.png --bpp 0.3     writes photo.inr, at most 0.3 bits per pixel
      inrcodec decode photo.inr -o back.png   reads it again, at any size

    Exit codes: 0 fine, 1 a file failed, 2 wrong usage, 3 target unreachable, 4 not a valid file, 130 interrupted.
    """  # noqa: D301 - click reads the escape: these lines stay as they are


for _command in (encode, decode, info, verify, compare, truncate, bench, recipes, data, completion):
    inrcodec.add_command(_command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what stands after the program's name; by default what the process was started with.

    Returns:
        The exit code.
    """
    console = Console()
    words = None if arguments is None else list(arguments)
    try:
        result = inrcodec.main(words, prog_name="inrcodec", obj=console, standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        console.say("interrupted")
        return INTERRUPTED
    except Exception as error:
        console.error(describe(error))
        if console.verbose:
            traceback.print_exc()
        return exit_code(error)
    return result if isinstance(result, int) else 0


def _flushed(code: int) -> int:
    """The exit code, once standard output has taken everything; what it does not take is told, and forgotten.

    Otherwise the interpreter tries again at its end, in words of its own and with an exit code that means nothing.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if code == FINE and not isinstance(error, BrokenPipeError):
            Console().error(describe(error))
        return code or FAILED
    return code


def main() -> NoReturn:
    """Entry point of the console script."""
    sys.exit(_flushed(run()))
