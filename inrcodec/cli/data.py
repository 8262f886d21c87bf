"""``inrcodec data``: the pictures that comparisons are made on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inrcodec.cli.console import Console, table, verbosity
from inrcodec.cli.help import DailyCommand

if TYPE_CHECKING:
    from inrcodec.bench.datasets import Progress


class _Group(DailyCommand, click.Group):
    """A group whose help has two lengths too."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def _known(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    """Refuse what is no data set."""
    from inrcodec.bench.registry import registry

    if name not in registry():
        raise click.BadParameter(f"{name!r} is not one of {', '.join(registry())}")
    return name


_name = click.argument("name", metavar="NAME", callback=_known)


@click.group(cls=_Group)
@verbosity
def data() -> None:
    """Get the pictures of comparisons and find them.

    They are looked for under INRCODEC_DATA, in data/ here and beside the program, and in your folder for caches.
    """


@data.command(cls=DailyCommand)
@_name
@click.option("--from", "source", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
              help="Copy from this folder, in place of a download.")  # fmt: skip
@verbosity
@click.pass_obj
def fetch(console: Console, /, name: str, source: Path | None) -> int:
    """Get the data set NAME (kodak), checking every file.

    It goes to the folder INRCODEC_DATA, or to your folder for caches. Files that are there already are left alone.
    """
    from inrcodec.bench.fetch import fetch as get

    folder = get(name, source, _progress(console))
    console.say(f"{name}: complete, in {folder}")
    return 0


@data.command(cls=DailyCommand)
@_name
@verbosity
@click.pass_obj
def path(console: Console, /, name: str) -> int:
    """Print the folder of the data set NAME."""
    from inrcodec.bench.datasets import path as folder

    console.data(str(folder(name)))
    return 0


@data.command("list", cls=DailyCommand)
@verbosity
@click.pass_obj
def list_(console: Console, /) -> int:
    """List the data sets and where they are."""
    from inrcodec.bench.datasets import path as folder
    from inrcodec.bench.registry import DataError, registry

    rows = []
    for name, known in registry().items():
        try:
            place = str(folder(name))
        except DataError:
            place = "not here"
        rows.append((name, f"{len(known.items)} pictures", known.home, place))
    console.data(table(rows, left=4))
    return 0


def _progress(console: Console) -> Progress:
    """Tell how far it is: one line drawn anew on a terminal, else a line every 10 %."""
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def tell(name: str, done: int, total: int) -> None:
        if console.quiet:
            return
        if live:
            click.echo(f"\r{done}/{total} {name}", err=True, nl=done == total)
        elif done * 10 // total > (done - 1) * 10 // total:
            console.say(f"{done}/{total} {name}")

    return tell
