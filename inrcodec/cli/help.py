"""Two lengths of help: ``-h`` shows the options of every day, ``--help-all`` the others too."""

from __future__ import annotations

from typing import Any

import click

_KEY = "inrcodec.help_all"


class Rare(click.Option):
    """An option that only ``--help-all`` shows."""


class DailyCommand(click.Command):
    """A command that keeps its `Rare` options out of the short help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--help-all"], is_flag=True, is_eager=True, expose_value=False, callback=_show_all,
                help="Show every option and exit.",
            )
        )  # fmt: skip

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options that the asked length of help shows."""
        everything = ctx.meta.get(_KEY, False)
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        shown = [p for p in options if everything or not isinstance(p, Rare)]
        records = [record for p in shown if (record := p.get_help_record(ctx)) is not None]
        with formatter.section("Options"):
            formatter.write_dl(records)


def _show_all(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        context.meta[_KEY] = True
        click.echo(context.get_help())
        context.exit()
