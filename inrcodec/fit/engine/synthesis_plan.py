"""Where everything of a synthesiser lies: weights as the kernels take them, tiles, gradients in their blocks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.fit.engine.activations import CODES
from inrcodec.fit.engine.layers import Layer
from inrcodec.fit.engine.micro import LANES, ORDER, PANEL
from inrcodec.fit.engine.plan import Plan
from inrcodec.fit.engine.residual_kernel import MARGIN, row_stride
from inrcodec.net.grid import TAPS, GridArch

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_BACK_ROWS = (0, 1, 2, 0, 2)
"""Row of a 3x3 filter that each of the terms of a gradient goes through."""


def _offsets(arch: GridArch) -> dict[str, Ints]:
    """Places of every tensor's weights in the flat vector, in the tensor's shape."""
    found, at = {}, 0
    for spec in arch.tensors():
        found[spec.name] = np.arange(at, at + spec.size).reshape(spec.shape)
        at += spec.size
    return found


def _back(filters: NDArray[Any]) -> NDArray[Any]:
    """A 3x3 layer's weights as its way back takes them: ``(inputs, terms, outputs, 3)``."""
    return filters.transpose(1, 2, 0, 3)[:, _BACK_ROWS]


class SynthesisPlan:
    """The layout of one synthesiser; see :func:`synthesis_plan`.

    Attributes:
        arch: the architecture.
        size: weights of all its tensors.
        upsampling: where in the flat vector the taps' deviations lie, ``(rungs, taps)``.
        filters: the same of the grids' own filters, ``(filters, taps)``.
        widths: grids, then outputs of every layer.
        kind: activation code of the hidden layers.
        w_at: see :func:`inrcodec.fit.engine.synthesis_kernel.sweep`, as for the next ones.
        b_at: the same.
        h_at: the same.
        z_at: the same.
        g_at: the same.
        gradient_size: floats of a worker's sums of gradients.
    """

    def __init__(self, arch: GridArch, unit: float) -> None:
        self.arch, self.size = arch, arch.params
        places = _offsets(arch)
        self.upsampling, self.filters = (places.get(name, np.empty((0, TAPS), np.int64)) for name in "UV")
        hidden, outputs = arch.hidden, arch.outputs
        self.layers = len(hidden) + 1
        self.widths = np.array([arch.grids, *hidden, outputs], np.int64)
        self.kind = CODES[arch.activation]
        matrices = [places[f"S{k}"] for k in range(len(hidden))] + [places["S.out"]]
        biases = np.split(places["S.bias"], np.cumsum(hidden, dtype=np.int64)) if hidden else [places["S.bias"]]
        self._layers = list(zip(matrices, biases, strict=True))
        self._residuals = [places[f"R{k}"] for k in range(arch.residuals)]
        self._scale = self._scales(arch, unit)
        self._lay_out_weights()
        self._lay_out_tiles()
        self._lay_out_gradients()

    def _scales(self, arch: GridArch, unit: float) -> Floats:
        """What every weight is multiplied with before use: frequency of its layer, unit of the grids."""
        scale = np.zeros(self.size, np.float32)
        frequency = arch.w0 / 8 if arch.activation == "sine" else 1.0
        for k, (matrix, bias) in enumerate(self._layers):
            scale[matrix] = scale[bias] = frequency if k < len(self._layers) - 1 else 1.0
        scale[self._layers[0][0]] *= unit
        if arch.hidden:
            scale[self._layers[-1][0][:, arch.hidden[-1] :]] *= unit
        for residual in self._residuals:
            scale[residual] = 1.0
        return scale

    def _lay_out_weights(self) -> None:
        hidden, outputs = self.arch.hidden, self.arch.outputs
        last = self._layers[-1][0]
        beside = last[:, hidden[-1] :] if hidden else last  # of the grids themselves
        pieces = [matrix for matrix, _ in self._layers]
        pieces.append(last[:, : hidden[-1]] if hidden else last[:, :0])
        pieces.append(np.concatenate([beside.T, self._layers[0][0].T], 1) if hidden else beside.T)
        nothing = len(pieces)
        pieces.append(np.zeros(self.arch.grids, np.int64))
        identity = np.zeros((outputs, outputs, 3, 3), np.float32)
        identity[range(outputs), range(outputs), 1, 1] = 1.0
        for residual in self._residuals:
            pieces += [residual, _back(residual)]
        starts = np.cumsum([0, *(piece.size for piece in pieces)])
        self.w_at = starts[:-1].astype(np.int64)
        ends = np.cumsum([starts[-1], *(bias.size for _, bias in self._layers)])
        self.b_at = ends[:-1].astype(np.int64)
        self._take = np.concatenate([piece.ravel() for piece in (*pieces, *(bias for _, bias in self._layers))])
        self._factor = self._scale[self._take]
        self._factor[starts[nothing] : starts[nothing + 1]] = 0.0
        self._plus = np.zeros(len(self._take), np.float32)
        for k in range(len(self._residuals)):
            for at, piece in enumerate((identity, _back(identity)), start=nothing + 1 + 2 * k):
                self._plus[starts[at] : starts[at + 1]] = piece.ravel()

    def _lay_out_tiles(self) -> None:
        hidden = [int(width) for width in self.arch.hidden]
        inside = np.cumsum([0, *hidden])
        self.h_at = np.array([inside[-1], *inside[:-1]], np.int64)
        at, places = int(inside[-1]) + self.arch.grids, {}
        order = [*range(len(hidden) - 1, 0, -1), len(hidden), *([0] if hidden else [])]
        for k in order:
            places[k] = at
            at += int(self.widths[k + 1])
        self.z_at = np.array([*(places[k] for k in range(self.layers)), at], np.int64)

    def _lay_out_gradients(self) -> None:
        at, into, lanes_into, found, lanes = 0, [], [], [], []
        for matrix, bias in reversed(self._layers):
            outputs, inputs = matrix.shape
            blocks = Plan((Layer(inputs, outputs, "linear"),), PANEL)
            into.append(matrix.ravel())
            found.append(at + blocks.sources[: matrix.size])
            lanes_into.append(bias)
            lanes.append(at + blocks.sources[matrix.size :])
            at += blocks.gradient_size
        columns = min(4, LANES // self.arch.outputs)
        starts = []
        for residual in self._residuals:
            starts.append(at)
            filters = residual.reshape(self.arch.outputs, -1)
            for first in range(0, filters.shape[1], columns):
                block = filters[:, first : first + columns].ravel()
                lane_of = {pair: lane for lane, pair in enumerate(ORDER)}
                into.append(block)
                found.append(np.array([at + lane_of[pair] for pair in range(len(block))]))
                at += LANES
        self.g_at, self.gradient_size = np.array(starts, np.int64), at
        self._into, self._found = np.concatenate(into), np.concatenate(found)
        self._lanes_into, self._lanes = np.concatenate(lanes_into), np.concatenate(lanes)[:, None] + np.arange(LANES)

    def weights(self, flat: Floats) -> Floats:
        """The flat vector as the kernels take it."""
        with np.errstate(over="ignore", invalid="ignore"):
            taken: Floats = flat[self._take] * self._factor + self._plus
        return taken

    def gather(self, sums: Floats) -> Floats:
        """The flat gradient from the blocks' sums ``(blocks, gradient_size)``, added in order."""
        with np.errstate(over="ignore", invalid="ignore"):  # a fit that diverges is no reason for numpy to warn
            total = sums[0] if len(sums) == 1 else sums.sum(0)
            gradient = np.zeros(self.size, np.float32)
            gradient[self._into] = total[self._found]
            gradient[self._lanes_into] = total[self._lanes].sum(1)
            gradient *= self._scale
        return gradient

    def buffer_size(self, columns: int, *, gradients: bool) -> int:
        """Floats of working memory for blocks of so many columns."""
        kept = 2 * self.arch.residuals + 1
        line = -(-columns // PANEL) * PANEL * int(self.z_at[-1]) * (kept if gradients else 1)
        rows = 2 * (self.arch.residuals + 1) * kept + 1
        return line + 2 * MARGIN + rows * self.arch.outputs * row_stride(columns) + 2 * PANEL


@lru_cache(maxsize=64)
def synthesis_plan(arch: GridArch, unit: float) -> SynthesisPlan:
    """The layout of an architecture's synthesiser; made once for each.

    Args:
        arch: the architecture.
        unit: what the grids are multiplied with before the network sees them.
    """
    return SynthesisPlan(arch, unit)
