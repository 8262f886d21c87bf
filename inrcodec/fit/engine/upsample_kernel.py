"""One rung of the ladder: planes enlarged two-fold by a separable filter, and the way back.

Coarse rows are taken one at a time with the two fine rows between them and the next, so that nothing but rows is held
beside the planes. The filter is written as two phases of five taps over columns -2 .. 2, one for each of the two new
samples; what lies beyond an edge is the edge. Every range of rows writes only its own: gradients are gathered, never
scattered.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from inrcodec.fit.engine.activations import FLAGS
from inrcodec.fit.engine.kernel import Floats, Ints, _kept
from inrcodec.fit.engine.micro import LANES, PANEL
from inrcodec.fit.engine.residual_kernel import copy
from inrcodec.fit.engine.stencil import correlate, stencil

PHASE = 5
"""Taps of a phase; one of them is zero."""
FORWARD_SIZE, BACK_SIZE = 2 * PHASE, 40
"""Weights of both phases; those of the way back, a coarse sample's 8, repeated for edges, where 5 fall on one."""
_WINDOW = 10
"""Fine rows that a coarse one is in."""
_MARGIN = 2 * LANES
_ROWS = _WINDOW + 7
SPARE = 2 * PANEL
"""Floats behind planes that may be read, though they count for nothing; they have to be finite."""


def phases(taps: Floats) -> Floats:
    """Four taps as the kernels take them: left phase, right phase, and both for the way back five times."""
    zero = np.zeros(1, np.float32)
    back = np.concatenate([taps, taps[::-1]])
    return np.concatenate([taps, zero, zero, taps[::-1], np.tile(back, 5)])


def scratch_size(columns: int) -> int:
    """Floats of working memory for planes of so many coarse columns."""
    return _ROWS * _row_length(columns)


def _row_length(columns: int) -> int:
    return 2 * _MARGIN + (columns + PHASE + PANEL - 1) // PANEL * PANEL


_stride = njit(fastmath=FLAGS, nogil=True)(_row_length)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _between(
    x: Floats, start: int, i: int, h: int, w: int, weights: Floats, places: Ints, buffer: Floats, v: int, stride: int
) -> None:
    """The two fine rows of coarse row ``i``, still with coarse columns; two repeated ones on either side."""
    for j in range(PHASE):
        places[j] = start + min(max(i - 2 + j, 0), h - 1) * w
    for p in range(0, w, PANEL):
        stencil(2, buffer, v + 2 + p, stride, weights, 0, PHASE, x, p, places, 0, PHASE)
    for row in (v, v + stride):
        buffer[row] = buffer[row + 1] = buffer[row + 2]
        buffer[row + w + 2] = buffer[row + w + 3] = buffer[row + w + 1]


@_kept
def enlarge(
    x: Floats, out: Floats, weights: Floats, first: int, last: int, top: int, bottom: int, sizes: Ints, buffer: Floats
) -> float:
    """Coarse rows ``top .. bottom - 1`` of planes ``first .. last - 1``, enlarged.

    Args:
        x: coarse planes.
        out: fine planes.
        weights: of :func:`phases`.
        first: first plane.
        last: one past the last.
        top: first coarse row.
        bottom: one past the last.
        sizes: coarse rows and columns, fine rows and columns.
        buffer: working memory.
    """
    h, w, rows, columns = sizes[0], sizes[1], sizes[2], sizes[3]
    places, steps = np.empty(PHASE, np.int64), np.arange(PHASE)
    stride = _stride(w)
    v, pair = _MARGIN, _MARGIN + 2 * stride
    for c in range(first, last):
        for i in range(top, bottom):
            _between(x, c * h * w, i, h, w, weights, places, buffer, v, stride)
            for odd in range(min(2, rows - 2 * i)):
                for p in range(0, w, PANEL):
                    row = v + odd * stride + p
                    stencil(2, buffer, pair + p, stride, weights, 0, PHASE, buffer, row, steps, 0, PHASE)
                at = (c * rows + 2 * i + odd) * columns
                into, left, right = out[at : at + columns], buffer[pair:], buffer[pair + stride :]
                for p in range(columns // 2):
                    into[2 * p] = left[p]
                    into[2 * p + 1] = right[p]
                if columns % 2:
                    into[columns - 1] = left[columns // 2]
    return 0.0


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _pull_row(
    dy: Floats, at: int, w: int, columns: int, weights: Floats, places: Ints, buffer: Floats, pair: int, stride: int,
    into: int,
) -> None:  # fmt: skip
    """Gradients of a fine row: split into its phases at ``pair``, and brought to coarse columns at ``into``."""
    row, left, right = dy[at : at + columns], buffer[pair:], buffer[pair + stride :]
    for p in range(columns // 2):
        left[p] = row[2 * p]
        right[p] = row[2 * p + 1]
    if columns % 2:
        left[columns // 2] = row[columns - 1]
    for j in range(4):
        places[j] = pair - j
        places[4 + j] = pair + stride - 1 - j
    for p in range(0, w + 4, PANEL):
        stencil(1, buffer, into + p, 0, weights, FORWARD_SIZE, 0, buffer, p, places, 0, 8)
    buffer[into + 2] += buffer[into] + buffer[into + 1]
    buffer[into + w + 1] += buffer[into + w + 2] + buffer[into + w + 3]
    buffer[into] = buffer[into + 1] = buffer[into + w + 2] = buffer[into + w + 3] = np.float32(0.0)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _pull_column(
    r: int, h: int, w: int, weights: Floats, places: Ints, buffer: Floats, ring: int, nothing: int, stride: int,
    into: int,
) -> None:  # fmt: skip
    """Gradients of coarse row ``r`` from those of the fine rows it is in."""
    count = 0
    for q in range(0 if r == 0 else r + 2, (h + 3 if r == h - 1 else r + 2) + 1):  # rows that are this one, by PHASE
        for odd in range(2):
            for j in range(4):
                i = q - j - odd
                row = ring + (2 * (i % PHASE) + odd) * stride
                places[count] = 2 + (row if 0 <= i < h else nothing)
                count += 1
    for p in range(0, w, PANEL):
        stencil(1, buffer, into + p, 0, weights, FORWARD_SIZE, 0, buffer, p, places, 0, count)


@_kept
def shrink(
    dy: Floats, x: Floats, weights: Floats, first: int, last: int, top: int, bottom: int, sizes: Ints, buffer: Floats,
    dx: Floats, g: Floats,
) -> float:  # fmt: skip
    """The way back of :func:`enlarge`: gradients of coarse rows and taps from those of fine planes.

    Args:
        dy: gradients of the fine planes.
        x: coarse planes, ``SPARE`` finite floats behind them.
        weights: of :func:`phases`.
        first: first plane.
        last: one past the last.
        top: first coarse row.
        bottom: one past the last.
        sizes: coarse rows and columns, fine rows and columns.
        buffer: working memory.
        dx: gradients of the coarse planes.
        g: ``LANES`` sums, pair ``k`` the gradient of tap ``k``.
    """
    h, w, rows, columns = sizes[0], sizes[1], sizes[2], sizes[3]
    places, steps, backward = np.empty(BACK_SIZE, np.int64), np.arange(4), np.arange(4, 0, -1)
    stride = _stride(w)
    buffer[: _ROWS * stride] = np.float32(0.0)
    v, pair, nothing, out = _MARGIN, _MARGIN + 2 * stride, _MARGIN + 4 * stride, _MARGIN + 5 * stride
    ring = _MARGIN + 6 * stride
    vectors = (w + LANES - 1) // LANES
    for c in range(first, last):
        done = top
        for i in range(max(0, top - 2), min(h, bottom + 2)):
            own = top <= i < bottom
            if own:
                _between(x, c * h * w, i, h, w, weights, places, buffer, v, stride)
            for odd in range(2):
                into = ring + (2 * (i % PHASE) + odd) * stride
                if 2 * i + odd >= rows:
                    buffer[into : into + stride] = np.float32(0.0)
                    continue
                at = (c * rows + 2 * i + odd) * columns
                _pull_row(dy, at, w, columns, weights, places, buffer, pair, stride, into)
                if own:
                    row = v + odd * stride
                    correlate(1, 4, g, 0, buffer, pair, 0, buffer, row, steps, 0, vectors)
                    correlate(1, 4, g, 0, buffer, pair + stride, 0, buffer, row, backward, 0, vectors)
                    for j in range(4):
                        line = i + 2 - j if odd else i - 2 + j
                        places[j] = (c * h + min(max(line, 0), h - 1)) * w
                    correlate(1, 4, g, 0, buffer, into + 2, 0, x, 0, places, 0, vectors)
            while done < bottom and i >= min(done + 2, h - 1):
                _pull_column(done, h, w, weights, places, buffer, ring, nothing, stride, out)
                start = (c * h + done) * w
                copy(buffer, out, dx, start, w)
                done += 1
    return 0.0
