"""Architecture from the budget: how many weights, in how many layers."""

from __future__ import annotations

import math
from dataclasses import replace

from inrcodec.errors import TargetError
from inrcodec.format.container import Header
from inrcodec.format.stream import overhead
from inrcodec.net.arch import Arch

BITS_PER_WEIGHT = 5.9
"""Payload bits a weight. The optimum is flat: kodim15 at 0.22 bpp, 5 layers of 56, 60, 64, 72 (6.5, 5.7, 5.4, 4.7 bits)
after 5,000 steps of Adam came to 28.8, 28.7, 28.65, 28.1 dB; longer fits favour more weights."""

MAX_AUTO_DEPTH = 7
"""Deeper is better per weight up to here, as long as layers stay wider than they are many."""

SMALLEST = (1,)
"""Hidden widths of the smallest network of a kind there is."""


def payload_budget(header: Header, arch: Arch, cap: int, *, halves: bool = False) -> int:
    """Bits left for weights in a file of ``cap`` bytes; may be negative."""
    return 8 * (cap - overhead(header, arch, cap, halves=halves))


def dense_file(header: Header, arch: Arch) -> int:
    """Bytes of the file of a network with 16-bit weights."""
    payload = 2 * arch.params
    return overhead(header, arch, payload, halves=True) + payload


def check_dense(header: Header, arch: Arch, cap: int) -> None:
    """Refuse a network whose 16-bit weights are more than a cap: one that was asked for by its layers.

    Raises:
        TargetError: they are; it says what would do.
    """
    size = dense_file(header, arch)
    if size > cap:
        bpp = math.ceil(800 * size / header.pixels) / 100
        raise TargetError(
            f"16-bit weights of a {arch} network take {size:,} bytes, more than {cap:,}; ask for {bpp:g} bpp, or for "
            "other --layers",
            smallest_bytes=size,
        )


def smallest_file(header: Header, kind: Arch | None = None) -> int:
    """Bytes of the smallest file there is for a picture: one hidden neuron, every weight zero.

    Args:
        header: of the picture.
        kind: activation, encoding and frequencies, its layers do not matter; a SIREN if left out.
    """
    return overhead(header, replace(kind or Arch(SMALLEST), hidden=SMALLEST, outputs=header.channels), 0)


def auto_sparse(header: Header, cap: int, kind: Arch | None = None) -> Arch:
    """A network whose quantised weights fill ``cap`` bytes.

    Args:
        header: of the picture.
        cap: bytes of the whole file.
        kind: as of :func:`smallest_file`.

    Raises:
        TargetError: not even the smallest network fits.
    """
    best = replace(kind or Arch(SMALLEST), hidden=SMALLEST, outputs=header.channels)
    if cap < (smallest := smallest_file(header, best)):
        raise TargetError(
            f"{cap} bytes cannot hold a file of this picture; the smallest is {smallest} bytes",
            smallest_bytes=smallest,
        )
    for depth in range(1, MAX_AUTO_DEPTH + 1):
        for width in range(1, 513):
            arch = replace(best, hidden=(width,) * depth)
            if payload_budget(header, arch, cap) < BITS_PER_WEIGHT * arch.params:
                break
            if depth == 1 or width >= 6 + 2 * depth:
                best = arch
    return best


def auto_dense(header: Header, cap: int, kind: Arch | None = None) -> Arch:
    """The largest network whose 16-bit weights fit ``cap`` bytes, in COIN's shapes (5 layers, 10 from 5,000 on).

    The hidden widths are as equal as filling the cap allows.

    Args:
        header: of the picture.
        cap: bytes of the whole file.
        kind: as of :func:`smallest_file`.

    Raises:
        TargetError: not even the smallest network fits.
    """
    least = replace(kind or Arch(SMALLEST), hidden=SMALLEST, outputs=header.channels)

    def fits(hidden: tuple[int, ...]) -> bool:
        arch = replace(least, hidden=hidden)
        return 16 * arch.params <= payload_budget(header, arch, cap, halves=True)

    if not fits(SMALLEST):
        smallest = dense_file(header, least)
        raise TargetError(
            f"{cap} bytes cannot hold 16-bit weights; the smallest such file is {smallest} bytes",
            smallest_bytes=smallest,
        )
    depth = 10 if payload_budget(header, least, cap, halves=True) > 16 * 5000 else 5
    while not fits((1,) * depth):
        depth -= 1
    width = max(w for w in range(1, 513) if fits((w,) * depth))
    hidden = [width] * depth
    for k in range(depth):  # first make layers one wider, then the last one as wide as still fits
        if fits((*hidden[:k], width + 1, *hidden[k + 1 :])):
            hidden[k] += 1
    while fits((*hidden[:-1], hidden[-1] + 1)):
        hidden[-1] += 1
    return replace(least, hidden=tuple(hidden))
