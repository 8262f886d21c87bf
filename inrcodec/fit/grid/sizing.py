"""Architecture of a modulated SIREN from the picture."""

from __future__ import annotations

from dataclasses import replace

from inrcodec.format.container import Header
from inrcodec.format.stream import overhead
from inrcodec.net.grid import GridArch
from inrcodec.net.prior import PRIOR_ARCH

_SMALLEST_SIDE = 8
"""The coarsest grid has about this many latents along the shorter side."""

_MAX_COARSEST = 8


def auto_grid(header: Header) -> GridArch:
    """A modulated SIREN for a picture: that of the priors, with grids up to where there is next to nothing left."""
    side, coarsest = min(header.width, header.height), 0
    while coarsest < _MAX_COARSEST and side >> (coarsest + 1) >= _SMALLEST_SIDE:
        coarsest += 1
    return replace(PRIOR_ARCH, coarsest=coarsest, outputs=header.channels)


def smallest_grid(header: Header, arch: GridArch) -> int:
    """Bytes of a file of which everything is zero."""
    return overhead(header, arch, 0)
