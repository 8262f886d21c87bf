"""One job of the bench: a codec on a picture, its file written, decoded and measured."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inrcodec.bench.codec import Codec, Coded, Picture, codec
from inrcodec.bench.row import SWEEP, TARGET, Row
from inrcodec.encoder import Progress, Target
from inrcodec.image import load_image
from inrcodec.metrics import ms_ssim, psnr

if TYPE_CHECKING:
    from inrcodec.pixels import Pixels

Observer = Callable[[Progress], None]


@dataclass(frozen=True)
class _Head:
    """What a row says before anything is measured."""

    picture: str
    codec: str
    target_bpp: float
    versions: str

    def failed(self, error: str, size: tuple[int, int] = (0, 0)) -> Row:
        """The row of a job without a result."""
        kind = SWEEP if math.isnan(self.target_bpp) else TARGET
        width, height = size
        return Row(
            picture=self.picture, width=width, height=height, codec=self.codec, kind=kind, target_bpp=self.target_bpp,
            setting="", bytes=0, bpp=math.nan, use=math.nan, psnr=math.nan, ms_ssim=math.nan, encode_seconds=math.nan,
            decode_seconds=math.nan, peak_mb=math.nan, seed=-1, versions=self.versions, error=error,
        )  # fmt: skip


def measure(
    spec: str,
    picture: Path,
    target_bpp: float | None,
    *,
    effort: int = 5,
    threads: int = 1,
    observer: Observer | None = None,
    keep: Path | None = None,
) -> list[Row]:
    """Encode, decode and measure, in this process.

    Args:
        spec: the codec, as :func:`inrcodec.bench.codec.codec` takes it.
        picture: file of the picture; it is measured with 8 bits a sample, in RGB.
        target_bpp: cap on the file; a sweep over the codec's settings if left out.
        effort: of ours, where the spec has none.
        threads: of ours.
        observer: told about the progress of ours.
        keep: the coded file of a target is written here.

    Returns:
        One row for a target, one for each setting of a sweep; one with an ``error`` where something went wrong.

    Raises:
        ValueError: no such codec or option, or a target that is not a positive number.
    """
    chosen = codec(spec, effort=effort, threads=threads, observer=observer)
    target = None if target_bpp is None else Target("bpp", target_bpp)
    bpp = math.nan if target_bpp is None else target_bpp
    missing = chosen.available()
    if missing:
        return [_Head(picture.stem, chosen.name, bpp, "").failed(missing)]
    head = _Head(picture.stem, chosen.name, bpp, chosen.versions())
    size = (0, 0)
    try:
        pixels = load_image(picture, alpha="drop", depth=8).pixels
        size = (pixels.width, pixels.height)
        return list(_rows(head, chosen, pixels, target, keep))
    except MemoryError:
        return [head.failed("not enough memory", size)]
    except Exception as error:  # noqa: BLE001 - foreign codecs raise anything, and one picture must not cost the run
        text = " ".join(str(error).split())
        return [head.failed(text or type(error).__name__, size)]


def _rows(head: _Head, chosen: Codec, pixels: Pixels, target: Target | None, keep: Path | None) -> Iterator[Row]:
    """A row for every file the codec writes for a target or a sweep."""
    picture: Picture = np.repeat(pixels.array, 3, axis=2) if pixels.channels == 1 else pixels.array
    cap = None if target is None else max(1, target.cap(pixels.count) or 0)
    files = chosen.sweep(picture) if cap is None else _once(chosen, picture, cap)
    while True:
        start = time.perf_counter()
        coded = next(files, None)
        if coded is None:
            return
        middle = time.perf_counter()
        decoded = chosen.decode(coded.data)
        end = time.perf_counter()
        peak = peak_memory()  # before the metrics take theirs
        size = len(coded.data)
        if keep is not None and cap is not None:
            keep.write_bytes(coded.data)
        yield Row(
            picture=head.picture, width=pixels.width, height=pixels.height, codec=head.codec,
            kind=SWEEP if cap is None else TARGET, target_bpp=head.target_bpp, setting=coded.setting, bytes=size,
            bpp=8 * size / pixels.count, use=math.nan if cap is None else size / cap, psnr=psnr(picture, decoded),
            ms_ssim=ms_ssim(picture, decoded), encode_seconds=middle - start, decode_seconds=end - middle,
            peak_mb=peak, seed=coded.seed, versions=head.versions,
        )  # fmt: skip


def _once(chosen: Codec, picture: Picture, cap: int) -> Iterator[Coded]:
    """The one file of a target, made when it is asked for, so that it is timed as those of a sweep are."""
    yield chosen.within(picture, cap)


def peak_memory() -> float:
    """Largest resident memory this process ever had, in MiB; NaN where the system does not say."""
    with contextlib.suppress(OSError):
        # On Linux getrusage begins with the memory of the process that started this one, which may be a large one.
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / (1 << 10)
    try:
        import resource
    except ImportError:  # Windows
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
