"""Does a fit hold the budget it was given, and what does it lose by holding it?

    python -m benchmarks.budgets data/kodak/kodim{05,15,20,23}.png --workers 2 --out benchmarks/results/budgets.tsv

For every picture and budget one fit under the constraint, and some at a fixed price, of the same steps: the first at
the price that the constraint came to, the next at what the bits of the one before ask for. All are landed under the
same cap. ``soft`` are the bits of everything rounded for real where the soft phase should end, ``held`` the steps taken
after that because they were too many, ``end`` the bits of the finished fit, before it is landed; ``soft`` and ``end``
as parts of the budget. A fit at a fixed price holds no steps.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import resumable
from benchmarks.summary import rows as rows_of
from inrcodec.cli.values import override
from inrcodec.encoder import EncodeOptions, Target
from inrcodec.fit.candidate import Candidate
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.machine import use_threads
from inrcodec.image import load_image

COLUMNS = ("picture", "target_bpp", "fit", "price", "soft", "held", "end", "bytes", "use", "psnr", "seconds")

CONSTRAINED, FIXED = "constrained", "fixed price"

_TRIES, _NEAR = 3, 0.01
"""Fits at a fixed price at most, and how near to the budget one has to come to be the last."""

_OBEDIENCE = 1.5
"""What is over a budget, to this power, is what its price is multiplied with."""


class Weighed(GridDescent):
    """A fit that remembers what it came to."""

    soft = end = price = 0.0

    def settle(self) -> None:
        """See what the soft phase came to, and at which price."""
        super().settle()
        self.soft = self.bits / self.budget
        self.price = self.calm * self.reference * self.scene.width * self.scene.height / self.budget

    def fitted(self) -> FittedGrid:
        """See what the whole fit came to."""
        found = super().fitted()
        self.end = self.measure() / self.budget
        return found


class Watched(GridSession):
    """An encode whose last fit can be looked at."""

    kind = Weighed
    last: Weighed

    def descent(self, arch: Any, config: GridConfig, budget: float | None, seed: int) -> Any:
        """A fit that is about to begin."""
        self.last = super().descent(arch, config, budget, seed)
        return self.last

    def at(self, price: float, cap: int) -> Candidate[FittedGrid]:
        """A fit at a fixed price of bits, landed under a cap."""
        config = replace(self.config, price=price)
        arch, budget = self._sized(cap)
        return self._landed(self._fitted(arch, budget, f"{cap} at {price}", config, 1.0), cap, config)


@dataclass(frozen=True)
class Job:
    """A picture and a budget.

    Attributes:
        picture: file.
        bpp: target.
        effort: level.
        threads: of the fits.
        overrides: settings.
    """

    picture: Path
    bpp: float
    effort: int
    threads: int | None
    overrides: tuple[tuple[str, str], ...] = ()


def measure(job: Job) -> list[str]:
    """The lines of a picture and a budget."""
    pixels = load_image(job.picture).pixels
    options = EncodeOptions(effort=job.effort, arch="grid", threads=job.threads, overrides=job.overrides)
    target = Target("bpp", job.bpp)
    session = Watched(pixels, target, options, None, None)
    cap = target.cap(pixels.count)
    assert cap is not None
    lines: list[str] = []

    def note(kind: str, start: float, landed: Candidate[FittedGrid]) -> Weighed:
        last, size = session.last, len(landed.data)
        cells = (job.picture.stem, f"{job.bpp:g}", kind, f"{last.price:.4g}", f"{last.soft:.4f}", last.held)
        rest = (f"{last.end:.4f}", size, f"{size / cap:.4f}", f"{landed.psnr:.3f}", f"{time.monotonic() - start:.1f}")
        lines.append("\t".join(map(str, cells + rest)))
        return last

    session.warm_up()
    with use_threads(session.engine, job.threads):
        start = time.monotonic()
        price = note(CONSTRAINED, start, session.fit(cap)).price
        for _ in range(_TRIES):
            start = time.monotonic()
            found = note(FIXED, start, session.at(price, cap))
            if abs(found.soft - 1) < _NEAR:
                break
            price *= found.soft**_OBEDIENCE
    return lines


def markdown(path: Path) -> str:
    """By budget: how far fits end from it, what they use, and what they are above the best fit at a fixed price."""
    fits: dict[float, dict[str, list[dict[str, str]]]] = {}
    for row in rows_of(path):
        fits.setdefault(float(row["target_bpp"]), {}).setdefault(row["picture"], []).append(row)
    lines = ["| bpp | soft phase | fit | file | against the best fixed price |", "|---|---|---|---|---|"]
    for bpp, pictures in sorted(fits.items()):
        ours = {name: next(row for row in rows if row["fit"] == CONSTRAINED) for name, rows in pictures.items()}
        gains = [
            float(ours[name]["psnr"]) - max(float(row["psnr"]) for row in rows if row["fit"] == FIXED)
            for name, rows in pictures.items()
        ]
        cells = [_range([float(row[column]) for row in ours.values()]) for column in ("soft", "end", "use")]
        worst = f"{fmean(gains):+.2f} dB ({min(gains):+.2f} to {max(gains):+.2f})"
        lines.append("| " + " | ".join((f"{bpp:g}", *cells, worst)) + " |")
    return "\n".join(lines)


def _range(found: Sequence[float]) -> str:
    return f"{100 * min(found):.1f} to {100 * max(found):.1f} %"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line names, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--bpp", default="0.05,0.1,0.2,0.5,1,2")
    parser.add_argument("--effort", type=int, default=3)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--workers", type=int, default=1, help="encodes at a time, one thread each if more than one")
    parser.add_argument("--out", type=Path, required=True, help="rows it already holds are not measured again")
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(given)
    resumable.start(options.out, "budgets", given, COLUMNS)
    done = {(row["picture"], float(row["target_bpp"])) for row in rows_of(options.out)}
    overrides = tuple(map(override, options.overrides))
    threads = 1 if options.workers > 1 else None
    jobs = [
        Job(picture, bpp, options.effort, threads, overrides)
        for picture in options.pictures
        for bpp in map(float, options.bpp.split(","))
        if (picture.stem, bpp) not in done
    ]
    for lines in resumable.outcomes(measure, [(job,) for job in jobs], options.workers):
        with options.out.open("a") as out:
            out.writelines(line + "\n" for line in lines)
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    print(markdown(options.out))


if __name__ == "__main__":
    main()
