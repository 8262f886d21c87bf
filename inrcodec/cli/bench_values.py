"""Lists that ``inrcodec bench`` takes, from text. Each function is used as the type of a click option."""

from __future__ import annotations

import math
import re

import click


def targets(text: str) -> tuple[float, ...]:
    """Bits per pixel: ``0.15,0.3``; ascending and each once.

    Raises:
        click.BadParameter: one is no positive number.
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of numbers (like 0.15,0.3)") from None
    if not all(math.isfinite(value) and value > 0 for value in values):
        raise click.BadParameter("bits per pixel are above 0")
    return tuple(sorted(set(values)))


def places(text: str) -> tuple[int, ...]:
    """Places in a list, counted from 1: ``1,5-8``; ascending and each once.

    Raises:
        click.BadParameter: it is not of that form.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*([1-9]\d*)(?:-([1-9]\d*))?\s*", part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise click.BadParameter(f"{text!r} is not a list of places (like 1,5-8)")
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(found))
