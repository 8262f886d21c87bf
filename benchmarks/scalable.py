"""What a scalable file loses: its cuts against files made for these sizes alone.

    python -m benchmarks.scalable --images 5,15,20,23 --bpp 0.6 --cuts 0.1,0.3,0.6 --out benchmarks/results/scalable.tsv

A picture is coded once with ``--scalable`` and cut by ``truncate``, and once more for every size. A table that is there
is gone on with: what it has of a picture is not measured again.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Sequence
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
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    given = list(sys.argv[1:] if arguments is None else arguments)
    paths = resolve([options.pictures])
    if options.images:
        paths = [paths[int(number) - 1] for number in options.images.split(",")]
    rows = read(options.out) if options.out.exists() else []
    for path in paths:
        known = {row["bpp"] for row in rows if row["picture"] == path.stem}
        cuts = [cut for cut in options.cuts.split(",") if cut not in known]
        if cuts:
            rows += measure(path, options.bpp, cuts, options.effort)
            write(options.out, shlex.join(published(given)), rows)


def measure(path: Path, bpp: str, cuts: Sequence[str], effort: str) -> list[Row]:
    """The lines of one picture."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        whole, part = f"{folder}/whole.inr", f"{folder}/part.inr"
        run("encode", str(path), "-o", whole, "--bpp", bpp, "--effort", effort, "--scalable")
        for cut in cuts:
            run("truncate", whole, "-o", part, "--bpp", cut, "-f")
            data = Path(part).read_bytes()
            drawn = picture_psnr(load_image(path).pixels, decode_pixels(data).array)
            own = json.loads(run("encode", str(path), "-o", part, "--bpp", cut, "--effort", effort, "-f", "--json"))
            found = (f"{drawn:.4f}", str(own["bytes"]), f"{own['psnr']:.4f}", f"{own['psnr'] - drawn:.4f}")
            rows.append(dict(zip(COLUMNS, (path.stem, cut, str(len(data)), *found), strict=True)))
            print(*rows[-1].values(), sep="\t", flush=True)
    return rows


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
