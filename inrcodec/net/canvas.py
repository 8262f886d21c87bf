"""A modulated SIREN drawn at any size.

At the picture's own size the ladder goes down to octave 0, and the 3x3 layers have the last word. A smaller drawing
needs only the grids from the finest octave that still has as many samples as it wants: their stack is what the network
sees, the finer grids count as zero, and nobody has to decode them. Where sizes do not agree exactly, the stack is
interpolated (of octave 0 for larger drawings). The 3x3 layers were fitted to the picture's own pixels and are left out
at any other size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.net.grid import GridArch
from inrcodec.net.synthesis import Synthesiser, residual
from inrcodec.net.upsample import Ladder, reach, resampled

STRIP = 1 << 16
"""Samples drawn at a time, each of which needs a float for every grid."""

STRIP_ROWS = 8
"""Rows drawn at a time at least: a strip looks a few rows beyond its own, and many thin ones would be most of it."""

Float = NDArray[np.float32]
Size = tuple[int, int]
"""Columns and rows."""


def strip_rows(*widths: int) -> int:
    """Rows to draw at a time, where samples of the given widths are kept."""
    return max(STRIP_ROWS, STRIP // max(widths))


def octave_of(arch: GridArch, coded: Size, drawn: Size) -> int:
    """The octave a drawing is made from: the coarsest that has as many columns and rows as are drawn.

    Args:
        arch: the architecture.
        coded: size of the coded picture.
        drawn: size of the whole drawing.
    """
    for octave in range(arch.coarsest, 0, -1):
        enough = all(-(-full >> octave) >= want for full, want in zip(coded, drawn, strict=True))
        if enough and max(coded) > 1 << octave - 1:  # else it is no smaller than the finer one
            return octave
    return 0


class Canvas:
    """A picture to be drawn.

    Args:
        arch: the architecture.
        tensors: its dequantised tensors.
        latents: of the grids as the network sees them, coarsest first; those finer than :func:`octave_of` the drawing
            may be missing.
        coded: size of the coded picture.
        drawn: size of the whole drawing.
        columns: the columns that are wanted.

    Attributes:
        strip: rows to draw at a time, so that memory stays flat.
    """

    def __init__(
        self,
        arch: GridArch,
        tensors: Mapping[str, Float],
        latents: Sequence[NDArray[Any]],
        coded: Size,
        drawn: Size,
        columns: slice,
    ) -> None:
        self._octave = octave = octave_of(arch, coded, drawn)
        self._ladder = Ladder(arch, tensors, latents, *coded)
        self._network = Synthesiser(arch, tensors, self._ladder.channels(octave))
        self._kernels = [tensors[f"R{k}"] for k in range(arch.residuals)] if coded == drawn else []
        self._columns = columns.start, columns.stop
        across, down = (_places(full, want, octave) for full, want in zip(coded, drawn, strict=True))
        self._across = None if across is None else across[columns]
        self._down = down
        self.strip = strip_rows(self._ladder.shape(octave)[1], columns.stop - columns.start)
        self._flat = None if self._ladder.channels(octave) else self._constant()

    def _constant(self) -> Float:
        """What a picture without any latents is everywhere, ``(outputs, 1, 1)``."""
        colour = self._network(np.zeros((0, 1, 1), np.float32))
        for kernel in self._kernels:
            colour = residual(colour, kernel, (True, True), (True, True))
        return colour

    def rows(self, top: int, bottom: int) -> Float:
        """Samples ``(outputs, bottom - top, columns)`` of some rows, nominally in [0, 1], not clipped."""
        left, right = self._columns
        if self._flat is not None:
            return np.broadcast_to(self._flat, (len(self._flat), bottom - top, right - left))
        if not self._kernels:
            return self._network(self._stack(top, bottom, left, right))
        height, width = self._ladder.shape(0)
        margin = len(self._kernels)
        y, below = max(top - margin, 0), min(bottom + margin, height)
        x, beyond = max(left - margin, 0), min(right + margin, width)
        picture = self._network(self._stack(y, below, x, beyond))
        for kernel in self._kernels:
            picture = residual(picture, kernel, (y == 0, below == height), (x == 0, beyond == width))
            y, below = y + (y > 0), below - (below < height)
            x, beyond = x + (x > 0), beyond - (beyond < width)
        return picture[:, top - y : bottom - y, left - x : right - x]

    def _stack(self, top: int, bottom: int, left: int, right: int) -> Float:
        """The modulations of a part of the drawing."""
        ladder, octave = self._ladder, self._octave
        height, width = ladder.shape(octave)
        if self._down is None:
            stack = ladder.rows(octave, top, bottom)
        else:
            at = self._down[top:bottom]
            first, last = reach(at, height)
            stack = resampled(ladder.rows(octave, first, last), first, height, at, 1)
        return stack[:, :, left:right] if self._across is None else resampled(stack, 0, width, self._across, 2)


def _places(coded: int, drawn: int, octave: int) -> NDArray[np.float64] | None:
    """Where the centres of the drawing's samples lie between an octave's, or None if they are the octave's own."""
    if drawn << octave == coded:
        return None
    return (np.arange(drawn, dtype=np.float64) + 0.5) * (coded / (drawn << octave)) - 0.5
