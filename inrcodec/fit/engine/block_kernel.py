"""The synthesiser's pass: a block of the picture from upsampled grids to samples, to the error, and back.

The 3x3 layers after the network are why a pixel's gradient depends on pixels around it. Rows go through the network
one after another, and a few of them stay in working memory with all their activations: when the last row that a
gradient depends on is there, the first goes back. So nothing is computed twice but rows and columns around a block.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from inrcodec.fit.engine.activations import FLAGS
from inrcodec.fit.engine.kernel import Floats, Ints, _kept
from inrcodec.fit.engine.micro import LANES, PANEL, outer
from inrcodec.fit.engine.residual_kernel import (
    BACK_TERMS,
    MARGIN,
    convolve,
    copy,
    correlate_rows,
    pull_back_row,
    repeat_edges,
    stride_of,
)
from inrcodec.fit.engine.synthesis_kernel import Net, backward_row, forward_row, line_size

PICTURE, ERROR, GRADIENTS = range(3)
"""What a pass does: samples; the squared error; the error and its gradients."""


class _Block(NamedTuple):
    """A part of the picture: the columns that are looked at, and which of them are its own.

    Attributes:
        top: first row.
        bottom: one past the last.
        height: rows of the picture.
        width: columns of the picture.
        start: first column looked at.
        columns: how many.
        first: the block's own first column, of those.
        last: one past its last.
        line: floats of a row with all its activations.
    """

    top: int
    bottom: int
    height: int
    width: int
    start: int
    columns: int
    first: int
    last: int
    line: int


class _Rows(NamedTuple):
    """Rows of all stages in working memory: of each stage (before and after every 3x3 layer) the latest few.

    Attributes:
        samples: where those of the picture begin.
        slopes: where those of its gradients begin.
        nothing: a row of zeros.
        kept: rows of a stage.
        size: floats of a row, all channels.
        residuals: 3x3 layers.
    """

    samples: int
    slopes: int
    nothing: int
    kept: int
    size: int
    residuals: int


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _reached(block: _Block, y: int, reach: int) -> bool:
    """Whether a row of the picture is at most ``reach`` rows from the block."""
    return max(0, block.top - reach) <= y < min(block.height, block.bottom + reach)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _row(rows: _Rows, base: int, stage: int, y: int) -> int:
    return base + (stage * rows.kept + y % rows.kept) * rows.size


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _around(rows: _Rows, base: int, stage: int, y: int, height: int) -> tuple[int, int, int]:
    """The rows above, at and below ``y``, where the picture's edges repeat."""
    above, below = max(y - 1, 0), min(y + 1, height - 1)
    return _row(rows, base, stage, above), _row(rows, base, stage, y), _row(rows, base, stage, below)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _draw(
    net: Net, block: _Block, rows: _Rows, s: int, reach: int, features: Floats, buffer: Floats, places: Ints, back: bool
) -> None:
    """Row ``s`` through the network, and each 3x3 layer one row further up."""
    channels, layers = net.widths[len(net.widths) - 1], len(net.widths) - 1
    if _reached(block, s, reach):
        row, line = _row(rows, rows.samples, 0, s), (s % rows.kept * block.line if back else 0)
        at, plane = s * block.width + block.start, block.height * block.width
        forward_row(net, features, at, plane, block.columns, back, line, row, buffer)
        repeat_edges(buffer, row, channels, block.columns)
    for k in range(1, rows.residuals + 1):
        if _reached(block, s - k, reach - k):
            above, here, below = _around(rows, rows.samples, k - 1, s - k, block.height)
            into, w_at = _row(rows, rows.samples, k, s - k), net.w_at[layers + 1 + 2 * k]
            convolve(buffer, above, here, below, into, channels, block.columns, net.w, w_at, places)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _write(block: _Block, channels: int, y: int, row: int, buffer: Floats, out: Floats) -> None:
    """A row of the picture."""
    for c in range(channels):
        into = (c * block.height + y) * block.width + block.start
        found = row + c * stride_of(block.columns) + MARGIN
        copy(buffer, found + block.first, out, into + block.first, block.last - block.first)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _compare(
    block: _Block, channels: int, y: int, target: Floats, samples: int, slopes: int, buffer: Floats, sums: Floats
) -> float:
    """Gradients of a row's squared error go to ``slopes``; returned is the error of the block's own columns."""
    stride = stride_of(block.columns)
    sums[:] = np.float32(0.0)
    for c in range(channels):
        shift, at = c * stride + MARGIN, (c * block.height + y) * block.width + block.start
        out, found, wanted = buffer[slopes + shift :], buffer[samples + shift :], target[at:]
        for x in range(block.columns):
            out[x] = np.float32(2.0) * (found[x] - wanted[x])
        own, vectors = slopes + shift + block.first, (block.last - block.first + LANES - 1) // LANES
        outer(1, 1, sums, 0, buffer, own, 0, buffer, own, 0, vectors)
    total = 0.0
    for lane in range(LANES):
        total += float(sums[lane])
    return total / 4.0 if _reached(block, y, 0) else 0.0


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _go_back(
    net: Net, block: _Block, rows: _Rows, s: int, g_at: Ints, buffer: Floats, places: Ints, g: Floats,
    d_features: Floats,
) -> None:  # fmt: skip
    """Gradients through each 3x3 layer one row further up, and through the network."""
    channels, layers = net.widths[len(net.widths) - 1], len(net.widths) - 1
    columns, height = block.columns, block.height
    for k in range(rows.residuals, -1, -1):
        y = s - 2 * rows.residuals + k
        if not _reached(block, y, k):
            continue
        row = _row(rows, rows.slopes, k, y)
        if k < rows.residuals:
            above, here, below = _around(rows, rows.slopes, k + 1, y, height)
            above, below = (above if y > 0 else rows.nothing), (below if y < height - 1 else rows.nothing)
            w_at = net.w_at[layers + 4 + 2 * k]
            top, bottom = y == 0, y == height - 1
            pull_back_row(
                buffer, above, here, below, top, bottom, row, channels, columns, net.w, w_at, rows.nothing, places
            )
        if k > 0 and _reached(block, y, 0):
            around = _around(rows, rows.samples, k - 1, y, height)
            correlate_rows(buffer, *around, row, channels, columns, block.first, block.last, g, g_at[k - 1], places)
    y = s - 2 * rows.residuals
    if _reached(block, y, 0):
        at, plane = y * block.width + block.start, block.height * block.width
        line, row = y % rows.kept * block.line, _row(rows, rows.slopes, 0, y)
        backward_row(net, d_features, at, plane, columns, block.first, block.last, line, row, buffer, g)


@_kept
def sweep(
    task: int, bounds: Ints, size: Ints, features: Floats, target: Floats, w: Floats, widths: Ints, kind: int,
    residuals: int, w_at: Ints, b_at: Ints, h_at: Ints, z_at: Ints, g_at: Ints, buffer: Floats, g: Floats,
    out: Floats, d_features: Floats,
) -> float:  # fmt: skip
    """A block of the picture through the synthesiser, and back where ``task`` says so.

    Args:
        task: ``PICTURE`` fills ``out``; ``ERROR`` compares only; ``GRADIENTS`` also adds to ``g`` the gradients of the
            squared error, and puts those of the grids in ``d_features``.
        bounds: first row, one past the last, first column, one past the last. All blocks but the rightmost are a
            multiple of ``LANES`` wide.
        size: rows and columns of the picture.
        features: upsampled grids, plane by plane.
        target: samples, plane by plane.
        w: see :class:`inrcodec.fit.engine.synthesis_kernel.Net`.
        widths: the same.
        kind: the same.
        residuals: 3x3 layers.
        w_at: see ``w``.
        b_at: the same.
        h_at: the same.
        z_at: the same.
        g_at: where the sums of every 3x3 layer begin in ``g``; those of the network come before, its last layer first.
        buffer: working memory of one worker.
        g: sums of gradients.
        out: the picture, plane by plane.
        d_features: gradients of ``features``.

    Returns:
        The squared error, summed.
    """
    net = Net(w, widths, kind, w_at, b_at, h_at, z_at)
    back = task == GRADIENTS
    reach = 2 * residuals if back else residuals  # rows and columns around it that the block depends on
    start, stop = max(0, bounds[2] - reach), min(size[1], bounds[3] + reach)
    columns, channels = stop - start, widths[len(widths) - 1]
    line = line_size(net, columns)
    block = _Block(bounds[0], bounds[1], size[0], size[1], start, columns, bounds[2] - start, bounds[3] - start, line)
    kept, row_size = 2 * residuals + 1, channels * stride_of(columns)
    samples = (kept if back else 1) * line + MARGIN
    slopes = samples + (residuals + 1) * kept * row_size
    nothing = slopes + (residuals + 1) * kept * row_size
    rows = _Rows(samples, slopes, nothing, kept, row_size, residuals)
    buffer[samples - MARGIN : nothing + row_size + PANEL] = np.float32(0.0)
    places, sums = np.empty(BACK_TERMS * 3 * channels, np.int64), np.zeros(LANES, np.float32)
    total = 0.0
    for s in range(block.top - reach, block.bottom + reach):
        _draw(net, block, rows, s, reach, features, buffer, places, back)
        y = s - residuals
        drawn = _row(rows, samples, residuals, y)
        if task == PICTURE:
            if _reached(block, y, 0):
                _write(block, channels, y, drawn, buffer, out)
        elif _reached(block, y, residuals if back else 0):
            slope = _row(rows, slopes, residuals, y)
            total += _compare(block, channels, y, target, drawn, slope, buffer, sums)
        if back:
            _go_back(net, block, rows, s, g_at, buffer, places, g, d_features)
    return total
