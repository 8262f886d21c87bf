"""BD-rate picture by picture: a codec of a results file against another of it, or against published points.

    python -m benchmarks.per_picture benchmarks/results/kodak_grid.tsv --codec grid --anchor avif-psnr
    python -m benchmarks.per_picture results.tsv --codec grid --points coolchic.csv --out table.tsv

The points are a CSV with the columns image, bpp and psnr_db. A codec's curve on a picture is made of all its files that
fit their targets, and of its sweep if there is one; nothing is extrapolated. The mean is that of the pictures' figures,
each of which has a curve of its own: published means of curves are another thing.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from inrcodec.atomic import atomic_write
from inrcodec.bench.bdrate import Curve, bd_psnr, bd_rate
from inrcodec.bench.report.bd import shared_span
from inrcodec.bench.results import Results, read
from inrcodec.errors import InrError


@dataclass(frozen=True)
class Comparison:
    """Two curves of one picture.

    Attributes:
        rate: change of the bits at equal PSNR, percent; negative where the codec needs fewer.
        psnr: change of the PSNR at equal bits, dB.
        low: the lowest PSNR that both reach, dB.
        high: the highest.
        points: of the codec's curve, then of the anchor's.
    """

    picture: str
    rate: float
    psnr: float
    low: float
    high: float
    points: tuple[int, int]


def codec_curves(results: Results, codec: str) -> dict[str, Curve]:
    """Points of a codec by picture."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in results.rows:
        if row.codec == codec and not row.error and not row.use > 1:
            found[row.picture].append((row.bpp, row.psnr))
    return dict(found)


def published_curves(path: Path) -> dict[str, Curve]:
    """Points of a CSV by picture.

    Raises:
        InrError: it lacks a column.
    """
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    try:
        for row in csv.DictReader(lines):
            found[row["image"]].append((float(row["bpp"]), float(row["psnr_db"])))
    except KeyError as error:
        raise InrError(f"{path}: no column {error}") from None
    return dict(found)


def compare(anchor: dict[str, Curve], test: dict[str, Curve]) -> list[Comparison]:
    """Every picture that both have.

    Raises:
        InrError: there is none, or the curves of one share no range.
    """
    rows = []
    for picture in sorted(anchor.keys() & test.keys()):
        theirs, ours = anchor[picture], test[picture]
        try:
            rate, psnr = bd_rate(theirs, ours), bd_psnr(theirs, ours)
        except ValueError as error:
            raise InrError(f"{picture}: {error}") from None
        rows.append(Comparison(picture, rate, psnr, *shared_span(theirs, ours), (len(ours), len(theirs))))
    if not rows:
        raise InrError("no picture is in both")
    return rows


def table(rows: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Cells, head first, the mean last."""
    cells: list[tuple[str, ...]] = [
        ("picture", "bd_rate_percent", "bd_psnr_db", "from_db", "to_db", "points", "anchor_points"),
    ]
    for row in rows:
        figures = (f"{row.rate:+.2f}", f"{row.psnr:+.3f}", f"{row.low:.2f}", f"{row.high:.2f}")
        cells.append((row.picture, *figures, *map(str, row.points)))
    means = f"{fmean(row.rate for row in rows):+.2f}", f"{fmean(row.psnr for row in rows):+.3f}"
    return [*cells, ("mean", *means, "", "", "", "")]


def _public(words: Sequence[str]) -> list[str]:
    """The command line without the places where files lay here."""
    return [Path(word).name if word.endswith(".csv") else word for word in words]


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="of inrcodec bench -o")
    parser.add_argument("--codec", default="grid", help="as the results call it")
    against = parser.add_mutually_exclusive_group(required=True)
    against.add_argument("--anchor", help="a codec of the same results")
    against.add_argument("--points", type=Path, help="a CSV of published points")
    parser.add_argument("--out", type=Path, help="write the table as TSV")
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(given)
    try:
        results = read(options.results)
        anchor = published_curves(options.points) if options.points else codec_curves(results, options.anchor)
        cells = table(compare(anchor, codec_curves(results, options.codec)))
    except (InrError, OSError) as error:
        sys.exit(f"error: {error}")
    if options.out:
        head = f"# python -m benchmarks.per_picture {shlex.join(_public(given))}\n"
        atomic_write(options.out, (head + "".join("\t".join(row) + "\n" for row in cells)).encode(), overwrite=True)
    rule = "|" + "---|" * len(cells[0])
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    print("\n".join([lines[0], rule, *lines[1:]]))


if __name__ == "__main__":
    main()
