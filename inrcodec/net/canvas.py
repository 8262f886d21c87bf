"""A modulated SIREN drawn at any size.

Latents mean something at the picture's own size only: the finest grid carries what the network makes whole regions of,
and the 3x3 layers, which have the last word, were fitted to the picture's own pixels. A drawing of another size is made
of that picture, as it is shown: clipped, but not rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.net.grid import GridArch
from inrcodec.net.resample import Resampled, Side, Size
from inrcodec.net.synthesis import Synthesiser, residual
from inrcodec.net.upsample import Ladder

STRIP = 1 << 16
"""Samples drawn at a time, each of which needs a float for every grid."""

STRIP_ROWS = 8
"""Rows drawn at a time at least: a strip looks a few rows beyond its own, and many thin ones would be most of it."""

Float = NDArray[np.float32]


def strip_rows(*widths: int) -> int:
    """Rows to draw at a time, where samples of the given widths are kept."""
    return max(STRIP_ROWS, STRIP // max(widths))


class Canvas:
    """A picture to be drawn.

    Args:
        arch: the architecture.
        tensors: its dequantised tensors.
        latents: of the grids as the network sees them, coarsest first.
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
        self._ladder = Ladder(arch, tensors, latents, *coded)
        self._network = Synthesiser(arch, tensors, self._ladder.channels(0))
        self._kernels = [tensors[f"R{k}"] for k in range(arch.residuals)]
        self._columns = columns.start, columns.stop
        self.strip = strip_rows(columns.stop - columns.start)
        self._flat = None if self._ladder.channels(0) else self._constant()
        self._resampled = None
        if coded != drawn:
            left, right = Side(coded[0], drawn[0]).needs(columns.start, columns.stop)
            self._resampled = Resampled(self._shown, coded, drawn, columns, strip_rows(right - left))
            self.strip *= 4 if drawn[1] > coded[1] else 1  # most are interpolated, and need no more floats than outputs

    def _constant(self) -> Float:
        """What a picture without any latents is everywhere, ``(outputs, 1, 1)``."""
        colour = self._network(np.zeros((0, 1, 1), np.float32))
        for kernel in self._kernels:
            colour = residual(colour, kernel, (True, True), (True, True))
        return colour

    def rows(self, top: int, bottom: int) -> Float:
        """Samples ``(outputs, bottom - top, columns)`` of some rows, nominally in [0, 1], not clipped."""
        if self._resampled is not None:
            return self._resampled.rows(top, bottom)
        return self._part(top, bottom, *self._columns)

    def _shown(self, top: int, bottom: int, left: int, right: int) -> Float:
        """A part of the picture as a decode shows it, NaN as black, before it is rounded."""
        return np.nan_to_num(self._part(top, bottom, left, right)).clip(0, 1)

    def _part(self, top: int, bottom: int, left: int, right: int) -> Float:
        """A part of the picture at its own size."""
        if self._flat is not None:
            return np.broadcast_to(self._flat, (len(self._flat), bottom - top, right - left))
        height, width = self._ladder.shape(0)
        margin = len(self._kernels)
        y, below = max(top - margin, 0), min(bottom + margin, height)
        x, beyond = max(left - margin, 0), min(right + margin, width)
        picture = self._network(self._ladder.rows(0, y, below, x, beyond))
        for kernel in self._kernels:
            picture = residual(picture, kernel, (y == 0, below == height), (x == 0, beyond == width))
            y, below = y + (y > 0), below - (below < height)
            x, beyond = x + (x > 0), beyond - (beyond < width)
        return picture[:, top - y : bottom - y, left - x : right - x]
