"""The filters of the grids' own by the kernels: planes through them, and gradients back."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from inrcodec.fit.engine.filter_kernel import pull_columns, pull_rows, smooth
from inrcodec.fit.engine.fused import _buffer, each
from inrcodec.net.grid import REACH, TAPS

Floats = NDArray[np.float32]

_PIECE = 1 << 15
"""Samples that are worth a piece of their own."""


class OwnFilter:
    """Working memory of one grid's filter.

    Args:
        rows: of the grid.
        columns: of the grid.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self._shape = rows, columns
        pieces = max(1, min(rows, rows * columns // _PIECE))
        self._bands = list(itertools.pairwise(rows * k // pieces for k in range(pieces + 1)))
        self._between = np.empty(rows * columns, np.float32)
        self._line = columns + 2 * REACH

    def smooth(self, taps: Floats, plane: Floats, out: Floats) -> None:
        """A plane through the filter.

        Args:
            taps: ``(4,)``, what is added to the identity's.
            plane: ``(rows * columns,)``.
            out: where the result goes, of the same shape.
        """
        weights = _weights(taps)

        def work(k: int) -> None:
            smooth(plane, out, weights, *self._bands[k], *self._shape, _buffer(self._line))

        each(len(self._bands), work)

    def pull(self, taps: Floats, plane: Floats, slopes: Floats, into: Floats) -> Floats:
        """Gradients of the plane and, returned, of the taps, from those of what :meth:`smooth` gave.

        Args:
            taps: ``(4,)``.
            plane: ``(rows * columns,)``.
            slopes: gradients of the result.
            into: where those of the plane go.
        """
        weights, sums = _weights(taps), np.zeros((2, len(self._bands), TAPS), np.float32)

        def along_rows(k: int) -> None:
            line = _buffer(2 * self._line)
            pull_rows(slopes, plane, weights, *self._bands[k], *self._shape, line, self._between, sums[0, k])

        def along_columns(k: int) -> None:
            pull_columns(self._between, plane, weights, *self._bands[k], *self._shape, into, sums[1, k])

        each(len(self._bands), along_rows)
        each(len(self._bands), along_columns)
        with np.errstate(over="ignore", invalid="ignore"):
            total: Floats = sums.sum((0, 1))
        return total


def _weights(taps: Floats) -> Floats:
    weights = taps.astype(np.float32)
    weights[0] += 1
    return weights
