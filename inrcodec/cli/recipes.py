"""``inrcodec recipes``: the published settings that ``encode --config`` takes."""

from __future__ import annotations

from dataclasses import asdict

import click

from inrcodec.cli.console import Console, table, verbosity
from inrcodec.cli.help import DailyCommand


@click.command(cls=DailyCommand)
@click.argument("name", required=False)
@click.option("--json", is_flag=True, help="Print one JSON object per recipe.")
@verbosity
@click.pass_obj
def recipes(console: Console, /, name: str | None, json: bool) -> int:
    """List the recipes for encode --config, or show all that one of them says."""
    from inrcodec.recipes import load, names

    try:
        found = [load(one) for one in ([name] if name else names())]
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{error}.") from None
    if json:
        for recipe in found:
            console.json(asdict(recipe))
    elif name is None:
        console.data(table([(recipe.name, recipe.summary) for recipe in found], left=2))
    else:
        recipe = found[0]
        lines = [recipe.summary, f"from {recipe.source}", ""]
        lines += [f"--{option} {value}" for option, value in recipe.options.items()]
        lines += [f"--set {setting}={value}" for setting, value in recipe.settings]
        for bpp, options in recipe.targets:
            lines.append(f"at {bpp:g} bpp  " + " ".join(f"--{option} {value}" for option, value in options.items()))
        console.data("\n".join(lines))
    return 0
