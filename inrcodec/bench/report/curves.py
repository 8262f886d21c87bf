"""What the plot shows: lines and dots, each with the kind of mean it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inrcodec.bench.contender import contenders_of
from inrcodec.bench.published import curves as published_curves
from inrcodec.bench.report.palette import PUBLISHED, Ink, inks
from inrcodec.bench.results import Results
from inrcodec.bench.summary import operating_points, target_means

Points = tuple[tuple[float, float], ...]
"""Pairs of bpp and PSNR, by rate."""

KODAK = frozenset(f"kodim{number:02d}" for number in range(1, 25))


@dataclass(frozen=True)
class Curve:
    """One codec in the plot.

    Attributes:
        name: the label.
        ink: its colour.
        line: means of operating points (of ours, which has none, the dots again).
        dots: means of every picture at exactly the target.
        rank: 2 for ours, 1 for other measured codecs, 0 for published curves.
    """

    name: str
    ink: Ink
    line: Points
    dots: Points
    rank: int


def measured(results: Results) -> list[Curve]:
    """The codecs of the results that have something to show."""
    points = operating_points(results.rows, results.codecs)
    means = [mean for mean in target_means(results.rows, results.codecs) if mean.complete]
    contenders = contenders_of(results)
    colours = inks(contenders)
    found = []
    for contender in contenders:
        line = tuple((point.bpp, point.psnr) for point in points if point.codec == contender.name)
        # At the target, not at the mean of the bytes used: that is where the pictures were asked to be.
        dots = tuple((mean.target_bpp, mean.psnr) for mean in means if mean.codec == contender.name)
        if line or dots:
            rank = 2 if contender.ours else 1
            found.append(Curve(contender.name, colours[contender.name], line or dots, dots, rank))
    return found


def published(results: Results) -> list[Curve]:
    """The published curves where they compare: they are means over all of Kodak, and over nothing else."""
    if set(results.pictures) != KODAK:
        return []
    return [
        Curve(name, PUBLISHED, tuple(sorted((float(bpp), float(psnr)) for bpp, psnr in points)), (), 0)
        for name, _, points in published_curves()
    ]


def title(results: Results) -> str:
    """What the pictures are."""
    pictures: Sequence[str] = results.pictures
    if set(pictures) == KODAK:
        return "Kodak, all 24 pictures"
    if set(pictures) <= KODAK:
        return "Kodak " + ", ".join(name.removeprefix("kodim") for name in sorted(pictures))
    return f"{len(pictures)} pictures" if len(pictures) > 1 else pictures[0]
