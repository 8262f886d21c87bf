"""A grid's own filter, and its way back: seven symmetric taps along columns, then along rows, edges repeated.

Plain loops over rows that stay in cache; every range of rows writes only its own. On the way back a first pass brings
gradients through the filter along rows, into a plane of their own, and a second one through that along columns. What
a filter reads beyond an edge is the edge, so what its transpose would leave out there comes down on the edge as well.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from inrcodec.fit.engine.activations import FLAGS
from inrcodec.fit.engine.kernel import Floats, _kept
from inrcodec.net.grid import REACH


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _add_pair(into: Floats, weight: float, one: Floats, other: Floats) -> None:
    """``into += weight (one + other)``."""
    for c in range(len(into)):
        into[c] += weight * (one[c] + other[c])


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _dot(slope: Floats, own: Floats) -> np.float32:
    """``sum slope own``."""
    total = np.float32(0.0)
    for c in range(len(slope)):
        total += slope[c] * own[c]
    return total


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _dot_pair(slope: Floats, one: Floats, other: Floats) -> np.float32:
    """``sum slope (one + other)``."""
    total = np.float32(0.0)
    for c in range(len(slope)):
        total += slope[c] * (one[c] + other[c])
    return total


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _rows_around(x: Floats, i: int, j: int, h: int, w: int) -> tuple[Floats, Floats]:
    """The rows ``j`` above and ``j`` below row ``i``; beyond an edge it is the edge's."""
    above, below = max(i - j, 0) * w, min(i + j, h - 1) * w
    return x[above : above + w], x[below : below + w]


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _samples_around(line: Floats, j: int, w: int) -> tuple[Floats, Floats]:
    """A line's samples, all of them, ``j`` to the left and ``j`` to the right."""
    return line[REACH - j : REACH - j + w], line[REACH + j : REACH + j + w]


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _along_columns(x: Floats, i: int, h: int, w: int, weights: Floats, line: Floats) -> None:
    """Row ``i`` of a plane, filtered along its columns; it starts at ``line[REACH]``, repeated edges beside it."""
    own = x[i * w : (i + 1) * w]
    into = line[REACH : REACH + w]
    for c in range(w):
        into[c] = weights[0] * own[c]
    for j in range(1, REACH + 1):
        _add_pair(into, weights[j], *_rows_around(x, i, j, h, w))
    for c in range(REACH):
        line[c] = line[REACH]
        line[REACH + w + c] = line[REACH + w - 1]


@_kept
def smooth(x: Floats, out: Floats, weights: Floats, top: int, bottom: int, h: int, w: int, line: Floats) -> float:
    """Rows ``top .. bottom - 1`` of a plane through its filter.

    Args:
        x: the plane.
        out: where the result goes, row by row like the plane.
        weights: of the filter, from the middle outward.
        top: first row.
        bottom: one past the last.
        h: rows of the plane.
        w: columns of the plane.
        line: working memory, of a row and ``REACH`` more at either end.
    """
    for i in range(top, bottom):
        _along_columns(x, i, h, w, weights, line)
        into, own = out[i * w : (i + 1) * w], line[REACH : REACH + w]
        for c in range(w):
            into[c] = weights[0] * own[c]
        for j in range(1, REACH + 1):
            _add_pair(into, weights[j], *_samples_around(line, j, w))
    return 0.0


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _spread(slope: Floats, w: int, weights: Floats, line: Floats) -> None:
    """A row of gradients back through the filter along rows, into ``line[REACH ..]``."""
    for c in range(w + 2 * REACH):
        line[c] = np.float32(0.0)
    for j in range(-REACH, REACH + 1):
        into, weight = line[REACH + j : REACH + j + w], weights[abs(j)]
        for c in range(w):
            into[c] += weight * slope[c]
    for c in range(REACH):
        line[REACH] += line[c]
        line[REACH + w - 1] += line[REACH + w + c]


@_kept
def pull_rows(
    dy: Floats, x: Floats, weights: Floats, top: int, bottom: int, h: int, w: int, line: Floats, between: Floats,
    g: Floats,
) -> float:  # fmt: skip
    """The way back of the filter along rows.

    Args:
        dy: gradients of what :func:`smooth` gave.
        x: the plane.
        weights: of the filter.
        top: first row.
        bottom: one past the last.
        h: rows of the plane.
        w: columns of the plane.
        line: working memory, twice what :func:`smooth` wants.
        between: gradients of the plane filtered along its columns alone.
        g: gradients of the weights are added here.
    """
    size = w + 2 * REACH
    spread = line[size : 2 * size]
    into = spread[REACH : REACH + w]
    for i in range(top, bottom):
        slope, own = dy[i * w : (i + 1) * w], line[REACH : REACH + w]
        _along_columns(x, i, h, w, weights, line)
        g[0] += _dot(slope, own)
        for j in range(1, REACH + 1):
            g[j] += _dot_pair(slope, *_samples_around(line, j, w))
        _spread(slope, w, weights, spread)
        result = between[i * w : (i + 1) * w]
        for c in range(w):
            result[c] = into[c]
    return 0.0


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _add_row(between: Floats, place: int, h: int, w: int, weights: Floats, into: Floats) -> None:
    """What a row at ``place``, which may lie beyond an edge, gets from the rows that are."""
    for j in range(-REACH, REACH + 1):
        i = place + j
        if 0 <= i < h:
            row, weight = between[i * w : (i + 1) * w], weights[abs(j)]
            for c in range(w):
                into[c] += weight * row[c]


@_kept
def pull_columns(
    between: Floats, x: Floats, weights: Floats, top: int, bottom: int, h: int, w: int, dx: Floats, g: Floats
) -> float:
    """The way back of the filter along columns.

    Args:
        between: what :func:`pull_rows` gave, of the whole plane.
        x: the plane.
        weights: of the filter.
        top: first row.
        bottom: one past the last.
        h: rows of the plane.
        w: columns of the plane.
        dx: gradients of the plane.
        g: gradients of the weights are added here.
    """
    for i in range(top, bottom):
        slope, own, into = between[i * w : (i + 1) * w], x[i * w : (i + 1) * w], dx[i * w : (i + 1) * w]
        g[0] += _dot(slope, own)
        for c in range(w):
            into[c] = np.float32(0.0)
        for j in range(1, REACH + 1):
            g[j] += _dot_pair(slope, *_rows_around(x, i, j, h, w))
        _add_row(between, i, h, w, weights, into)
        for beyond in range(1, REACH + 1):
            if i == 0:
                _add_row(between, -beyond, h, w, weights, into)
            if i == h - 1:
                _add_row(between, h - 1 + beyond, h, w, weights, into)
    return 0.0
