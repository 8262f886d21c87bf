"""Architecture of a modulated SIREN from the picture and the budget."""

from __future__ import annotations

from inrcodec.format.container import Header
from inrcodec.format.stream import overhead
from inrcodec.net.grid import GridArch

_SMALLEST_SIDE = 8
"""The coarsest grid has about this many latents along the shorter side."""

_MAX_COARSEST = 8

_FINE_BPP = 0.12
"""Below this rate the grid with a latent for every pixel does not pay: nearly all of it would be zero."""

_NETWORKS = (
    (12, 6, (16, 16), (32, 32)),
    (12, 6, (12, 12), (24, 24)),
    (10, 5, (12,), (16, 16)),
    (8, 3, (8,), (16,)),
    (6, 1, (), (8,)),
)
"""Neighbours, parents, hidden widths of the context model and of the synthesiser, from the largest."""

_BITS_PER_WEIGHT = 3.3
"""What a weight takes, typically."""

_SHARE = 0.15
"""Part of a file that the networks may take."""


def auto_grid(header: Header, cap: int) -> GridArch:
    """A modulated SIREN for a picture and a cap in bytes, the smallest there is for a cap below all files."""
    side, coarsest = min(header.width, header.height), 0
    while coarsest < _MAX_COARSEST and side >> (coarsest + 1) >= _SMALLEST_SIDE:
        coarsest += 1
    fine = 8 * cap >= _FINE_BPP * header.pixels or coarsest == 0
    for neighbours, parents, context, hidden in _NETWORKS:
        arch = GridArch(0 if fine else 1, coarsest, neighbours, parents, context, hidden, outputs=header.channels)
        if _BITS_PER_WEIGHT * arch.params <= _SHARE * 8 * cap:
            break
    return arch


def smallest_grid(header: Header, arch: GridArch) -> int:
    """Bytes of a file of which everything is zero."""
    return overhead(header, arch, 0)
