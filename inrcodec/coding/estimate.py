"""Fit the integers of a law to the magnitudes of a tensor, at the encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.coding.law import LARGEST_CODES, Law, largest_symbol, ratio
from inrcodec.limits import MAX_SYMBOL

_CODES = np.array([*range(96), 255])
"""Ratios the encoder tries, for decay and bend alike; finer ones are legal but never needed for 3968 symbols."""
_LOG_RATIO = np.log2([max(ratio(int(code)), 2.0**-60) for code in _CODES])
_LOG_LEVEL = np.log2(np.arange(1, 256) / 256.0)
_REACH = np.array([largest_symbol(code) for code in range(LARGEST_CODES)])


def reach_code(largest: int) -> int:
    """The smallest reach that admits a magnitude of ``largest`` (at most 3968)."""
    return int(np.searchsorted(_REACH, largest))


class _Masses:
    """log2 of the tail's normaliser for every (decay, bend) tried, by reach; sums are carried from reach to reach."""

    def __init__(self) -> None:
        self._known: list[NDArray[np.float64]] = []
        self._sum = np.zeros((len(_CODES), len(_CODES)))
        self._terms = 0

    def __getitem__(self, reach: int) -> NDArray[np.float64]:
        """Shape ``(97, 97)``; ``reach`` at least 1."""
        decay, bend = _LOG_RATIO[:, None], _LOG_RATIO[None, :]
        while len(self._known) <= reach:
            for k in range(self._terms, largest_symbol(len(self._known))):
                self._sum += np.exp2(np.maximum(k * decay + (k * (k - 1) / 2) * bend, -1000.0))
                self._terms = k + 1
            self._known.append(np.log2(np.maximum(self._sum, 1e-300)))
        return self._known[reach]


_LOG_MASS = _Masses()


def fit_law(symbols: NDArray[np.integer[Any]], step: int) -> Law:
    """The law that codes ``symbols`` in the fewest bits.

    Args:
        symbols: integers of any shape, magnitudes at most 3968.
        step: code of the quantisation step, copied into the law.

    Returns:
        The maximum-likelihood law among the transmissible ones the encoder tries.
    """
    magnitude = np.abs(symbols.ravel()).astype(np.int64)
    excess = magnitude[magnitude > 0] - 1
    if excess.size == 0:
        return Law(step, 0, zero=255)
    largest = int(excess.max()) + 1
    if largest > MAX_SYMBOL:
        raise ValueError(f"a symbol of magnitude {largest} is over the largest, {MAX_SYMBOL}")
    reach = reach_code(largest)
    zeros = magnitude.size - excess.size
    zero = 1 + int(np.argmax(zeros * _LOG_LEVEL + excess.size * _LOG_LEVEL[::-1]))
    first, second = float(excess.sum()), float((excess * (excess - 1) // 2).sum())
    cost = excess.size * _LOG_MASS[reach] - first * _LOG_RATIO[:, None] - second * _LOG_RATIO[None, :]
    decay, bend = np.unravel_index(int(np.argmin(cost)), cost.shape)
    return Law(step, reach, zero, int(_CODES[decay]), int(_CODES[bend]))
