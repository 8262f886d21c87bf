"""The zero-inflated law of a quantised tensor, from transmitted integers to a probability table.

A symbol is 0 with probability ``zero / 256`` (a pruned weight costs exactly that), else it is ``+-k`` with

    q_1 = 1,   q_{k+1} = q_k r_k,   r_1 = ratio(decay),   r_{k+1} = r_k ratio(bend)          (k = 1 .. largest)

normalised over both signs. ``bend`` = 255 (ratio 1) is a two-sided geometric (Laplace) tail, smaller ratios bend it
to a Gaussian and below; ``decay`` = ``bend`` = 255 is uniform. The table is built with float64 ``+ - * /`` alone: a
decoder on another machine computes the same bits, which exp or log would not promise and float32 would not survive
(one ulp breaks the stream).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.errors import BitstreamError

STEP_CODES = 256
"""Quantisation steps that can be transmitted: eight to the octave, from 2^-23 up to nearly 2^9."""


def step_size(code: int) -> float:
    """Quantisation step of a code, ``(8 + code % 8) * 2^(code // 8 - 26)``: exact in binary, no exp2 needed."""
    return (8 + code % 8) * 2.0 ** (code // 8 - 26)


def step_code(step: float) -> int:
    """The code whose step is nearest to ``step`` (in ratio), 0 to 255."""
    exponent = np.floor(np.log2(max(step, 1e-30)))
    base = int(exponent + 23) * 8
    codes = [c for c in range(base - 1, base + 10) if 0 <= c < STEP_CODES] or [0 if base < 0 else STEP_CODES - 1]
    return min(codes, key=lambda c: abs(np.log(step_size(c) / max(step, 1e-30))))


RATIO_CODES = 256
"""Ratios that can be transmitted; see :func:`ratio`."""


def ratio(code: int) -> float:
    """Ratio of a code: ``1 - (8 + code % 8) / 16 * 2^-(code // 8)`` for codes to 254, 1 for 255; exact in binary."""
    return 1.0 if code == RATIO_CODES - 1 else 1.0 - (8 + code % 8) / 16 * 2.0 ** -(code // 8)


def largest_symbol(code: int) -> int:
    """Largest magnitude of a code: itself to 31, then sixteen codes to the octave up to 3968 (code 143)."""
    return code if code < 32 else (16 + code % 16) << (code // 16 - 1)


LARGEST_CODES = 144
"""Codes of :func:`largest_symbol`."""


@dataclass(frozen=True)
class Law:
    """Five integers, one byte each, that say how one tensor is quantised and coded.

    Attributes:
        step: code of the quantisation step; see :func:`step_size`.
        reach: code of the largest magnitude, 0 to 143; see :func:`largest_symbol`. 0 means the tensor is all zero and
            costs nothing.
        zero: probability of 0 in 256ths, 1 to 255.
        decay: code of the tail's first ratio; see :func:`ratio`.
        bend: code of the change of that ratio from one magnitude to the next.
    """

    step: int
    reach: int
    zero: int = 128
    decay: int = 255
    bend: int = 255

    def __post_init__(self) -> None:
        bounds = ((0, STEP_CODES), (0, LARGEST_CODES), (1, 256), (0, RATIO_CODES), (0, RATIO_CODES))
        values = (self.step, self.reach, self.zero, self.decay, self.bend)
        if not all(low <= value < high for value, (low, high) in zip(values, bounds, strict=True)):
            raise BitstreamError(f"entropy law out of range: {values}")

    @property
    def delta(self) -> float:
        """The quantisation step."""
        return step_size(self.step)

    @property
    def largest(self) -> int:
        """Largest magnitude of a symbol."""
        return largest_symbol(self.reach)


@lru_cache(maxsize=256)
def _magnitudes(largest: int, decay: int, bend: int) -> NDArray[np.float64]:
    weights = []
    weight, step, change = 1.0, ratio(decay), ratio(bend)
    total = 0.0  # summed left to right: NumPy's pairwise order may change between versions
    for _ in range(largest):
        weights.append(weight)
        total = total + weight
        weight = weight * step
        step = step * change
    return np.array(weights, dtype=np.float64) / total


def table(law: Law) -> NDArray[np.float64]:
    """Probabilities of the symbols ``-largest .. largest``, shape ``(2 * largest + 1,)``; ``largest`` >= 1."""
    zero = law.zero / 256.0
    side = _magnitudes(law.largest, law.decay, law.bend) * ((1.0 - zero) * 0.5)
    return np.concatenate([side[::-1], [zero], side])


def bits(law: Law) -> NDArray[np.float64]:
    """Cost in bits of each magnitude ``0 .. largest``, sign included, as the range coder will charge it.

    The coder keeps 24-bit probabilities and never goes below 2^-24.
    """
    if law.largest == 0:
        return np.zeros(1)
    probabilities = table(law)[law.largest :]
    return -np.log2(np.maximum(probabilities, 2.0**-24))


def code_length(law: Law, symbols: NDArray[np.integer[Any]]) -> float:
    """Ideal bits of symbols under a law."""
    counts = np.bincount(np.abs(symbols).ravel(), minlength=1)
    return float(counts @ bits(law)[: len(counts)])
