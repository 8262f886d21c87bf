"""The context model in exact integer arithmetic: the same laws on every machine, whatever its BLAS.

Every number below is a float64 that holds a multiple of a power of two, of at most 53 bits from that power up, so
that sums and products are exact in any order. In the units written:

    context           1        integers below 2^15
    C0 .. C(k)        2^-12    |w| < 2^6:  integers below 2^18;   biases |b| < 2^12:  below 2^24
    h_1 .. h_k        2^-10    floor(x + 1/2), cut to 0 .. 2^24 - 1
    C.out, position   2^-12    like C0; the sum counts 64ths of a symbol in steps of 2^-16
    C.out, log-scale  2^-8     of 1/16 octave: integers below 2^18;   bias below 2^24;   the sum is in steps of 2^-18

At most 128 + 34 terms of at most 2^(24+18) steps each, and 34 more of 2^(15+18+10), add up to less than 2^50 steps.
Weights beyond the bounds are cut to them. No exp, log, sine or division has a part in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.net.grid import GridArch
from inrcodec.net.layered import CONTEXTS

FRACTIONS = 64
"""Positions of a law to the symbol."""

PER_OCTAVE = 16
"""Scales of a law to the octave: index s stands for ``2^((s - UNIT_SCALE) / 16)``."""

UNIT_SCALE = 116
"""The index of scale 1."""

SCALES = 256
"""Scales of a law: from 2^-7.25 (e^-5.03) to nearly 2^8.69 (e^6.02)."""

MAX_LATENT = 4095
"""Largest magnitude of a latent, and of the position of its law."""

PER_NAT = 23.083120654223414
"""Scale indices to a factor e: 16 / ln 2. What is written here is what counts, not the logarithm of any machine."""

_WEIGHT, _BIAS = float((1 << 18) - 1), float((1 << 24) - 1)
_CUT = float((1 << 24) - 1)

Float = NDArray[np.float64]


def _fixed(values: Float, unit: float, bound: float) -> Float:
    """Integers nearest to values over a unit (NaN as 0), cut to a bound."""
    integers: Float = np.rint(np.nan_to_num(values / unit, nan=0.0, posinf=bound, neginf=-bound))
    return np.minimum(np.maximum(integers, -bound), bound)


class ContextModel:
    """The laws of latents from their contexts.

    Attributes:
        arch: the architecture.
    """

    def __init__(self, arch: GridArch, tensors: Mapping[str, NDArray[np.floating[Any]]]) -> None:
        self.arch = arch
        names = [spec.name for spec in arch.tensors() if spec.name[0] in CONTEXTS]
        exact = {name: np.asarray(tensors[name], np.float64) for name in names}
        self._layers = [self._plane_layers(exact, *arch.context_tensors(plane)) for plane in range(arch.planes)]

    def _plane_layers(self, tensors: Mapping[str, Float], letter: str, row: int) -> list[Float]:
        """Matrices of one grid, their last column the bias, so that each layer is ``floor(A [x, 1])``."""
        biases = np.split(tensors[f"{letter}.bias"][row], np.cumsum(self.arch.context))
        layers = []
        for k, bias in enumerate(biases[:-1]):
            matrix = _fixed(tensors[f"{letter}{k}"], 2.0**-12, _WEIGHT) * (2.0**-2 if k == 0 else 2.0**-12)
            layers.append(np.column_stack([matrix, _fixed(bias, 2.0**-12, _BIAS) * 2.0**-2 + 0.5]))
        last = tensors[f"{letter}.out"]
        units = np.array([2.0**-12, 2.0**-8])
        matrix = np.stack([_fixed(last[0], units[0], _WEIGHT), _fixed(last[1] * PER_NAT, units[1], _WEIGHT)])
        matrix *= np.array([[2.0**-6], [2.0**-8]])
        deep = self.arch.context[-1] if self.arch.context else 0
        matrix[:, :deep] *= 2.0**-10
        position, scale = _fixed(biases[-1][:1], units[0], _BIAS), _fixed(biases[-1][1:] * PER_NAT, units[1], _BIAS)
        # Half a unit for rounding; half a symbol so that the whole part of a position is its nearest integer.
        offsets = [position * 2.0**-6 + 0.5 + FRACTIONS / 2, scale * 2.0**-8 + 0.5 + UNIT_SCALE]
        layers.append(np.column_stack([matrix, np.stack(offsets)]))
        return layers

    def at(self, plane: int, count: int) -> Evaluator:
        """The model of a grid in the stream for ``count`` latents at a time."""
        return Evaluator(self.arch.context_inputs(plane), self._layers[plane], count)

    def laws(self, contexts: NDArray[np.integer[Any]], plane: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Laws of any number of latents of a grid.

        Args:
            contexts: ``(n, inputs)``, magnitudes below 2^15.
            plane: which grid of the stream, 0 the coarsest.

        Returns:
            Positions in 64ths of a symbol, and indices of scales, each ``(n,)``.
        """
        evaluator = self.at(plane, len(contexts))
        evaluator.context[:] = contexts.T
        centred, scale = evaluator.run()
        return centred - FRACTIONS // 2, scale.copy()


_BLOCK, _SHARED = 256, 1 << 18
"""Columns of a product, at most; and multiplications of one that BLAS shares among threads, which on a busy machine
wait for each other, ten times as long as they work, and gain nothing on an idle one."""


def _product(matrix: Float, source: Float, target: Float) -> None:
    """``target = matrix @ source``, block by block; all are whole numbers, so that the order is all the same."""
    columns = max(1, min(_BLOCK, _SHARED // matrix.size))
    for start in range(0, source.shape[1], columns):
        block = slice(start, start + columns)
        np.matmul(matrix, source[:, block], out=target[:, block])


class Evaluator:
    """The context model of one grid with room for so many latents; made once, run often.

    Attributes:
        context: ``(inputs, count)``, to be filled before each run.
    """

    def __init__(self, inputs: int, layers: list[Float], count: int) -> None:
        *hidden, last = layers
        deep = last.shape[1] - inputs - 1
        seen = np.ones((last.shape[1], count))  # the last hidden layer, the context, ones
        self.context = seen[deep : deep + inputs]
        self._steps: list[tuple[Float, Float, Float]] = []
        source = seen[deep:]
        for k, matrix in enumerate(hidden):
            target = np.ones((len(matrix) + 1, count)) if k + 1 < len(hidden) else seen
            self._steps.append((matrix, source, target[: len(matrix)]))
            source = target
        self._last = last, seen
        self._sums = np.empty((2, count))
        self._lowest = np.array([[-MAX_LATENT * FRACTIONS + FRACTIONS // 2], [0]], np.float64)
        self._highest = np.array([[MAX_LATENT * FRACTIONS + FRACTIONS // 2], [SCALES - 1]], np.float64)
        self._laws = np.empty((2, count), np.int32)

    def run(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The laws of the contexts.

        Returns:
            Positions in 64ths of a symbol plus 32, and indices of scales, each ``(count,)``; the next run overwrites
            them.
        """
        for matrix, source, target in self._steps:
            _product(matrix, source, target)
            np.maximum(target, 0.0, out=target)
            np.minimum(target, _CUT, out=target)
            np.floor(target, out=target)
        sums = self._sums
        _product(*self._last, sums)
        np.floor(sums, out=sums)
        np.maximum(sums, self._lowest, out=sums)
        np.minimum(sums, self._highest, out=sums)
        np.copyto(self._laws, sums, casting="unsafe")  # whole numbers
        return self._laws[0], self._laws[1]
