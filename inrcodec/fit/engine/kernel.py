"""The fused pass: a range of pixels through the net and back, one tile at a time.

A tile's activations stay in cache from the first layer to the last gradient; nothing the size of the picture is ever
written but outputs and input gradients that are asked for. Inside a tile everything is feature-major (``[feature,
pixel]``), so every loop runs over pixels in vectors, whatever the widths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inrcodec.fit.engine.activations import FLAGS, activate, apply
from inrcodec.fit.engine.micro import LANES, OUTER_A, OUTER_B, PANEL, ROWS, START_BIAS, TIMES, outer, panel

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

OUTPUTS, LOSS, PULLBACK = range(3)
"""What a pass does: the net's outputs; squared error and its gradients; gradients from those of the outputs."""


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _affine(
    buffer: Floats, w: Floats, w_at: int, b_at: int, inputs: int, outputs: int, x: int, z: int, tile: int
) -> None:
    """``z = W x + b`` for one layer of a tile; ``x`` and ``z`` are places in ``buffer``."""
    blocks = (outputs + ROWS - 1) // ROWS
    for p in range(0, tile, PANEL):
        row = 0
        for block in range(blocks):
            rows = (outputs - row) // (blocks - block)
            into, row_at = z + row * tile + p, w_at + row * inputs
            panel(
                START_BIAS, rows, buffer, into, tile, w, row_at, inputs, 1, buffer, x + p, tile, inputs, w, b_at + row
            )
            row += rows


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _pull_back(buffer: Floats, w: Floats, w_at: int, inputs: int, outputs: int, dz: int, into: int, tile: int) -> None:
    """``into = (W^T dz) * into`` for one layer of a tile: from this layer's gradients to those of the one before."""
    blocks = (inputs + ROWS - 1) // ROWS
    for p in range(0, tile, PANEL):
        row = 0
        for block in range(blocks):
            rows = (inputs - row) // (blocks - block)
            to = into + row * tile + p
            panel(TIMES, rows, buffer, to, tile, w, w_at + row, 1, inputs, buffer, dz + p, tile, outputs, buffer, to)
            row += rows


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _collect(g: Floats, at: int, buffer: Floats, dz: int, h: int, inputs: int, outputs: int, tile: int) -> int:
    """Add one layer's gradients of a tile to ``g``, block by block, biases last; returns where the next begin."""
    row_blocks, column_blocks = (outputs + OUTER_A - 1) // OUTER_A, (inputs + OUTER_B - 1) // OUTER_B
    row = 0
    for i in range(row_blocks):
        rows = (outputs - row) // (row_blocks - i)
        column = 0
        for k in range(column_blocks):
            columns = (inputs - column) // (column_blocks - k)
            left, right = dz + row * tile, h + column * tile
            outer(rows, columns, g, at, buffer, left, tile, buffer, right, tile, tile // LANES)
            column += columns
            at += LANES
        row += rows
    for j in range(outputs):
        sums, source = g[at : at + LANES], buffer[dz + j * tile : dz + (j + 1) * tile]
        for p in range(0, tile, LANES):
            for lane in range(LANES):
                sums[lane] += source[p + lane]
        at += LANES
    return at


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _read(source: Floats, first: int, count: int, features: int, buffer: Floats, at: int, tile: int) -> None:
    """Pixels ``first ..`` of an array ``[pixel, feature]`` into a tile ``[feature, pixel]``; zeros past the end."""
    for f in range(features):
        row = buffer[at + f * tile : at + (f + 1) * tile]
        place = first * features + f
        for p in range(count):
            row[p] = source[place + p * features]
        for p in range(count, tile):
            row[p] = np.float32(0.0)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _write(into: Floats, first: int, count: int, features: int, buffer: Floats, at: int, tile: int) -> None:
    """The inverse of :func:`_read`."""
    for f in range(features):
        row = buffer[at + f * tile : at + (f + 1) * tile]
        place = first * features + f
        for p in range(count):
            into[place + p * features] = row[p]


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _error(y: Floats, first: int, count: int, outputs: int, buffer: Floats, h: int, dz: int, tile: int) -> float:
    """Squared error of a tile's outputs; ``dz`` (the derivatives of the last activation) becomes its gradient."""
    total = 0.0
    for f in range(outputs):
        out, slope = buffer[h + f * tile : h + (f + 1) * tile], buffer[dz + f * tile : dz + (f + 1) * tile]
        place = first * outputs + f
        row = np.float32(0.0)
        for p in range(count):
            difference = out[p] - y[place + p * outputs]
            row += difference * difference
            slope[p] *= np.float32(2.0) * difference
        for p in range(count, tile):
            slope[p] = np.float32(0.0)
        total += float(row)
    return total


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _times(y: Floats, first: int, count: int, outputs: int, buffer: Floats, dz: int, tile: int) -> None:
    """``dz`` (the derivatives of the last activation) times the gradients of the outputs."""
    for f in range(outputs):
        slope = buffer[dz + f * tile : dz + (f + 1) * tile]
        place = first * outputs + f
        for p in range(count):
            slope[p] *= y[place + p * outputs]
        for p in range(count, tile):
            slope[p] = np.float32(0.0)


def _kept(function: Callable[..., float]) -> Any:
    """Compile a function and keep its code on disk, where numba finds a directory that it may write to."""
    try:
        return njit(fastmath=FLAGS, nogil=True, boundscheck=False, cache=True)(function)
    except RuntimeError:  # a read-only installation without a home: every process compiles for itself
        return njit(fastmath=FLAGS, nogil=True, boundscheck=False)(function)


@_kept
def sweep(
    task: int,
    start: int,
    stop: int,
    tile: int,
    x: Floats,
    y: Floats,
    w: Floats,
    widths: Ints,
    kinds: Ints,
    w_at: Ints,
    b_at: Ints,
    h_at: Ints,
    z_at: Ints,
    buffer: Floats,
    g: Floats,
    out: Floats,
    dx: Floats,
) -> float:
    """Pixels ``start .. stop - 1`` through the net, and back where ``task`` says so.

    Args:
        task: ``OUTPUTS`` fills ``out``; ``LOSS`` adds to ``g`` the gradients of the squared error against ``y``;
            ``PULLBACK`` those of ``sum(out * y)``.
        start: first pixel.
        stop: one past the last.
        tile: pixels a tile, a multiple of ``PANEL``.
        x: inputs, flat ``[pixel, input]``.
        y: samples, or gradients of the outputs, flat ``[pixel, output]``.
        w: weights, each layer's frequency already in them.
        widths: inputs, then outputs of every layer.
        kinds: activation code of every layer.
        w_at: where its matrix begins in ``w``.
        b_at: where its biases begin in ``w``.
        h_at: where in ``buffer`` a tile's inputs, then every layer's values lie.
        z_at: where in ``buffer`` every layer's slopes lie.
        buffer: working memory of one worker.
        g: sums of gradients, in blocks; see :mod:`inrcodec.fit.engine.plan`.
        out: flat ``[pixel, output]``.
        dx: gradients of the inputs, flat ``[pixel, input]``; empty if nobody wants them.

    Returns:
        The squared error, summed (of ``LOSS``).
    """
    layers = len(kinds)
    inputs, outputs = widths[0], widths[layers]
    total = 0.0
    for first in range(start, stop, tile):
        count = min(tile, stop - first)
        _read(x, first, count, inputs, buffer, h_at[0], tile)
        for k in range(layers):
            z = h_at[k + 1] if task == OUTPUTS else z_at[k]
            _affine(buffer, w, w_at[k], b_at[k], widths[k], widths[k + 1], h_at[k], z, tile)
            if task == OUTPUTS:
                apply(kinds[k], buffer, z, widths[k + 1] * tile)
            else:
                activate(kinds[k], buffer, z, h_at[k + 1], widths[k + 1] * tile)
        if task == OUTPUTS:
            _write(out, first, count, outputs, buffer, h_at[layers], tile)
            continue
        if task == LOSS:
            total += _error(y, first, count, outputs, buffer, h_at[layers], z_at[layers - 1], tile)
        else:
            _times(y, first, count, outputs, buffer, z_at[layers - 1], tile)
        at = 0
        for k in range(layers - 1, -1, -1):
            at = _collect(g, at, buffer, z_at[k], h_at[k], widths[k], widths[k + 1], tile)
            if k > 0:
                _pull_back(buffer, w, w_at[k], widths[k], widths[k + 1], z_at[k], z_at[k - 1], tile)
        if len(dx) > 0:
            buffer[h_at[0] : h_at[0] + inputs * tile] = np.float32(1.0)
            _pull_back(buffer, w, w_at[0], widths[0], widths[1], z_at[0], h_at[0], tile)
            _write(dx, first, count, inputs, buffer, h_at[0], tile)
    return total
