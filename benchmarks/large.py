"""Time and memory of large pictures, and the error at the seams of their tiles.

    python -m benchmarks.large --sizes 0.1,1,4,12,24,50 --effort 2 --out benchmarks/results/large.tsv

Pictures are the Kodak set side by side, mirrored where it runs out, and coded and decoded by the commands, each in a
process of its own. One line for each size:

- ``encode_mb``, ``decode_mb``: the largest resident memory of these processes, in MiB;
- ``seams``: mean squared error within 4 pixels of a seam, over that of pixels 8 to 40 away from one; tiles are of the
  fit, the file has none. Seams where photographs meet within these 40 pixels do not count, as there is more to draw
  on one side of them than on the other. ``nan`` for a picture that was fitted whole.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# No numpy up here: a new process's peak of memory begins at that of the process it came from.
from benchmarks.engine import ROOT, child

SIZES = "0.1,1,4,12,24,50"
NEAR = 4
"""Pixels to either side of a seam that are near it."""

BESIDE = 8, 40
"""From and to how many pixels away from a seam others are compared with: of the same picture content, by and large."""

OFFSET = 131
"""Pixels of the first photographs that are cut off above and to the left, so that few seams are where they meet."""

Row = dict[str, str]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=SIZES, metavar="MP,...", help=f"megapixels (default: {SIZES})")
    parser.add_argument("--bpp", type=float, default=0.3)
    parser.add_argument("--effort", type=int, default=2)
    parser.add_argument("--tile", default="auto", help="as encode takes it (default: auto)")
    parser.add_argument("--pictures", help="a folder (default: the Kodak set, found or downloaded)")
    parser.add_argument("--out", type=Path, help="a table with a head that says how it was made")
    options = parser.parse_args(arguments)
    given = list(sys.argv[1:] if arguments is None else arguments)
    head = [shlex.join(["python", "-m", "benchmarks.large", *given]), *child("large.versions")]
    measure(0.01, options)  # not counted: kernels are compiled at a machine's first encode
    rows: list[Row] = []
    for size in options.sizes.split(","):
        rows.append(measure(float(size), options))
        print("\t".join(rows[-1].values()), flush=True)
        if options.out:  # after every line: those of the largest take long
            lines = [*(f"# {line}" for line in head), "\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
            options.out.write_text("\n".join(lines) + "\n")


def measure(megapixels: float, options: argparse.Namespace) -> Row:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        source, coded, drawn = (f"{folder}/{name}" for name in ("picture.png", "picture.inr", "drawn.png"))
        joints = child("large.paste", megapixels=megapixels, pictures=options.pictures, out=source)
        wish = ["--bpp", f"{options.bpp:g}", "--effort", str(options.effort), "--tile", options.tile, "--json"]
        encoded = run(["encode", source, "-o", coded, *wish, "-q"])
        decoded = run(["decode", coded, "-o", drawn, "-q"])
        report = json.loads(encoded["out"])
        found = child("large.seams", source=source, drawn=drawn, tile=options.tile, joints=joints)
    return {
        "megapixels": f"{megapixels:g}",
        "width": str(found["width"]),
        "height": str(found["height"]),
        "tiles": str(found["tiles"]),
        "effort": str(options.effort),
        "bytes": str(report["bytes"]),
        "use": f"{report['use']:.4f}",
        "psnr": "inf" if report["psnr"] is None else f"{report['psnr']:.2f}",
        "seams": f"{found['seams']:.3f}",
        "encode_s": f"{encoded['seconds']:.1f}",
        "encode_mb": f"{encoded['mb']:.0f}",
        "decode_s": f"{decoded['seconds']:.1f}",
        "decode_mb": f"{decoded['mb']:.0f}",
    }


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """A command of ours: what it printed, how long it took and how much memory.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "inrcodec", *arguments]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {"out": out, "seconds": time.monotonic() - begun, "mb": _mebibytes(usage)}


def _mebibytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def versions() -> list[str]:
    """What the figures depend on."""
    from inrcodec.bench.head import head_of

    head = head_of([], [], [], 0)
    return [f"{name}: {head[name]}" for name in ("commit", "date", "versions", "machine")]


def paste(megapixels: float, pictures: str | None, out: str) -> list[list[int]]:
    """Write a picture of so many megapixels, four by three, of photographs side by side.

    Returns:
        The rows and the columns at which photographs meet.
    """
    import numpy as np
    from PIL import Image

    from inrcodec.bench.datasets import resolve
    from inrcodec.image.load import load_image

    width = round(math.sqrt(megapixels * 4e6 / 3))
    height = round(megapixels * 1e6 / width)
    paths = resolve([pictures or "kodak"])
    canvas = np.empty((height, width, 3), np.uint8)
    joints: tuple[set[int], set[int]] = set(), set()
    top, number = -OFFSET, 0
    while top < height:
        left, deep = -OFFSET, 0
        while left < width:
            turn, k = divmod(number, len(paths))
            photo = load_image(paths[k]).pixels.array
            photo = np.rot90(photo) if photo.shape[0] > photo.shape[1] else photo
            photo = np.broadcast_to(photo, (*photo.shape[:2], 3))[:: (1, -1)[turn // 2 % 2], :: (1, -1)[turn % 2]]
            part = photo[max(0, -top) : height - top, max(0, -left) : width - left]
            canvas[max(0, top) :, max(0, left) :][: part.shape[0], : part.shape[1]] = part
            left, deep, number = left + photo.shape[1], max(deep, photo.shape[0]), number + 1
            joints[1].add(left)
        top += deep
        joints[0].add(top)
    Image.fromarray(canvas).save(out)
    return [sorted(meet) for meet in joints]


def seams(source: str, drawn: str, tile: str, joints: Sequence[Sequence[int]] = ((), ())) -> dict[str, Any]:
    """Size of a picture, its tiles, and the error at their seams as a multiple of that beside them.

    Args:
        source: the picture.
        drawn: what came of it.
        tile: as encode takes it.
        joints: rows and columns next to which seams do not count.
    """
    import numpy as np

    from inrcodec.cli.values import tile as side_of
    from inrcodec.encoder import EncodeOptions, tile_side
    from inrcodec.fit.grid.tiles import COARSEST, tiling
    from inrcodec.image.load import load_image

    one, other = (load_image(path).pixels.array for path in (source, drawn))
    height, width = one.shape[:2]
    side = tile_side(EncodeOptions(tile=side_of(tile)), height * width)
    tiles = tiling(width, height, side, 1 << COARSEST) if side else ()
    starts = {part.core.top for part in tiles}, {part.core.left for part in tiles}
    edges = [
        [edge for edge in own - {0} if all(abs(edge - joint) > BESIDE[1] for joint in meet)]
        for own, meet in zip(starts, joints, strict=True)
    ]
    away = [
        np.min([np.abs(np.arange(length) + 0.5 - edge) for edge in own] or [np.full(length, np.inf)], 0)
        for length, own in zip((height, width), edges, strict=True)
    ]
    sums, counts = [0.0, 0.0], [0, 0]
    for y in range(height):
        error = ((one[y].astype(np.int32) - other[y]) ** 2).sum(-1)
        from_seam = np.minimum(away[1], away[0][y])
        for k, flags in enumerate((from_seam < NEAR, (from_seam >= BESIDE[0]) & (from_seam < BESIDE[1]))):
            sums[k] += float(error[flags].sum())
            counts[k] += int(flags.sum())
    ratio = sums[0] / counts[0] / (sums[1] / counts[1]) if counts[0] and sums[1] else math.nan
    return {"width": width, "height": height, "tiles": len(tiles) or 1, "seams": ratio}


if __name__ == "__main__":
    main()
