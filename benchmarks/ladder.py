"""The effort ladder: seconds, CPU seconds and PSNR of every level at equal bytes, into a TSV that can be resumed.

    python -m benchmarks.ladder data/kodak/kodim{05,15,20,23}.png --bpp 0.3 --out benchmarks/results/ladder_grid.tsv

Every encode is a process of its own. Its CPU seconds hardly depend on what else the machine is doing, the seconds on
the clock do. PSNR is of the decoded file and depends on neither: threads and timing change no bit of a result.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean

from benchmarks import resumable
from benchmarks.summary import rows as rows_of
from inrcodec.fit.effort import EFFORTS

COLUMNS = ("picture", "effort", "target_bpp", "bytes", "use", "psnr", "seconds", "cpu_seconds", "steps", "network")


def main() -> None:
    """Measure what the command line names, then print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--bpp", type=float, default=0.15)
    parser.add_argument("--efforts", default=",".join(map(str, EFFORTS)))
    parser.add_argument("--arch", default="auto", help="as encode takes it (ladder.tsv is of siren)")
    parser.add_argument("--workers", type=int, default=1, help="encodes at a time, each with the cores divided by this")
    parser.add_argument("--out", type=Path, required=True, help="rows it already holds are not measured again")
    options = parser.parse_args()
    resumable.start(options.out, "ladder", sys.argv[1:], COLUMNS)
    done = {(row["picture"], row["effort"]) for row in rows_of(options.out)}
    levels = options.efforts.split(",")
    jobs = [(picture, effort) for effort in levels for picture in options.pictures]
    missing = [(picture, effort) for picture, effort in jobs if (picture.stem, effort) not in done]
    threads = max(1, (os.cpu_count() or 1) // options.workers)
    with ThreadPoolExecutor(options.workers) as pool, options.out.open("a") as out:
        for row in pool.map(lambda job: _encode(job[0], job[1], options.bpp, options.arch, threads), missing):
            out.write(row + "\n")
            out.flush()
            print(row, file=sys.stderr, flush=True)
    _summarise(options.out)


def _encode(picture: Path, effort: str, bpp: float, arch: str, threads: int) -> str:
    """One encode, as a line of the table."""
    with tempfile.TemporaryDirectory() as scratch:
        coded = Path(scratch) / "coded.inr"
        words = ["encode", str(picture), "-o", str(coded), "-b", str(bpp), "-e", effort, "-j", str(threads), "--json"]
        words += ["--arch", arch]
        start = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "inrcodec", "-q", *words], stdout=subprocess.PIPE)
        assert process.stdout is not None
        report = json.loads(process.stdout.read())
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        assert status == 0, f"{picture} at effort {effort} failed"
        cells = (
            picture.stem, effort, f"{bpp:g}", coded.stat().st_size, f"{report['use']:.4f}", f"{report['psnr']:.3f}",
            f"{seconds:.1f}", f"{used.ru_utime + used.ru_stime:.1f}", report["steps"], report["arch"],
        )  # fmt: skip
    return "\t".join(map(str, cells))


def _summarise(path: Path) -> None:
    """Print the means of every level as a Markdown table."""
    levels: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(path):
        levels[row["effort"]].append(row)
    print("| effort | pictures | PSNR, dB | of the cap | seconds | CPU seconds |\n|---|---|---|---|---|---|")
    for effort, rows in sorted(levels.items()):
        names = ("psnr", "use", "seconds", "cpu_seconds")
        psnr, use, seconds, cpu = (fmean(float(row[name]) for row in rows) for name in names)
        print(f"| {effort} | {len(rows)} | {psnr:.2f} | {100 * use:.1f} % | {seconds:.0f} | {cpu:.0f} |")


if __name__ == "__main__":
    main()
