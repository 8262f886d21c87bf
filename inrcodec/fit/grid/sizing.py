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

_LEAN = 0.125
"""Bits a pixel below which the finest grid does not pay.

Priors say smooth areas in it, where next to nothing a latent is a third of a small file.
"""


_MAX_FINEST = 3


def lean(pixels: int, cap: int | None) -> bool:
    """Whether a file of ``cap`` bytes is better off without the finest grid; not if its size is unknown."""
    return cap is not None and 8 * cap < _LEAN * pixels


def auto_grid(header: Header, cap: int | None = None, refinements: int = 0, deepest: int = MAX_COARSEST) -> GridArch:
    """A modulated SIREN for a picture: that of the priors, with grids up to where there is next to nothing left.

    Small files go without the finest grid, and very small ones of large pictures without the finest few, of which they
    could say next to nothing: a decoder would have to go through all of their latents, and by default accepts only so
    much work of so few bytes.

    Args:
        header: of the picture.
        cap: bytes of the file, if that is known.
        refinements: layers above the base of a scalable file.
        deepest: octave of the coarsest grid at most.
    """
    side, coarsest = min(header.width, header.height), 0
    while coarsest < deepest and side >> (coarsest + 1) >= _SMALLEST_SIDE:
        coarsest += 1
    finest = int(coarsest > 1 and lean(header.pixels, cap))
    arch = replace(PRIOR_ARCH, finest=finest, coarsest=coarsest, outputs=header.channels, filtered=True)
    while cap is not None and arch.finest < min(coarsest, _MAX_FINEST):
        layered = LayeredArch.over(arch, refinements) if refinements else arch
        if decodable(header, layered, cap):
            break
        arch = replace(arch, finest=arch.finest + 1)
    return arch


def smallest_grid(header: Header, arch: GridArch) -> int:
    """Bytes of a file of which everything is zero."""
    return overhead(header, arch, 0)
