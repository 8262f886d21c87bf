"""Where everything of the latents' rate lies: bands of rows, strips of a band, tiles of a strip, weights, gradients.

A grid is cut into *slots*, bands of rows whose gradients are summed apart, and a slot into *strips*, few enough rows to
stay in cache. Inside a strip rows lie one after the other with ``GAP`` zeros between them, and coarser grids are
repeated to the same size and layout: every value of a context then lies at a fixed distance from its latent, and a
tile is a run of ``TILE`` places, whatever the width of the grid. A refinement's contexts see one level more: what the
layer below comes to.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from inrcodec.fit.engine.micro import LANES, ORDER, OUTER_A, OUTER_B
from inrcodec.fit.engine.plan import _balanced
from inrcodec.net.grid import CAUSAL, PARENTS, GridArch
from inrcodec.net.layered import BELOW as UNDER
from inrcodec.net.layered import LayeredArch

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

TILE = 128
"""Places a tile: enough to pay for a weight gradient's last sums, few enough for the innermost caches."""
GAP = 4
"""Zeros between rows: the three that neighbours reach, and one where a coarser grid goes further than this one."""
SLACK = 16
"""Places before a strip's rows that contexts reach into."""
TAIL = 2 * TILE
"""Places after them: the rest of the last tile, and what its contexts reach."""

UNDERNEATH = 1 + max(up for up, _, _ in PARENTS)
"""The level of the layer below, behind the grid itself and the coarser ones that contexts see."""
LEVELS = UNDERNEATH + 1
_UPS = range(1, UNDERNEATH)
ABOVE = (
    max(-dy for dy, _ in CAUSAL),
    *(max(-dy << k for up, dy, _ in PARENTS if up == k) for k in _UPS),
    max(-dy for dy, _ in UNDER),
)
"""Rows above a strip that its contexts see, of every level, coarser ones repeated."""
BELOW = (0, *(max(dy << k for up, dy, _ in PARENTS if up == k) for k in _UPS), max(dy for dy, _ in UNDER))
"""Rows below a strip that its contexts see."""
UPS = (*range(UNDERNEATH), 0)
"""Octaves that a level is coarser than the grid."""
NOWHERE = -1
"""The source of a level that a grid does not have."""

POSITION, LOG_SCALE, LATENT, VALID, BITS, PULL, LAW_ROWS = range(7)
"""Rows of a tile around the law: the last layer's outputs (later their gradients), the latents, ones where a place
holds one, sums of bits, gradients of the latents; and how many."""

_STRIP, _SLOT, _MAX_SLOTS = 1024, 16384, 64
"""Places that are worth a strip and a slot, and slots of a large picture, about."""


class ContextPlan:
    """The layout of one layer of an architecture and picture size; see :func:`context_plan`.

    Attributes:
        total: all weights of the architecture.
        latents: of the layer's grids.
        values: those, and where there is a layer below, as many of it behind them.
        grids: ``(grids, 3)``: first value, rows and columns, of the layer's grids, then of those below.
        sources: ``(grids of the layer, LEVELS)``: which of the grids a level is, or ``NOWHERE``.
        seen: ``(inputs, 3)``: level, rows down and columns right of every value of a context, in latents of the grid.
        levels: how many levels contexts see.
        fan: ``(layers, 2)``: inputs and outputs.
        w_at: where each layer's matrix begins.
        b_at: ``(grids, layers)``: where each grid's biases begin.
        tail_at: where the additions to the weights begin, see :meth:`extended`.
        h_at: where in a tile each layer's inputs lie, a row of ones behind them; those of the first are also the last
            of the last one's.
        z_at: where each layer's slopes lie, the first layer's right before the last one's.
        pull_at: where the gradients of a tile's contexts lie.
        tile_size: floats of a tile.
        slots: ``(slots, 4)``: grid, first row, one past the last, rows a strip.
        parts: ``(slots, LEVELS, 3)``: where a slot keeps gradients of latents, the first row of them, and how many.
        part_size: floats of all parts.
        gradient_size: floats of a slot's sums of gradients of weights.
        room: floats of the largest strip with all its levels.
        buffer_size: floats of a worker's memory: a tile, a strip, its gradients, and which places hold a latent.
    """

    def __init__(self, arch: GridArch, width: int, height: int, layer: int) -> None:
        self.arch, self.layer = arch, layer
        shapes = arch.shapes(width, height) * (2 if layer else 1)
        starts = list(accumulate((rows * columns for rows, columns in shapes), initial=0))
        self.total, self.latents, self.values = arch.params, starts[arch.grids], starts[-1]
        self.grids = np.array([(at, *shape) for at, shape in zip(starts, shapes, strict=False)], np.int64)
        seen = [(0, *place) for place in CAUSAL[: arch.neighbours]]
        seen += [(up, dy << up, dx << up) for up, dy, dx in PARENTS[: arch.parents]]
        if layer:
            seen += [(UNDERNEATH, dy, dx) for dy, dx in UNDER]
        self.seen, self.levels = np.array(seen, np.int64), 1 + max(level for level, _, _ in seen)
        self.sources = np.full((arch.grids, LEVELS), NOWHERE, np.int64)
        for grid in range(arch.grids):
            for up in range(min(grid + 1, UNDERNEATH, self.levels)):
                self.sources[grid, up] = grid - up
            if layer:
                self.sources[grid, UNDERNEATH] = arch.grids + grid
        self._lay_weights()
        self._lay_tile()
        self._sources, self.gradient_size = self._find_sources()
        self._cut()

    def _lay_weights(self) -> None:
        arch, context = self.arch, self.arch.context
        if self.layer:
            assert isinstance(arch, LayeredArch)
            fan, self._from = list(arch.refining_fan()), arch.up_to(self.layer - 1).params
        else:
            fan, self._from = list(arch.context_fan()), 0
        self.fan, self.inputs = np.array(fan, np.int64), fan[0][0]
        *matrices, self._bias_at = accumulate((a * b for a, b in fan), initial=0)
        self.w_at = np.array(matrices, np.int64)
        self._biases = sum(context) + 2
        self._shifts = np.array([0, *accumulate(context)], np.int64)
        self.b_at = self._bias_at + np.arange(arch.grids)[:, None] * self._biases + self._shifts
        self._weights = self._bias_at + arch.grids * self._biases
        self._first, self._last = (context[0], context[-1]) if context else (0, 0)
        additions = [self._weights, 2 * self._last, (self._first + 2) * self.inputs]
        self.tail_at = np.array(list(accumulate(additions)), np.int64)

    def _lay_tile(self) -> None:
        context = self.arch.context
        h_at, row = [0], 0
        for k, hidden in enumerate(context):
            h_at.append(row)
            row += hidden + (k + 1 < len(context))  # no ones between the last hidden layer and the context
        h_at[0] = row
        row += self.inputs + 1
        z_at = [0] * (len(context) + 1)
        for k in reversed(range(len(context))):
            z_at[k] = row
            row += context[k]
        z_at[-1] = row
        row += LAW_ROWS
        self.h_at, self.z_at, self.pull_at = np.array(h_at) * TILE, np.array(z_at) * TILE, row * TILE
        self.tile_size = (row + self.inputs) * TILE

    def _find_sources(self) -> tuple[Ints, int]:
        """Where the kernels leave the sums of all matrices, then of one grid's biases, which are those of the ones."""
        where = np.empty(self._bias_at + self._biases, np.int64)
        at = 0
        for k in reversed(range(len(self.fan))):
            inputs, outputs = self.fan[k].tolist()
            targets = np.empty((outputs, inputs + 1), np.int64)
            targets[:, :inputs] = self.w_at[k] + np.arange(outputs * inputs).reshape(outputs, inputs)
            targets[:, inputs] = self._bias_at + self._shifts[k] + np.arange(outputs)
            row = 0
            for rows in _balanced(outputs, OUTER_A):
                column = 0
                for columns in _balanced(inputs + 1, OUTER_B):
                    for lane, pair in enumerate(ORDER):
                        if pair < rows * columns:
                            where[targets[row + pair // columns, column + pair % columns]] = at + lane
                    column += columns
                    at += LANES
                row += rows
        return where, at

    def _cut(self) -> None:
        slots: list[tuple[int, int, int, int]] = []
        parts: list[tuple[int, int, int]] = []
        enough = max(_SLOT, self.latents // _MAX_SLOTS)
        self.part_size = self.room = mask = 0
        for grid, (_, rows, columns) in enumerate(self.grids[: self.arch.grids].tolist()):
            stride = columns + GAP
            strip = 8 * -(-_STRIP // (8 * stride))  # whole rows of all coarser grids
            band = strip * -(-enough // (strip * stride))
            strip = min(strip, rows)
            self.room = max(self.room, sum(strip_size(k, strip, stride) for k in range(self.levels)))
            mask = max(mask, strip * stride + TILE)
            for first in range(0, rows, band):
                last = min(rows, first + band)
                slots.append((grid, first, last, strip))
                parts += [self._part(grid, k, first, last) for k in range(LEVELS)]
        self.slots = np.array(slots, np.int64)
        self.parts = np.array(parts, np.int64).reshape(-1, LEVELS, 3)
        self.buffer_size = self.tile_size + 2 * self.room + mask

    def _part(self, grid: int, level: int, first: int, last: int) -> tuple[int, int, int]:
        """Room for the gradients that rows ``first .. last - 1`` send to a level: where, its first row, rows."""
        at, source = self.part_size, int(self.sources[grid, level])
        if source == NOWHERE:
            return at, 0, 0
        _, rows, columns = self.grids[source].tolist()
        up = UPS[level]
        top = max(0, (first - ABOVE[level]) >> up)
        count = min(rows, ((last - 1 + BELOW[level]) >> up) + 1) - top
        self.part_size += count * columns
        return at, top, count

    def extended(self, flat: Floats) -> Floats:
        """The context model's weights as the kernels take them, with three additions.

        They are the part of the last matrix that leads back to the last hidden layer, the one that leads back to the
        context from the first layer and the last, transposed, and the zeros where that sum starts.
        """
        inputs, flat = self.inputs, flat[self._from : self._from + self._weights]
        out = flat[self.w_at[-1] : self._bias_at].reshape(2, -1)
        both = np.concatenate([flat[: self._first * inputs].reshape(self._first, inputs), out[:, self._last :]])
        zeros = np.zeros(inputs, np.float32)
        return np.concatenate([flat, out[:, : self._last].ravel(), both.T.ravel(), zeros])

    def gather(self, sums: Floats) -> Floats:
        """The flat gradient of all weights from the slots' sums ``(slots, gradient_size)``, added in order."""
        gradient = np.zeros(self.total, np.float32)
        own = gradient[self._from : self._from + self._weights]
        with np.errstate(over="ignore", invalid="ignore"):  # a fit that diverges is no reason for numpy to warn
            found = sums[:, self._sources]
            own[: self._bias_at] = found[:, : self._bias_at].sum(0)
            biases = own[self._bias_at :].reshape(-1, self._biases)
            for grid in range(self.arch.grids):
                biases[grid] = found[self.slots[:, 0] == grid, self._bias_at :].sum(0)
        return gradient

    def join(self, parts: Floats) -> Floats:
        """The gradient of all values from the slots' parts, added in order."""
        pull = np.zeros(self.values, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for (grid, _, _, _), levels in zip(self.slots.tolist(), self.parts.tolist(), strict=True):
                for k, (at, top, rows) in enumerate(levels):
                    if rows:
                        start, _, columns = self.grids[self.sources[grid, k]].tolist()
                        first, count = start + top * columns, rows * columns
                        pull[first : first + count] += parts[at : at + count]
        return pull

    def grid_sums(self, values: NDArray[np.float64]) -> tuple[float, ...]:
        """Sums over each grid's slots."""
        return tuple(float(values[self.slots[:, 0] == grid].sum()) for grid in range(self.arch.grids))


def strip_size(level: int, rows: int, stride: int) -> int:
    """Floats of one level of a strip."""
    return SLACK + (ABOVE[level] + rows + BELOW[level]) * stride + TAIL


@lru_cache(maxsize=64)
def context_plan(arch: GridArch, width: int, height: int, layer: int = 0) -> ContextPlan:
    """The layout of a layer of an architecture at a picture size; made once for each. The base is layer 0."""
    return ContextPlan(arch, width, height, layer)
