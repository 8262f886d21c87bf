"""The fused pass of the latents' rate: a band of rows of one grid through the context model, and back.

See :mod:`inrcodec.fit.engine.context_plan` for slots, strips and tiles. Tiles gather their contexts from a strip of
latents and scatter gradients into one of the same layout, which then goes back to the shape of the grids.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from inrcodec.fit.engine.activations import FLAGS, RELU, activate
from inrcodec.fit.engine.context_plan import (
    ABOVE,
    BITS,
    GAP,
    LATENT,
    LAW_ROWS,
    LOG_SCALE,
    POSITION,
    PULL,
    SLACK,
    TILE,
    VALID,
)  # fmt: skip
from inrcodec.fit.engine.kernel import Floats, Ints, _affine, _kept, _pull_back
from inrcodec.fit.engine.laplace import laplace, laplace_bits
from inrcodec.fit.engine.micro import LANES, OUTER_A, OUTER_B, outer
from inrcodec.fit.engine.strips import add, begin, copy, end, fill, find, keep

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _collect(g: Floats, at: int, buffer: Floats, dz: int, h: int, inputs: int, outputs: int) -> int:
    """Add a tile's sums for one layer to ``g``, block by block; returns where the next begin.

    Its last input is a row of ones, whose sums are the biases': cheaper than sums of their own.
    """
    row_blocks, column_blocks = (outputs + OUTER_A - 1) // OUTER_A, (inputs + OUTER_B - 1) // OUTER_B
    row = 0
    for i in range(row_blocks):
        rows = (outputs - row) // (row_blocks - i)
        column = 0
        for k in range(column_blocks):
            columns = (inputs - column) // (column_blocks - k)
            left, right = dz + row * TILE, h + column * TILE
            outer(rows, columns, g, at, buffer, left, TILE, buffer, right, TILE, TILE // LANES)
            column += columns
            at += LANES
        row += rows
    return at


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _forth(
    buffer: Floats, from_at: Ints, t: int, w: Floats, fan: Ints, w_at: Ints, b_at: Ints, h_at: Ints, z_at: Ints
) -> None:
    """A tile from its contexts to its laws."""
    for i in range(len(from_at)):
        copy(buffer, h_at[0] + i * TILE, buffer, from_at[i] + t, TILE)
    last = len(fan) - 1
    for k in range(last + 1):
        _affine(buffer, w, w_at[k], b_at[k], fan[k, 0], fan[k, 1], h_at[k], z_at[k], TILE)
        if k < last:
            activate(RELU, buffer, z_at[k], h_at[k + 1], fan[k, 1] * TILE)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _back(
    buffer: Floats, g: Floats, w: Floats, fan: Ints, w_at: Ints, tail_at: Ints, h_at: Ints, z_at: Ints, pull_at: int
) -> None:
    """From the gradients of a tile's laws to those of weights and contexts, the latter unless ``pull_at`` is 0."""
    last = len(fan) - 1
    out, at = z_at[last], 0
    if len(g) > 0:
        at = _collect(g, at, buffer, out, h_at[last], fan[last, 0] + 1, 2)
    if last > 0:
        _pull_back(buffer, w, tail_at[0], fan[last - 1, 1], 2, out, z_at[last - 1], TILE)
    for k in range(last - 1, -1, -1):
        if len(g) > 0:
            at = _collect(g, at, buffer, z_at[k], h_at[k], fan[k, 0] + 1, fan[k, 1])
        if k > 0:
            _pull_back(buffer, w, w_at[k], fan[k, 0], fan[k, 1], z_at[k], z_at[k - 1], TILE)
    if pull_at > 0:
        both = (out - z_at[0]) // TILE + 2
        _affine(buffer, w, tail_at[1], tail_at[2], both, fan[0, 0], z_at[0], pull_at, TILE)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _clear(buffer: Floats, fan: Ints, h_at: Ints, tile_size: int, mask: int, rows: int, width: int) -> None:
    """Begin a slot: no bits yet, ones behind every layer's inputs, and which places of a strip hold a latent."""
    fill(buffer, 0, tile_size, _ZERO)
    for k in range(len(fan)):
        fill(buffer, h_at[k] + fan[k, 0] * TILE, TILE, _ONE)
    for y in range(rows):
        fill(buffer, mask + y * (width + GAP), width, _ONE)
        fill(buffer, mask + y * (width + GAP) + width, GAP, _ZERO)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _bits(buffer: Floats, at: int) -> float:
    """The bits of a strip, which then begin anew."""
    total = 0.0
    for p in range(at, at + TILE):
        total += float(buffer[p])
        buffer[p] = _ZERO
    return total


@_kept
def rate(
    slot: Ints,
    part: Ints,
    grids: Ints,
    sources: Ints,
    levels: int,
    seen: Ints,
    latents: Floats,
    w: Floats,
    fan: Ints,
    w_at: Ints,
    b_at: Ints,
    tail_at: Ints,
    h_at: Ints,
    z_at: Ints,
    pull_at: int,
    tile_size: int,
    room: int,
    buffer: Floats,
    g: Floats,
    parts: Floats,
    laws: Floats,
) -> float:
    """Bits of the latents of one slot, and on the way their gradients or their laws.

    Args:
        slot: grid, first row, one past the last, rows a strip.
        part: where the slot keeps gradients of latents; like all that follows of the plan's.
        grids: first latent, rows and columns.
        sources: which of the grids each level is.
        levels: how many grids a context sees, its own included.
        seen: level, rows down and columns right of every value of a context.
        latents: of all grids, flat; the layer's own first.
        w: weights, see :meth:`ContextPlan.extended`.
        fan: inputs and outputs of the layers.
        w_at: where each layer's matrix begins in ``w``.
        b_at: where each layer's biases for this grid begin in ``w``.
        tail_at: where the three additions to the weights begin.
        h_at: where each layer's inputs lie in ``buffer``.
        z_at: where each layer's slopes lie.
        pull_at: where the gradients of a tile's contexts lie.
        tile_size: floats of a tile.
        room: floats of a strip with all levels.
        buffer: working memory of one worker.
        g: sums of gradients of the weights; empty if nobody wants them.
        parts: sums of gradients of the latents; empty if nobody wants them.
        laws: position, then log-scale of all latents; empty if nobody wants them.

    Returns:
        The bits, summed.
    """
    grid, start, stop, strip = slot
    width, law, pull = grids[grid, 2], z_at[len(fan) - 1], len(parts) > 0
    stride, mask = width + GAP, tile_size + 2 * room
    level_at, from_at = np.empty(levels, np.int64), np.empty(len(seen), np.int64)
    find(level_at, from_at, seen, tile_size, strip, stride)
    _clear(buffer, fan, h_at, tile_size, mask, strip, width)
    own, back_room, back_at = level_at[0] + SLACK + ABOVE[0] * stride, room if pull else 0, pull_at if pull else 0
    total = 0.0
    for first in range(start, stop, strip):
        rows = min(strip, stop - first)
        positions, scales = tile_size + room, tile_size + room + rows * stride + TILE
        fill(buffer, mask + rows * stride, TILE, _ZERO)
        begin(buffer, latents, grids, sources, level_at, first, rows, back_room)
        for t in range(0, rows * stride, TILE):
            _forth(buffer, from_at, t, w, fan, w_at, b_at, h_at, z_at)
            copy(buffer, law + LATENT * TILE, buffer, own + t, TILE)
            copy(buffer, law + VALID * TILE, buffer, mask + t, TILE)
            if len(g) == 0 and not pull:
                laplace_bits(buffer[law : law + LAW_ROWS * TILE])
            else:
                laplace(buffer[law : law + LAW_ROWS * TILE])
                _back(buffer, g, w, fan, w_at, tail_at, h_at, z_at, back_at)
            if pull:
                for i in range(len(from_at)):
                    add(buffer, from_at[i] + room + t, buffer, pull_at + i * TILE, TILE)
                add(buffer, own + room + t, buffer, law + PULL * TILE, TILE)
            if len(laws) > 0:
                copy(buffer, positions + t, buffer, law + POSITION * TILE, TILE)
                copy(buffer, scales + t, buffer, law + LOG_SCALE * TILE, TILE)
        total += _bits(buffer, law + BITS * TILE)
        if pull:
            end(buffer, grids, sources, level_at, first, rows, room, part, parts)
        if len(laws) > 0:
            to = grids[grid, 0] + first * width
            keep(laws, to, buffer, positions, rows, width)
            keep(laws, len(laws) // 2 + to, buffer, scales, rows, width)
    return total
