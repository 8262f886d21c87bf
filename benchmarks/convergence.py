"""PSNR at equal bytes against seconds, for ways to fit: one encode a point, into a TSV that can be resumed, and a plot.

    python -m benchmarks.convergence data/kodak/kodim{05,15,20,23}.png --out benchmarks/results/convergence.tsv \
        --plot docs/convergence.png

A configuration is a name and settings, ``soap:optimizer=soap``; every one is run for several numbers of steps, and each
point is a whole encode: fit, quantisation, landing under the cap, the PSNR of the decoded file. One thread, so CPU
seconds are what the work costs whatever else the machine is doing. ``engine=torch`` picks plain torch.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import fmean

from benchmarks import resumable
from benchmarks.figure import dress, pyplot, save
from benchmarks.summary import rows as rows_of
from inrcodec.encoder import EncodeOptions, Target, encode_pixels
from inrcodec.image import load_image

COLUMNS = ("configuration", "picture", "target_bpp", "steps", "bytes", "psnr", "cpu_seconds", "seconds")

CONFIGURATIONS = (
    "muon",
    "muon, torch:engine=torch",
    "muon, 0.7 of the rate:lr=7e-4",
    "muon, 1.5 times the rate:lr=1.5e-3",
    "soap:optimizer=soap,lr=7e-4,betas=0.95;0.95",
    "adam:optimizer=adam,lr=5e-4,betas=0.9;0.99",
    "adam, twice the rate:optimizer=adam,lr=1e-3,betas=0.9;0.99",
    "muon, 2048 pixels:batch=2048,times=3",
    "muon, 32768 pixels:batch=32768,times=0.3",
    "muon, 4 seeds raced:candidates=4,race=100,times=0.9",
)
"""Settings of a fit after the colon; ``times`` multiplies the numbers of steps, so that the times are alike."""


def main() -> None:
    """Measure what the command line names, print the table, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--bpp", type=float, default=0.15)
    parser.add_argument("--steps", default="500,1500")
    parser.add_argument("--configurations", nargs="*", default=CONFIGURATIONS)
    parser.add_argument("--out", type=Path, required=True, help="rows it already holds are not measured again")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    resumable.start(options.out, "convergence", sys.argv[1:], COLUMNS)
    done = {(row["configuration"], row["picture"], row["steps"]) for row in rows_of(options.out)}
    for steps in map(int, options.steps.split(",")):
        for picture in options.pictures:
            for configuration in options.configurations:
                name, settings, taken = _parse(configuration, steps)
                if (name, picture.stem, str(taken)) in done:
                    continue
                row = _encode(picture, options.bpp, taken, settings)
                with options.out.open("a") as out:
                    out.write(f"{name}\t{picture.stem}\t{options.bpp:g}\t{row}\n")
                print(name, picture.stem, row, file=sys.stderr, flush=True)
    print(markdown(options.out))
    if options.plot:
        draw(options.out, options.plot)


def _parse(configuration: str, steps: int) -> tuple[str, dict[str, str], int]:
    """Name, settings and steps of a configuration."""
    name, _, text = configuration.partition(":")
    settings = dict(pair.split("=") for pair in text.split(",") if pair)
    settings = {key: value.replace(";", ",") for key, value in settings.items()}
    return name, settings, round(steps * float(settings.pop("times", "1")))


def _encode(picture: Path, bpp: float, steps: int, settings: dict[str, str]) -> str:
    """One encode, as the last columns of the table."""
    settings = dict(settings)
    engine = settings.pop("engine", "auto")
    overrides = (("steps", str(steps)), *settings.items())
    pixels = load_image(picture).pixels
    clock, cpu = time.monotonic(), time.process_time()
    options = EncodeOptions(threads=1, engine=engine, overrides=overrides)
    report = encode_pixels(pixels, Target("bpp", bpp), options).report
    seconds = time.monotonic() - clock
    return f"{steps}\t{report.bytes}\t{report.psnr:.3f}\t{time.process_time() - cpu:.1f}\t{seconds:.1f}"


def curves(path: Path) -> dict[str, list[tuple[float, float, float, int]]]:
    """CPU seconds, PSNR, bytes and pictures, means over the pictures, for each configuration by rising steps."""
    groups: dict[str, dict[int, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows_of(path):
        groups[row["configuration"]][int(row["steps"])].append(row)
    return {
        name: [
            (_mean(rows, "cpu_seconds"), _mean(rows, "psnr"), _mean(rows, "bytes"), len(rows))
            for _, rows in sorted(points.items())
        ]
        for name, points in groups.items()
    }


def _mean(rows: list[dict[str, str]], column: str) -> float:
    return fmean(float(row[column]) for row in rows)


def markdown(path: Path) -> str:
    """The means as a Markdown table."""
    lines = ["| configuration | pictures | CPU seconds | bytes | PSNR, dB |", "|---|---|---|---|---|"]
    for name, points in curves(path).items():
        lines += [
            f"| {name} | {count} | {seconds:.1f} | {size:.0f} | {psnr:.2f} |" for seconds, psnr, size, count in points
        ]
    return "\n".join(lines)


def draw(path: Path, plot: Path) -> None:
    """PSNR against CPU seconds, a line for each configuration that covers as many pictures as any."""
    figure, axes = pyplot().subplots(figsize=(9, 5.5), layout="constrained")
    every = curves(path)
    full = max(points[0][3] for points in every.values())
    for name, points in every.items():
        complete = [point for point in points if point[3] == full]
        if not complete:
            continue
        seconds, psnr = [point[0] for point in complete], [point[1] for point in complete]
        axes.plot(seconds, psnr, marker="o", linewidth=2.5 if name == "muon" else 1.2, label=name)
    axes.set_xscale("log")
    axes.set_xticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    axes.minorticks_off()
    title = f"Ways to fit at equal bytes, mean of {full} Kodak pictures"
    dress(axes, title, "CPU seconds of the whole encode, one thread", "PSNR of the decoded file, dB")
    save(figure, plot)


if __name__ == "__main__":
    main()
