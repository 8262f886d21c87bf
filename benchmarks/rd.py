"""Rate and distortion through the command line, into a TSV: every file is written, decoded and measured.

    python -m benchmarks.rd data/kodak/kodim05.png data/kodak/kodim15.png --bpp 0.15,0.3 --effort 1 --out rd.tsv

Each line is one encode in a process of its own, measured on the file's bytes and on the pixels that a second process
decoded. JPEG is the strongest one Pillow writes, at no more than the bytes asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import command
from benchmarks.demo import photograph
from benchmarks.jpeg import largest_within
from inrcodec.image import load_image
from inrcodec.metrics import psnr


@dataclass(frozen=True)
class Measured:
    """One line of the results; `seconds` are the encode's, `use` is the share of the cap that the file fills.

    ``psnr`` is of the pixels the second process decoded, ``reported`` is what the encoder said.
    """

    picture: str
    codec: str
    target_bpp: float
    bytes: int
    bpp: float
    use: float
    psnr: float
    reported: float
    seconds: float
    decode_seconds: float
    network: str
    weights: int
    kept: int
    steps: int


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path, help="default: data/kodak where it exists, else the demo's")
    parser.add_argument("--bpp", default="0.15,0.3")
    parser.add_argument("--effort", default="1")
    parser.add_argument("--codecs", default="l0,coin,jpeg", help="methods of inrcodec, and jpeg")
    parser.add_argument("--extra", default="", help="further options for inrcodec encode, in one string")
    parser.add_argument("--workers", type=int, default=1, help="encodes at a time, each with the cores divided by this")
    parser.add_argument("--out", type=Path, required=True, help="rows it already holds are not measured again")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    done = finished(options.out)
    with tempfile.TemporaryDirectory() as scratch:
        pictures = options.pictures or default_pictures(Path(scratch))
        jobs = [
            (picture, codec, float(bpp))
            for picture in pictures
            for bpp in options.bpp.split(",")
            for codec in options.codecs.split(",")
        ]
        missing = [job for job in jobs if (job[0].stem, job[1], f"{job[2]:.4f}") not in done]
        with options.out.open("a") as out, ThreadPoolExecutor(options.workers) as pool:
            if not done:
                out.write(f"# {PROGRAM} {shlex.join(published(sys.argv[1:]))}\n")
                out.write("\t".join(field.name for field in fields(Measured)) + "\n")
            lines = (
                pool.map(partial(measure, options=options, scratch=Path(scratch)), *zip(*missing, strict=True))
                if missing
                else ()
            )
            for line in lines:
                text = "\t".join(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in astuple(line))
                out.write(text + "\n")
                out.flush()
                print(text, flush=True)


PROGRAM = "python -m benchmarks.rd"


def published(words: list[str]) -> list[str]:
    """The command line as anybody could type it: pictures named under data/, wherever they lay here."""
    return [f"data/kodak/{Path(word).name}" if word.endswith(".png") else word for word in words]


def finished(path: Path) -> set[tuple[str, str, str]]:
    """Picture, codec and target of the rows a results file holds already."""
    if not path.exists():
        return set()
    rows = (line.split("\t") for line in path.read_text().splitlines() if "\t" in line)
    return {(row[0], row[1], row[2]) for row in rows if row[0] != "picture"}


def default_pictures(scratch: Path) -> list[Path]:
    """The Kodak pictures where someone put them, else the demo's photograph."""
    root = Path(__file__).parents[1]
    for folder in (root / "data" / "kodak", root.parent / "shared" / "data" / "kodak"):
        if found := sorted(folder.glob("*.png")):
            return found
    path = scratch / "grace_hopper.png"
    photograph().save(path)
    return [path]


def measure(picture: Path, codec: str, bpp: float, options: argparse.Namespace, scratch: Path) -> Measured:
    """One codec at one target on one picture."""
    if codec == "jpeg":
        return jpeg(picture, bpp)
    threads = max(1, (os.cpu_count() or 1) // options.workers)
    extra = ["--effort", options.effort, "-j", str(threads), *shlex.split(options.extra)]
    return ours(picture, codec, bpp, extra, scratch / f"{picture.stem}-{codec}-{bpp}")


def ours(picture: Path, method: str, bpp: float, extra: list[str], scratch: Path) -> Measured:
    """One encode and one decode of ours, each a process of its own; files are named after ``scratch``."""
    coded, decoded = scratch.with_name(scratch.name + ".inr"), scratch.with_name(scratch.name + ".png")
    words = ["encode", str(picture), "-o", str(coded), "-f", "--json", "-b", str(bpp), "--method", method, *extra]
    start = time.monotonic()
    report = json.loads(command.run(*words))
    middle = time.monotonic()
    command.run("decode", str(coded), "-o", str(decoded), "-f")
    end = time.monotonic()
    original, drawn = load_image(picture).pixels, load_image(decoded).pixels
    size = coded.stat().st_size
    cap = bpp * original.count / 8
    return Measured(
        picture.stem, method, bpp, size, 8 * size / original.count, size / cap, psnr(original.array, drawn.array),
        report["psnr"], middle - start, end - middle, report["arch"], report["params"], report["kept"], report["steps"],
    )  # fmt: skip


def jpeg(picture: Path, bpp: float) -> Measured:
    """The best JPEG within the same bytes; `use` over 1 says that none is that small."""
    with Image.open(picture) as image:
        original = image.convert("RGB")
    pixels = original.width * original.height
    cap = int(bpp * pixels / 8)
    start = time.monotonic()
    best = largest_within(original, cap)
    middle = time.monotonic()
    drawn = np.asarray(best.image.convert("RGB"))
    size = len(best.data)
    return Measured(
        picture.stem, "jpeg", bpp, size, 8 * size / pixels, size / cap, psnr(np.asarray(original), drawn),
        psnr(np.asarray(original), drawn),
        middle - start, time.monotonic() - middle, f"quality {best.quality}", 0, 0, 0,
    )  # fmt: skip


if __name__ == "__main__":
    main()
