"""The linear 3x3 layers after the synthesiser, one row of the picture at a time, and their way back.

Rows live in working memory, channel by channel, ``stride`` floats each: a margin, the samples, more margin. Rows of a
picture repeat their first and last sample in the margins, rows of gradients have zeros there. Edges cost nothing then:
above the first row is the first row again, which is only another entry in the table of places.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from inrcodec.fit.engine.activations import FLAGS
from inrcodec.fit.engine.kernel import Floats, Ints
from inrcodec.fit.engine.micro import LANES, PANEL
from inrcodec.fit.engine.stencil import correlate, stencil

MARGIN = LANES
"""Floats before a row's first sample."""
_SHIFTS = 3
BACK_TERMS = 5
"""Rows of gradients that a row's gradient may come from: below, itself, above, and twice itself at both edges."""


def row_stride(columns: int) -> int:
    """Floats of a row of so many columns."""
    return 2 * MARGIN + (columns + 2 + PANEL - 1) // PANEL * PANEL


stride_of = njit(fastmath=FLAGS, nogil=True)(row_stride)
"""The same in kernels."""


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def copy(source: Floats, at: int, into: Floats, to: int, count: int) -> None:
    """``into[to ..] = source[at ..]``; assigning slices compiles for seconds, for the message of a shape error."""
    values, places = source[at : at + count], into[to : to + count]
    for i in range(count):
        places[i] = values[i]


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def repeat_edges(buffer: Floats, row: int, channels: int, columns: int) -> None:
    """The samples beside a picture's row: its first and its last again."""
    stride = stride_of(columns)
    for c in range(channels):
        first = row + c * stride + MARGIN
        buffer[first - 1] = buffer[first]
        buffer[first + columns] = buffer[first + columns - 1]


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _look_around(above: int, here: int, below: int, channels: int, stride: int, places: Ints) -> None:
    """Where the inputs of a 3x3 layer lie, in the order of its weights: channel, row, column."""
    count = 0
    for c in range(channels):
        for row in (above, here, below):
            for shift in range(_SHIFTS):
                places[count] = row + c * stride + MARGIN + shift - 1
                count += 1


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def convolve(
    buffer: Floats, above: int, here: int, below: int, into: int, channels: int, columns: int, w: Floats, w_at: int,
    places: Ints,
) -> None:  # fmt: skip
    """A row of the layer's output from three rows of its input; the input itself is in the weights."""
    stride, count = stride_of(columns), 9 * channels
    _look_around(above, here, below, channels, stride, places)
    for p in range(0, columns, PANEL):
        stencil(channels, buffer, into + MARGIN + p, stride, w, w_at, count, buffer, p, places, 0, count)
    repeat_edges(buffer, into, channels, columns)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def correlate_rows(
    buffer: Floats, above: int, here: int, below: int, d: int, channels: int, columns: int, first: int, last: int,
    g: Floats, at: int, places: Ints,
) -> int:  # fmt: skip
    """Add the gradients of a layer's weights that come from columns ``first .. last - 1`` of a row.

    Args:
        buffer: working memory.
        above: row of the input above the row.
        here: the row itself.
        below: the one below.
        d: row of the output's gradients; zeros after ``last`` up to a vector's end.
        channels: of input and output.
        columns: of the rows.
        first: first column.
        last: one past the last.
        g: sums of gradients.
        at: where this layer's begin.
        places: room for a table.

    Returns:
        Where the next gradients begin.
    """
    stride, most = stride_of(columns), min(4, LANES // channels)
    _look_around(above, here, below, channels, stride, places)
    column, total = 0, 9 * channels
    while column < total:
        number = min(most, total - column)
        left, vectors = d + MARGIN + first, (last - first + LANES - 1) // LANES
        correlate(channels, number, g, at, buffer, left, stride, buffer, first, places, column, vectors)
        at += LANES
        column += number
    return at


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def pull_back_row(
    buffer: Floats, above: int, here: int, below: int, top: bool, bottom: bool, into: int, channels: int,
    columns: int, w: Floats, w_at: int, nothing: int, places: Ints,
) -> None:  # fmt: skip
    """A row of the gradients of a layer's input from those of its output.

    Args:
        buffer: working memory.
        above: row of the output's gradients above, zeros above the first.
        here: the row itself.
        below: the one below, zeros below the last.
        top: the row is the picture's first.
        bottom: the row is its last.
        into: where the row goes.
        channels: of input and output.
        columns: of the rows.
        w: weights.
        w_at: where the layer's begin, transposed: for each input those of the ``BACK_TERMS``, of each output, shift.
        nothing: a row of zeros.
        places: room for a table.
    """
    stride = stride_of(columns)
    count = 0
    for row in (below, here, above, here if top else nothing, here if bottom else nothing):
        for c in range(channels):
            for shift in range(_SHIFTS):
                places[count] = row + c * stride + MARGIN - shift  # shift 0 reads to the left of where it wrote
                count += 1
    if not (top or bottom):
        count = _SHIFTS * channels * 3
    width = _SHIFTS * channels * BACK_TERMS
    for p in range(0, columns + 2, PANEL):
        stencil(channels, buffer, into + MARGIN - 1 + p, stride, w, w_at, width, buffer, p, places, 0, count)
    for c in range(channels):
        first = into + c * stride + MARGIN
        last = first + columns - 1
        buffer[first] += buffer[first - 1]
        buffer[last] += buffer[last + 1]
        buffer[first - 1] = buffer[last + 1] = np.float32(0.0)
