"""Means of a results file as a Markdown table: PSNR of every codec at every target, mean over the pictures.

python -m benchmarks.summary benchmarks/results/kodak4_effort5.tsv
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path
from statistics import fmean, median


def main() -> None:
    """Print the table of a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    print(markdown(parser.parse_args().results))


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a results file by column name."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


def markdown(path: Path) -> str:
    """One line a target and codec.

    A codec that exceeds a target on some picture (the smallest JPEG may be larger) is marked with how many did.
    """
    groups: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in rows(path):
        groups[row["target_bpp"], row["codec"]].append(row)
    lines = [
        "| target bpp | codec | pictures | PSNR, dB | of the cap | encode, s (median) | decode, s (median) |",
        "|---|---|---|---|---|---|---|",
    ]
    for (target, codec), members in sorted(groups.items(), key=lambda item: (float(item[0][0]), item[0][1])):
        over = sum(float(row["use"]) > 1 for row in members)
        mark = f" ({over} over the cap)" if over else ""
        use = [100 * float(row["use"]) for row in members]
        psnr = fmean(float(row["psnr"]) for row in members)
        seconds = [median(float(row[name]) for row in members) for name in ("seconds", "decode_seconds")]
        lines.append(
            f"| {float(target):g} | {codec} | {len(members)}{mark} | {psnr:.2f} | {min(use):.1f} to {max(use):.1f} % "
            f"| {seconds[0]:.1f} | {seconds[1]:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
