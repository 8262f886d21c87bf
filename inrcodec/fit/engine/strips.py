"""Strips of a grid: rows one after the other with zeros around them, coarser grids repeated to the same layout."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from inrcodec.fit.engine.activations import FLAGS
from inrcodec.fit.engine.context_plan import ABOVE, BELOW, GAP, SLACK, TAIL, UPS
from inrcodec.fit.engine.kernel import Floats, Ints

_ZERO = np.float32(0.0)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def fill(buffer: Floats, at: int, count: int, value: Any) -> None:
    """``buffer[at ..] = value``."""
    places = buffer[at : at + count]
    for i in range(count):
        places[i] = value


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def copy(into: Floats, to: int, source: Floats, at: int, count: int) -> None:
    """``into[to ..] = source[at ..]``."""
    places, values = into[to : to + count], source[at : at + count]
    for i in range(count):
        places[i] = values[i]


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def add(into: Floats, to: int, source: Floats, at: int, count: int) -> None:
    """``into[to ..] += source[at ..]``."""
    sums, values = into[to : to + count], source[at : at + count]
    for i in range(count):
        sums[i] += values[i]


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _reach(columns: int, up: int, width: int) -> int:
    """Places of a row that a coarser grid fills; at most one more than the row has that any context sees."""
    return min(columns << up, width + GAP)  # type: ignore[no-any-return, unused-ignore]


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def lay(latents: Floats, grid: Ints, up: int, first: int, count: int, width: int, buffer: Floats, at: int) -> None:
    """A grid enlarged ``2^up``-fold as a strip.

    Args:
        latents: of all grids, flat.
        grid: first latent, rows and columns.
        up: how many octaves it is coarser than the strip.
        first: first row, as enlarged; may lie above the grid.
        count: rows, which may go past it.
        width: columns of the strip.
        buffer: where the strip goes.
        at: where in it the strip begins.
    """
    start, rows, columns = grid
    stride, filled = width + GAP, _reach(columns, up, width)
    fill(buffer, at, SLACK, _ZERO)
    at += SLACK
    for y in range(first, first + count):
        row = y >> up
        if row < 0 or row >= rows:
            fill(buffer, at, stride, _ZERO)
        elif y > first and (y - 1) >> up == row:
            copy(buffer, at, buffer, at - stride, stride)
        else:
            line, source = buffer[at : at + stride], latents[start + row * columns : start + (row + 1) * columns]
            for x in range(filled):
                line[x] = source[x >> up]
            fill(buffer, at + filled, stride - filled, _ZERO)
        at += stride
    fill(buffer, at, TAIL, _ZERO)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def fold(
    buffer: Floats, at: int, up: int, first: int, count: int, width: int, columns: int, part: Ints, parts: Floats
) -> None:
    """The transpose of :func:`lay`: a strip of gradients, which it uses up, is added to a slot's part.

    Args:
        buffer: where the strip is.
        at: where in it the strip begins.
        up: how many octaves the grid is coarser than the strip.
        first: first row, as enlarged.
        count: rows.
        width: columns of the strip.
        columns: of the grid.
        part: where the slot's gradients for this grid begin, their first row and how many rows they have.
        parts: all parts.
    """
    start, top, rows = part
    stride, filled = width + GAP, _reach(columns, up, width)
    whole, at = filled >> up, at + SLACK
    for y in range(first, first + count):
        row = (y >> up) - top
        if 0 <= row < rows:
            into = start + row * columns
            if up == 0:
                add(parts, into, buffer, at, columns)
            elif y + 1 < first + count and (y + 1) >> up == y >> up:
                add(buffer, at + stride, buffer, at, filled)  # rows first, where vectors are contiguous
            else:
                line, sums = buffer[at : at + stride], parts[into : into + columns]
                for i in range(whole):
                    total = line[i << up]
                    for x in range((i << up) + 1, (i + 1) << up):
                        total += line[x]
                    sums[i] += total
                for x in range(whole << up, filled):
                    sums[whole] += line[x]
        at += stride


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def find(level_at: Ints, from_at: Ints, seen: Ints, at: int, rows: int, stride: int) -> None:
    """Where each level of a strip begins, and the values of its first latent's context."""
    for k in range(len(level_at)):
        level_at[k] = at
        at += SLACK + (ABOVE[k] + rows + BELOW[k]) * stride + TAIL
    for i in range(len(from_at)):
        k = seen[i, 0]
        from_at[i] = level_at[k] + SLACK + (ABOVE[k] + seen[i, 1]) * stride + seen[i, 2]


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def begin(
    buffer: Floats, latents: Floats, grids: Ints, sources: Ints, level_at: Ints, first: int, rows: int, room: int
) -> None:
    """Lay out all levels, zeros for one that does not exist, and zeros ``room`` further on for gradients, if not 0."""
    width = grids[sources[0], 2]
    for k in range(len(level_at)):
        count, up = ABOVE[k] + rows + BELOW[k], UPS[k]
        if sources[k] >= 0:
            lay(latents, grids[sources[k]], up, first - ABOVE[k], count, width, buffer, level_at[k])
        else:
            fill(buffer, level_at[k], SLACK + count * (width + GAP) + TAIL, _ZERO)
        if room > 0:
            fill(buffer, level_at[k] + room, SLACK + count * (width + GAP) + TAIL, _ZERO)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def end(
    buffer: Floats, grids: Ints, sources: Ints, level_at: Ints, first: int, rows: int, room: int, part: Ints,
    parts: Floats,
) -> None:  # fmt: skip
    """The gradients of all levels go where the slot keeps them."""
    for k in range(len(level_at)):
        top, count, up = first - ABOVE[k], ABOVE[k] + rows + BELOW[k], UPS[k]
        if sources[k] >= 0:
            width, columns = grids[sources[0], 2], grids[sources[k], 2]
            fold(buffer, level_at[k] + room, up, top, count, width, columns, part[k], parts)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def keep(laws: Floats, to: int, buffer: Floats, at: int, rows: int, width: int) -> None:
    """A strip of one number of every law, without what is between rows."""
    for y in range(rows):
        copy(laws, to + y * width, buffer, at + y * (width + GAP), width)
