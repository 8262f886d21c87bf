"""What a scalable file loses: its cuts against files made for these sizes alone.

    python -m benchmarks.scalable --images 5,15,20,23 --bpp 0.6 --cuts 0.1,0.3,0.6 --out benchmarks/results/scalable.tsv

A picture is coded once with ``--scalable`` and cut by ``truncate``, and once more for every size. A table that is there
is gone on with: what it has of a picture is not measured again. ``--own`` names an older table to take the files of one
size alone from, where only scalable ones have changed.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.command import run
from benchmarks.rd import published
from benchmarks.summary import rows as rows_of
from inrcodec.bench.datasets import resolve
from inrcodec.decoder import decode_pixels
from inrcodec.image.load import load_image
from inrcodec.metrics import picture_psnr

COLUMNS = ("picture", "bpp", "cut_bytes", "cut_psnr", "own_bytes", "own_psnr", "loss_db")

Row = dict[str, str]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", default="kodak", help="a folder or a set (default: kodak)")
    parser.add_argument("--images", help="which of them, counted from 1, as 5,15 (default: all)")
    parser.add_argument("--bpp", default="0.6", help="of the scalable file (default: 0.6)")
    parser.add_argument("--cuts", default="0.1,0.3,0.6", metavar="BPP,...", help="(default: 0.1,0.3,0.6)")
    parser.add_argument("--effort", default="5")
    parser.add_argument("--own", type=Path, metavar="TSV", help="a table to take files of one size alone from")
    parser.add_argument("--workers", type=int, default=1, help="pictures at a time, a thread each (default: 1)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    given = list(sys.argv[1:] if arguments is None else arguments)
    paths = resolve([options.pictures])
    if options.images:
        paths = [paths[int(number) - 1] for number in options.images.split(",")]
    rows = read(options.out) if options.out.exists() else []
    own = {(row["picture"], row["bpp"]): row for row in (read(options.own) if options.own else [])}
    how = ["--effort", options.effort, *(["--threads", "1"] if options.workers > 1 else [])]

    def missing(path: Path) -> list[Row]:
        known = {row["bpp"] for row in rows if row["picture"] == path.stem}
        cuts = [cut for cut in options.cuts.split(",") if cut not in known]
        return measure(path, cuts, options.bpp, how, own) if cuts else []

    with ThreadPoolExecutor(options.workers) as pool:
        for found in pool.map(missing, paths):
            if found:
                rows += found
                write(options.out, shlex.join(published(given)), rows)


def measure(
    path: Path, cuts: Sequence[str], bpp: str, how: Sequence[str], own: Mapping[tuple[str, str], Row]
) -> list[Row]:
    """The lines of one picture.

    Args:
        path: of it.
        cuts: bits a pixel of each line.
        bpp: of the whole file.
        how: options of every encode.
        own: lines to take files of one size alone from, by picture and size.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        whole, part = f"{folder}/whole.inr", f"{folder}/part.inr"
        run("encode", str(path), "-o", whole, "--bpp", bpp, *how, "--scalable")
        for cut in cuts:
            run("truncate", whole, "-o", part, "--bpp", cut, "-f")
            data = Path(part).read_bytes()
            drawn = picture_psnr(load_image(path).pixels, decode_pixels(data).array)
            alone = own.get((path.stem, cut)) or _alone(path, part, cut, how)
            loss = f"{float(alone['own_psnr']) - drawn:.4f}"
            line = (path.stem, cut, str(len(data)), f"{drawn:.4f}", alone["own_bytes"], alone["own_psnr"], loss)
            rows.append(dict(zip(COLUMNS, line, strict=True)))
            print(*rows[-1].values(), sep="\t", flush=True)
    return rows


def _alone(path: Path, into: str, bpp: str, how: Sequence[str]) -> Row:
    """A file of one size alone."""
    found = json.loads(run("encode", str(path), "-o", into, "--bpp", bpp, *how, "-f", "--json"))
    return {"own_bytes": str(found["bytes"]), "own_psnr": f"{found['psnr']:.4f}"}


def read(path: Path) -> list[Row]:
    """The lines of a table, but for the means that it ends with."""
    return [row for row in rows_of(path) if row["picture"] != "mean"]


def write(path: Path, command: str, rows: Sequence[Row]) -> None:
    """Write a table with a line of means for every size."""
    lines = [f"# python -m benchmarks.scalable {command}", "\t".join(COLUMNS)]
    lines += ["\t".join(row.values()) for row in rows]
    for cut in dict.fromkeys(row["bpp"] for row in rows):
        losses = [float(row["loss_db"]) for row in rows if row["bpp"] == cut]
        lines.append(f"mean\t{cut}\t\t\t\t\t{sum(losses) / len(losses):.4f}")
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
