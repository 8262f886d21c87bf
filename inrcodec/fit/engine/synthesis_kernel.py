"""The synthesiser's network, one row of the picture at a time: forward, and back with all gradients.

A row is cut into tiles, feature-major like those of :mod:`inrcodec.fit.engine.kernel`. The grids of a tile lie right
behind its last hidden layer, so that the last layer, which sees both, is a layer like any other; and the slopes of the
first layer right behind the gradients of the outputs, so that the gradients of the grids, which come from both, are
one product.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from inrcodec.fit.engine.activations import FLAGS, activate, apply
from inrcodec.fit.engine.kernel import Floats, Ints, _affine, _pull_back
from inrcodec.fit.engine.micro import LANES, OUTER_A, OUTER_B, PANEL, outer
from inrcodec.fit.engine.residual_kernel import MARGIN, copy, stride_of
from inrcodec.fit.engine.stencil import add_lanes

_TILE_PANELS = 192 // PANEL
"""Panels of a tile, about: a tenth faster than 64 pixels, a twentieth than 128, and no slower than 256."""


class Net(NamedTuple):
    """A synthesiser as the kernels take it; :mod:`inrcodec.fit.engine.synthesis_plan` makes the arrays.

    Attributes:
        w: weights.
        widths: grids, then outputs of every layer.
        kind: activation code of the hidden layers.
        w_at: where every layer's matrix begins in ``w``; then that of the last one without the grids, the one that
            brings gradients to the grids, some zeros, and every 3x3 layer's, forward and back.
        b_at: where its biases begin in ``w``.
        h_at: features before the inputs of every layer in a tile; those of the first are the grids.
        z_at: features before every layer's slopes; then the features of a tile.
    """

    w: Floats
    widths: Ints
    kind: int
    w_at: Ints
    b_at: Ints
    h_at: Ints
    z_at: Ints


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def tile_start(tile: int, columns: int) -> int:
    """First column of a tile; those of a row differ by a panel at most, and the last may end past the row."""
    return int((columns + PANEL - 1) // PANEL * tile // tile_count(columns) * PANEL)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def tile_count(columns: int) -> int:
    """Tiles of a row."""
    return max(1, ((columns + PANEL - 1) // PANEL + _TILE_PANELS // 2) // _TILE_PANELS)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def line_size(net: Net, columns: int) -> int:
    """Floats of a row with all its activations."""
    return int(tile_start(tile_count(columns), columns) * net.z_at[len(net.z_at) - 1])


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _inputs(net: Net, k: int) -> int:
    """Features that layer ``k`` sees: the last one after hidden ones sees the grids too."""
    return int(net.widths[k] + (net.widths[0] if 0 < k == len(net.widths) - 2 else 0))


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _forward(net: Net, base: int, tile: int, slopes: bool, buffer: Floats) -> None:
    """A tile through the network: its outputs lie where later their gradients do."""
    last = len(net.widths) - 2
    for k in range(last + 1):
        h = base + net.h_at[k + 1] * tile if k < last else 0
        z = base + net.z_at[k] * tile if slopes or k == last else h
        x, outputs = base + net.h_at[k] * tile, net.widths[k + 1]
        _affine(buffer, net.w, net.w_at[k], net.b_at[k], _inputs(net, k), outputs, x, z, tile)
        if k == last:
            continue
        if slopes:
            activate(net.kind, buffer, z, h, outputs * tile)
        else:
            apply(net.kind, buffer, z, outputs * tile)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _collect(g: Floats, at: int, buffer: Floats, dz: int, h: int, inputs: int, outputs: int, tile: int) -> int:
    """As in :mod:`inrcodec.fit.engine.kernel`, to the bit, but with the biases' sums in registers."""
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
        add_lanes(g, at, buffer, dz + j * tile, tile // LANES)
        at += LANES
    return at


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def _backward(net: Net, base: int, tile: int, buffer: Floats, g: Floats) -> None:
    """From the gradients of a tile's outputs to those of the weights, added to ``g``, and those of the grids."""
    last = len(net.widths) - 2
    skip_at, grids_at, zeros_at = net.w_at[last + 1], net.w_at[last + 2], net.w_at[last + 3]
    at = 0
    for k in range(last, -1, -1):
        dz, outputs = base + net.z_at[k] * tile, net.widths[k + 1]
        at = _collect(g, at, buffer, dz, base + net.h_at[k] * tile, _inputs(net, k), outputs, tile)
        if k > 0:
            matrix, below = (skip_at if k == last else net.w_at[k]), base + net.z_at[k - 1] * tile
            _pull_back(buffer, net.w, matrix, net.widths[k], outputs, dz, below, tile)
    sources = net.widths[last + 1] + (net.widths[1] if last > 0 else 0)
    dz, grids = base + net.z_at[last] * tile, base + net.h_at[0] * tile
    _affine(buffer, net.w, grids_at, zeros_at, sources, net.widths[0], dz, grids, tile)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def forward_row(
    net: Net, features: Floats, at: int, plane: int, columns: int, slopes: bool, line: int, row: int, buffer: Floats
) -> None:
    """A row through the network.

    Args:
        net: the network.
        features: upsampled grids, plane by plane.
        at: the row's first sample of the first plane.
        plane: samples of a plane.
        columns: of the row.
        slopes: keep what :func:`backward_row` needs.
        line: where in ``buffer`` the activations go.
        row: where in ``buffer`` the outputs go.
        buffer: working memory.
    """
    last, stride = len(net.widths) - 2, stride_of(columns)
    deep = net.z_at[last + 1]
    for t in range(tile_count(columns)):
        start, end = tile_start(t, columns), tile_start(t + 1, columns)
        tile, count, base = end - start, min(end, columns) - start, line + (start * deep if slopes else 0)
        for f in range(net.widths[0]):
            into, found = base + (net.h_at[0] + f) * tile, at + f * plane + start
            copy(features, found, buffer, into, count)
            buffer[into + count : into + tile] = np.float32(0.0)
        _forward(net, base, tile, slopes, buffer)
        for c in range(net.widths[last + 1]):
            into, found = row + c * stride + MARGIN + start, base + (net.z_at[last] + c) * tile
            copy(buffer, found, buffer, into, count)


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def backward_row(
    net: Net, d_features: Floats, at: int, plane: int, columns: int, first: int, last: int, line: int, row: int,
    buffer: Floats, g: Floats,
) -> None:  # fmt: skip
    """The way back of :func:`forward_row`, for some columns of the row; the others' gradients are taken as zero.

    Args:
        net: the network.
        d_features: where the gradients of the grids go, plane by plane.
        at: the row's first sample of the first plane.
        plane: samples of a plane.
        columns: of the row.
        first: first column that counts.
        last: one past the last.
        line: where in ``buffer`` the activations are.
        row: where in ``buffer`` the gradients of the outputs are.
        buffer: working memory.
        g: sums of the weights' gradients.
    """
    end_layer, stride = len(net.widths) - 2, stride_of(columns)
    deep = net.z_at[end_layer + 1]
    for t in range(tile_count(columns)):
        start, end = tile_start(t, columns), tile_start(t + 1, columns)
        tile, base = end - start, line + start * deep
        lower, upper = max(start, first), min(end, last)
        if lower >= upper:
            continue
        for c in range(net.widths[end_layer + 1]):
            into, found = base + (net.z_at[end_layer] + c) * tile, row + c * stride + MARGIN
            buffer[into : into + tile] = np.float32(0.0)
            copy(buffer, found + lower, buffer, into + lower - start, upper - lower)
        _backward(net, base, tile, buffer, g)
        for f in range(net.widths[0]):
            into, found = at + f * plane, base + (net.h_at[0] + f) * tile - start
            copy(buffer, found + lower, d_features, into + lower, upper - lower)
