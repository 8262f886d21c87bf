"""PSNR against steps when recipes of the field's papers run as published, beside the means that they published.

    python -m benchmarks.recipes data/kodak/kodim05.png data/kodak/kodim15.png --max-time 30m \
        --out benchmarks/results/recipes.tsv --plot docs/recipes.png

Every curve is one encode by ``--config RECIPE``, on one thread, whose fit is told by ``--log`` (float weights, all
pixels); its last line is the file that came of it: real bytes, and the PSNR of what they decode to. Published figures
are means over all of Kodak at the end of all steps; on a CPU the time is up long before. A table that is there is gone
on with.

    python -m benchmarks.recipes data/kodak/*.png --stack 24 --out benchmarks/results/recipes_kodak.tsv

is for a GPU: all pictures of a recipe in lock-step, files without curves; ``--max-time`` is that of a picture.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import shlex
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import command
from benchmarks.figure import dress, pyplot, save
from benchmarks.rd import published as as_typed
from benchmarks.summary import rows as rows_of

COLUMNS = ("recipe", "picture", "bpp", "step", "seconds", "psnr", "bytes")

Line = tuple[str, ...]

PUBLISHED = {
    ("coin", "0.16"): ("0.15", 24.5),
    ("coin", "0.31"): ("0.3", 26.3),
    ("struempler-basic", "0.15"): ("0.15", 26.5),
    ("struempler-basic", "0.3"): ("0.3", 28.4),
}
"""By recipe and bits per pixel of real files: what the paper calls the rate, and its mean PSNR on Kodak in dB, from the
curves of Dupont et al. 2021 and Struempler et al. 2022."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the table lacks, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--recipes", default="coin,struempler-basic")
    parser.add_argument("--bpp", help="(default: those whose means were published)")
    parser.add_argument("--max-time", default="30m", help="of every encode (default: 30m)")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="encodes at a time (default: 1)")
    parser.add_argument("--stack", type=int, metavar="N", help="that many pictures in lock-step, and no curves")
    parser.add_argument("--extra", default="", help="further options for inrcodec encode, in one string")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args(arguments)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not options.out.exists():
        head = f"# python -m benchmarks.recipes {shlex.join(as_typed(given))}\n"
        options.out.write_text(head + "\t".join(COLUMNS) + "\n")
    done = {(row["recipe"], row["picture"], row["bpp"]) for row in rows_of(options.out)}
    recipes = options.recipes.split(",")
    rates = [(recipe, bpp) for bpp in options.bpp.split(",") for recipe in recipes] if options.bpp else PUBLISHED
    asked = [(recipe, picture, bpp) for recipe, bpp in rates if recipe in recipes for picture in options.pictures]
    due = [(recipe, picture, bpp) for recipe, picture, bpp in asked if (recipe, picture.stem, bpp) not in done]
    extra = ["--max-time", options.max_time, *shlex.split(options.extra)]
    if options.stack:
        for (bpp, recipe), several in itertools.groupby(due, lambda what: (what[2], what[0])):
            _note(options.out, run_stack(recipe, [picture for _, picture, _ in several], bpp, options.stack, extra))
    else:
        with ThreadPoolExecutor(options.jobs) as pool:
            for finished in as_completed([pool.submit(run, *what, extra) for what in due]):
                _note(options.out, finished.result())
    print(markdown(options.out))
    if options.plot:
        draw(options.out, options.plot)


def _note(path: Path, lines: Sequence[Line]) -> None:
    """Add to the table."""
    with path.open("a") as out:
        out.writelines("\t".join(line) + "\n" for line in lines)
    print(*lines[-1], file=sys.stderr, flush=True)


def run_stack(recipe: str, pictures: Sequence[Path], bpp: str, together: int, extra: Sequence[str]) -> list[Line]:
    """The last lines of encodes in lock-step.

    Raises:
        subprocess.CalledProcessError: one failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = ["encode", *map(str, pictures), "-O", folder, "--config", recipe, "--bpp", bpp]
        told = command.run(*words, "--stack", str(together), "--json", *extra)
    reports = [json.loads(line) for line in told.splitlines()]
    return [(recipe, Path(report["input"]).stem, bpp, *_file(report)) for report in reports]


def _file(report: dict[str, Any]) -> tuple[str, ...]:
    """Steps, seconds, PSNR and bytes of a file."""
    return str(report["steps"]), f"{report['seconds']:.1f}", f"{report['psnr']:.4f}", str(report["bytes"])


def run(recipe: str, picture: Path, bpp: str, extra: Sequence[str]) -> list[Line]:
    """Lines of one encode; only the last one has bytes.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = ["encode", str(picture), "-o", f"{folder}/a.inr", "--config", recipe, "--bpp", bpp, "--threads", "1"]
        told = command.run(*words, "--log", f"{folder}/log", "--json", *extra)
        (path,) = Path(folder).glob("log/**/fit.csv")
        with path.open(newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if row["phase"] == "fit" and row["psnr_db"]]
    fit = [(row["step"], row["seconds"], f"{float(row['psnr_db']):.4f}", "") for row in rows]
    lines = [*fit, _file(json.loads(told.splitlines()[-1]))]
    return [(recipe, picture.stem, bpp, *line) for line in lines]


def markdown(path: Path) -> str:
    """Means of the files of every recipe and rate, beside what was published."""
    files: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(path):
        if row["bytes"]:
            files[row["bpp"], row["recipe"]].append(row)
    lines = ["| recipe | bpp | pictures | steps | bytes | PSNR | published |", "|---|---|---|---|---|---|---|"]
    for (bpp, recipe), rows in sorted(files.items()):
        steps, size, psnr = (fmean(float(row[name]) for row in rows) for name in ("step", "bytes", "psnr"))
        _, published = PUBLISHED.get((recipe, bpp), ("", ""))
        lines.append(f"| {recipe} | {bpp} | {len(rows)} | {steps:,.0f} | {size:,.0f} | {psnr:.2f} | {published} |")
    return "\n".join(lines)


def draw(path: Path, plot: Path) -> None:
    """A panel for each rate: a line for each recipe and picture, a dashed one for what was published."""
    curves: dict[tuple[str, str, str], list[dict[str, str]]] = defaultdict(list)
    dashed = {(rate, recipe): mean for (recipe, _), (rate, mean) in PUBLISHED.items()}
    for row in rows_of(path):
        rate, _ = PUBLISHED.get((row["recipe"], row["bpp"]), (row["bpp"], 0.0))
        curves[rate, row["recipe"], row["picture"]].append(row)
    rates, recipes, pictures = (list(dict.fromkeys(key[k] for key in curves)) for k in range(3))
    size = 5.5 * len(rates), 5
    figure, panels = pyplot().subplots(1, len(rates), figsize=size, layout="constrained", squeeze=False)
    for axes, bpp in zip(panels[0], rates, strict=True):
        for recipe in recipes:
            colour = f"C{recipes.index(recipe)}"
            for picture in pictures:
                told = curves.get((bpp, recipe, picture))
                if not told:
                    continue
                *fit, file = [(int(row["step"]), float(row["psnr"])) for row in told]
                fit = [point for point in fit if point[0]]  # a logarithm has no step 0
                style = "-" if picture == pictures[0] else ":"
                axes.plot(*zip(*fit, strict=True), color=colour, linestyle=style, label=f"{recipe}, {picture}")
                axes.plot(*file, "o", color=colour)
            if (bpp, recipe) in dashed:
                axes.axhline(dashed[bpp, recipe], color=colour, linestyle="--", linewidth=1)
        axes.set_xscale("log")
        dress(axes, f"{bpp} bpp; dashed: published means; dots: the files", "steps", "PSNR, dB")
    save(figure, plot)


if __name__ == "__main__":
    main()
