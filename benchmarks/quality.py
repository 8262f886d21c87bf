"""Is the file of a quality target the smallest there is? Compare it with fits to sizes around its own.

    python -m benchmarks.quality data/kodak/kodim15.png --psnr 26 --effort 5 --out quality.tsv

The first line is the file of ``--psnr``; the others are files of ``--size``, at 0.91 to 1.03 of its bytes. It is good
if none of those much smaller than it reaches the goal.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

from benchmarks import command
from benchmarks.rd import published

SHARES = (0.91, 0.94, 0.97, 1.0, 1.03)


def main() -> None:
    """Measure one picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--psnr", type=float, default=26.0)
    parser.add_argument("--effort", default="5")
    parser.add_argument("--extra", default="", help="further options for inrcodec encode, in one string")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    extra = ["--effort", options.effort, *shlex.split(options.extra)]
    with options.out.open("w") as out:
        given = shlex.join(published(sys.argv[1:]))
        out.write(f"# python -m benchmarks.quality {given}\npicture\ttarget\tbytes\tpsnr\treaches\tseconds\n")
        size = line(out, options.picture, ["--psnr", str(options.psnr)], extra, options.psnr)
        for share in SHARES:
            line(out, options.picture, ["--size", str(round(share * size))], extra, options.psnr)


def line(out: TextIO, picture: Path, target: list[str], extra: list[str], goal: float) -> int:
    """One encode, one line; returns the bytes."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        words = ["encode", str(picture), "-o", str(Path(folder) / "a.inr"), "--json", *target, *extra]
        report = json.loads(command.run(*words))
    reaches = "yes" if report["psnr"] >= goal else "no"
    text = f"{picture.stem}\t{' '.join(target)}\t{report['bytes']}\t{report['psnr']:.4f}\t{reaches}"
    print(f"{text}\t{time.monotonic() - start:.1f}", file=out, flush=True)
    print(text, flush=True)
    return int(report["bytes"])


if __name__ == "__main__":
    main()
