"""Where everything of a net lies: weights in the flat vector, tiles in working memory, gradients in their blocks."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inrcodec.fit.engine.activations import CODES
from inrcodec.fit.engine.layers import Layer
from inrcodec.fit.engine.micro import LANES, ORDER, OUTER_A, OUTER_B, PANEL


def _balanced(count: int, block: int) -> list[int]:
    """Sizes of the fewest blocks of at most ``block``, as the kernels cut them."""
    blocks, sizes, done = -(-count // block), [], 0
    for k in range(blocks):
        sizes.append((count - done) // (blocks - k))
        done += sizes[-1]
    return sizes


class Plan:
    """The layout of one network; see :func:`plan`.

    Weights come as one flat vector: the matrices ``(outputs, inputs)`` layer by layer, then the biases layer by layer.

    Attributes:
        layers: the network.
        weights: how many weights and biases.
        scale: ``(weights,)`` float32, the frequency each is multiplied with before use (and its gradient after).
        gradient_size: floats of a worker's sums of gradients.
    """

    def __init__(self, layers: tuple[Layer, ...], tile: int) -> None:
        if tile % PANEL:
            raise ValueError(f"a tile is a multiple of {PANEL} pixels, not {tile}")
        for layer, following in pairwise(layers):
            if layer.outputs != following.inputs:
                raise ValueError(f"a layer gives {layer.outputs} features, the next one takes {following.inputs}")
        self.layers, self.tile = layers, tile
        matrices = [layer.inputs * layer.outputs for layer in layers]
        biases = [layer.outputs for layer in layers]
        starts = np.cumsum([0, *matrices, *biases])
        self.weights = int(starts[-1])
        self.w_at, self.b_at = starts[: len(layers)].astype(np.int64), starts[len(layers) : -1].astype(np.int64)
        self.scale = np.empty(self.weights, np.float32)
        for k, layer in enumerate(layers):
            self.scale[self.w_at[k] : self.w_at[k] + matrices[k]] = layer.frequency
            self.scale[self.b_at[k] : self.b_at[k] + biases[k]] = layer.frequency
        self.widths = np.array([layers[0].inputs, *(layer.outputs for layer in layers)], np.int64)
        self.kinds = np.array([CODES[layer.activation] for layer in layers], np.int64)
        places = np.cumsum([0, *(self.widths * tile), *(self.widths[1:] * tile)])
        self.h_at, self.z_at = places[: len(layers) + 1].astype(np.int64), places[len(layers) + 1 : -1].astype(np.int64)
        self.buffer_size = int(places[-1])
        self.sources, self.gradient_size = self._sources()
        self._bias_lanes = self.sources[int(self.b_at[0]) :, None] + np.arange(LANES)

    def _sources(self) -> tuple[NDArray[np.int64], int]:
        """Where each matrix entry's sum lies; a bias names the first of its ``LANES`` partial sums."""
        where = np.empty(self.weights, np.int64)
        at = 0
        for k in reversed(range(len(self.layers))):
            layer, row = self.layers[k], 0
            for rows in _balanced(layer.outputs, OUTER_A):
                column = 0
                for columns in _balanced(layer.inputs, OUTER_B):
                    for lane, pair in enumerate(ORDER):
                        j, i = divmod(pair, columns)
                        if j < rows:
                            where[self.w_at[k] + (row + j) * layer.inputs + column + i] = at + lane
                    column += columns
                    at += LANES
                row += rows
            where[self.b_at[k] : self.b_at[k] + layer.outputs] = at + LANES * np.arange(layer.outputs)
            at += LANES * layer.outputs
        return where, at

    def gather(self, sums: NDArray[np.float32]) -> NDArray[np.float32]:
        """The flat gradient ``(weights,)`` from the workers' sums ``(workers, gradient_size)``, added in order."""
        with np.errstate(over="ignore", invalid="ignore"):  # a fit that diverges is no reason for numpy to warn
            total = sums[0] if len(sums) == 1 else sums.sum(0)
            first_bias = int(self.b_at[0])
            gradient = np.empty(self.weights, np.float32)
            gradient[:first_bias] = total[self.sources[:first_bias]]
            gradient[first_bias:] = total[self._bias_lanes].sum(1)
            gradient *= self.scale
        return gradient

    def scaled(self, flat: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weights as the kernels take them: each layer's frequency in them."""
        with np.errstate(over="ignore"):
            return flat * self.scale


@lru_cache(maxsize=64)
def plan(layers: tuple[Layer, ...], tile: int) -> Plan:
    """The layout of a network whose pixels go through in tiles of ``tile``; made once for each.

    Raises:
        ValueError: layers that do not fit together, or a tile the kernels cannot cut.
    """
    return Plan(layers, tile)
