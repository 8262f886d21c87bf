"""Curves that others published, shipped with their sources, to be drawn beside measured ones."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class PublishedCurve:
    """A codec's rate and distortion on Kodak, mean of operating points over the 24 pictures.

    That is the mean that a sweep gives. It is 0.1 to 0.5 dB lower than the mean of files that all have one rate, which
    is what targets give; the head of ``data/published.csv`` says more.

    Attributes:
        name: of the codec.
        source: repository, commit and path the figures come from, or the paper.
        points: ``(bpp, psnr)``, by rate.
    """

    name: str
    source: str
    points: tuple[tuple[float, float], ...]


@cache
def curves() -> tuple[PublishedCurve, ...]:
    """All of them, the oldest idea first."""
    text = (files("inrcodec.bench") / "data" / "published.csv").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in csv.DictReader(lines):
        points.setdefault((row["codec"], row["source"]), []).append((float(row["bpp"]), float(row["psnr"])))
    return tuple(PublishedCurve(name, source, tuple(sorted(curve))) for (name, source), curve in points.items())


def curve(name: str) -> PublishedCurve:
    """The curve of a name.

    Raises:
        ValueError: there is none; the message names them all.
    """
    for published in curves():
        if published.name == name:
            return published
    raise ValueError(f"no published curve {name!r}; there are {', '.join(c.name for c in curves())}")
