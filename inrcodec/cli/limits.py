"""Options that say what a decode may cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from inrcodec.cli.help import Rare

if TYPE_CHECKING:
    from inrcodec.limits import Limits

Command = TypeVar("Command", bound=Callable[..., Any])


def raised_limits(command: Command) -> Command:
    """Give a command the options ``--max-work``, ``--max-params`` and ``--max-latents``."""
    wishes = (
        ("--max-work", "Refuse files that take more work than this, however long they are."),
        ("--max-params", "Refuse networks of more weights than this."),
        ("--max-latents", "Refuse files of more latents than this."),
    )
    for name, words in reversed(wishes):
        command = click.option(name, cls=Rare, type=click.IntRange(1), metavar="N", help=words)(command)
    return command


def limits_of(pixels: int | None, work: int | None, params: int | None, latents: int | None) -> Limits:
    """The default limits with those that were asked for in their place."""
    from inrcodec.limits import Limits

    asked = {"max_pixels": pixels, "max_params": params, "max_latents": latents, "max_work": work, "base_work": work}
    return Limits(**{name: value for name, value in asked.items() if value is not None})
