"""Architecture of a modulated SIREN from the picture."""

from __future__ import annotations

from dataclasses import replace

from inrcodec.fit.decodable import decodable
from inrcodec.format.container import Header
from inrcodec.format.stream import overhead
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.net.prior import PRIOR_ARCH

_SMALLEST_SIDE = 8
"""The coarsest grid has about this many latents along the shorter side."""

MAX_COARSEST = 8
"""Octave of the coarsest grid at most."""

DEAR = 0.0045
"""Price of a bit a pixel, in mean squared error of samples in [0, 1], above which the finest grid does not pay.

Priors say smooth areas in it, where next to nothing a latent is a third of a small file. Without it kodim05 gained
0.26, 0.35 and 0.49 dB in as many steps, of two thirds the time, at prices of 0.042, 0.020 and 0.012 (0.1, 0.15, 0.2
bpp), kodim23 0.34 and 0.15 at 0.0067 and 0.0025; kodim15 and kodim23 lost 0.5 at 0.0017 and 0.0015.
"""

_LEAN = 0.12
"""Bits a pixel below which a bit is that dear in the usual picture."""

_MAX_FINEST = 3

NARROW_WIDTHS = (16, 16)
"""Of the hidden layers of narrow networks, both of them.

At 0.1 bpp, 4,000 steps, kodim23 came to 32.61 dB with them and to 32.32 from a prior, kodim20 to 31.16 either way; a
synthesiser of one layer 0.1 less. At twice the bits a weight they are as good as wide ones, and cheaper (crops).
"""


def lean(pixels: int, cap: int | None) -> bool:
    """Whether a file of ``cap`` bytes would go without the finest grid, of a picture that nobody has looked at."""
    return cap is not None and 8 * cap < _LEAN * pixels


def auto_grid(
    header: Header,
    cap: int | None = None,
    refinements: int = 0,
    deepest: int = MAX_COARSEST,
    *,
    coarse: bool = False,
    narrow: bool = False,
) -> GridArch:
    """A modulated SIREN for a picture: that of the priors, with grids up to where there is next to nothing left.

    Very small files of large pictures go without the finest grids, of which they could say next to nothing: a decoder
    would have to go through all of their latents, and by default accepts only so much work of so few bytes.

    Args:
        header: of the picture.
        cap: bytes of the file, if that is known.
        refinements: layers above the base of a scalable file.
        deepest: octave of the coarsest grid at most.
        coarse: whether the finest grid is left out.
        narrow: whether networks are narrow, which no prior is.
    """
    side, coarsest = min(header.width, header.height), 0
    while coarsest < deepest and side >> (coarsest + 1) >= _SMALLEST_SIDE:
        coarsest += 1
    finest = int(coarse and coarsest > 1)
    arch = replace(PRIOR_ARCH, finest=finest, coarsest=coarsest, outputs=header.channels, filtered=True)
    if narrow:
        arch = replace(arch, context=NARROW_WIDTHS, hidden=NARROW_WIDTHS)
    while cap is not None and arch.finest < min(coarsest, _MAX_FINEST):
        layered = LayeredArch.over(arch, refinements) if refinements else arch
        if decodable(header, layered, cap):
            break
        arch = replace(arch, finest=arch.finest + 1)
    return arch


def latent_budget(header: Header, arch: GridArch, cap: int) -> float:
    """Bits left for latents and weights in a file of ``cap`` bytes; 1 at least."""
    return float(max(1, 8 * (cap - overhead(header, arch, cap))))


def smallest_grid(header: Header, arch: GridArch) -> int:
    """Bytes of a file of which everything is zero."""
    return overhead(header, arch, 0)
