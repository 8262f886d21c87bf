"""What ``make demo`` runs: a photograph at 0.3 bpp, decoded by a second process, beside a JPEG of the same bytes."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image

from benchmarks.jpeg import largest_within
from benchmarks.panels import Panel, side_by_side
from inrcodec.metrics import psnr

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "data" / "demo"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    bytes: int
    pixels: int
    psnr: float
    encode: float
    decode: float

    @property
    def bpp(self) -> float:
        """Bits of the file per pixel."""
        return 8 * self.bytes / self.pixels


def main() -> None:
    """Make everything below data/demo/ and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bpp", type=float, default=0.3)
    parser.add_argument("--effort", type=int, default=5, help="1 is seconds, 9 as good as it gets")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)

    original = photograph()
    original.save(FOLDER / "photo_original.png")
    source, coded_file, decoded = (
        str((FOLDER / name).relative_to(ROOT)) for name in ("photo_original.png", "photo.inr", "photo.png")
    )
    wanted = ("--bpp", str(options.bpp), "--effort", str(options.effort))
    encode_seconds = inrcodec("encode", source, "-o", coded_file, "-f", *wanted)
    decode_seconds = inrcodec("decode", coded_file, "-o", decoded, "-f")
    with Image.open(FOLDER / "photo.png") as picture:
        ours = picture.convert("RGB")

    coded = (FOLDER / "photo.inr").stat().st_size
    start = time.monotonic()
    jpeg = largest_within(original, coded)
    jpeg_seconds = time.monotonic() - start
    start = time.monotonic()
    theirs = jpeg.image.convert("RGB")
    rows = (
        row("inrcodec", coded, original, ours, encode_seconds, decode_seconds),
        row(f"JPEG, quality {jpeg.quality}", len(jpeg.data), original, theirs, jpeg_seconds, time.monotonic() - start),
    )
    remark = "" if jpeg.fits else "the smallest JPEG, larger than ours: "
    side_by_side(
        (
            Panel(original, "original", f"{original.width} x {original.height} pixels"),
            Panel(ours, "inrcodec", describe(rows[0])),
            Panel(theirs, "JPEG", remark + describe(rows[1])),
        )
    ).save(FOLDER / "compare.png")
    print_table(rows)
    if not jpeg.fits:
        print("no JPEG is as small as ours; the smallest one is shown")
    print(f"\nlook at {FOLDER / 'compare.png'}")


def photograph() -> Image.Image:
    """The portrait that matplotlib installs among its sample data (public domain; see data/README.md)."""
    with Image.open(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg") as image:
        return image.convert("RGB")


def inrcodec(*arguments: str) -> float:
    """Run our command in a process of its own; its seconds of wall time."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "inrcodec", *arguments], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return time.monotonic() - start


def row(
    name: str, size: int, original: Image.Image, decoded: Image.Image, encode_seconds: float, decode_seconds: float
) -> Row:
    """Measure a decoded picture against the original."""
    decibels = psnr(np.asarray(original), np.asarray(decoded))
    return Row(name, size, original.width * original.height, decibels, encode_seconds, decode_seconds)


def describe(line: Row) -> str:
    """The figures below a panel's title."""
    return f"{line.bytes:,} bytes, {line.bpp:.3f} bpp, {line.psnr:.2f} dB"


def print_table(rows: tuple[Row, ...]) -> None:
    """Bytes, bpp, PSNR and seconds, on standard output."""
    print(f"\n{'':18}{'bytes':>8}{'bpp':>8}{'PSNR':>11}{'encode':>11}{'decode':>10}")
    for line in rows:
        figures = f"{line.bytes:>8,}{line.bpp:>8.4f}{line.psnr:>8.2f} dB"
        print(f"{line.name:18}{figures}{line.encode:>9.1f} s{line.decode:>8.2f} s")


if __name__ == "__main__":
    main()
