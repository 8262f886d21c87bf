"""Bits under Laplace laws integrated over unit intervals, and their gradients, as a loop the compiler vectorises.

With d the distance from the position, r = 1 / scale, i = min(d, 1/2), a = (1/2 - i) r and b = (1/2 + i) r, the
probability on both sides of d = 1/2 is ``((1 - e^-a) + (1 - e^-b)) / 2 * e^(-max(d - 1/2, 0) r)``: a sum of positive
terms, each exact to a rounding when written with ``expm1``, so nothing cancels for any scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inrcodec.fit.engine.activations import _E1, _E2, _E3, _E4, _E5, _E6, _LOG2E, _ROUND, FLAGS, _bits, _float
from inrcodec.fit.engine.context_plan import BITS, LATENT, LOG_SCALE, POSITION, PULL, TILE, VALID

f32 = np.float32

LOWEST, HIGHEST = f32(-5.0), f32(6.0)
"""Bounds of the log-scale."""

_ZERO, _HALF, _ONE = f32(0.0), f32(0.5), f32(1.0)
_LOG2E_REST = f32(1.9259629911266175e-08)
"""What float32 leaves of log2(e)."""
_SMALLEST = f32(-87.0)
_SQRT_HALF_BITS = np.int32(0x3F3504F3)

# log(1 + f) = f - f^2 / 2 + f^3 (L0 + L1 f + ...) on [sqrt(1/2) - 1, sqrt(2) - 1], 6e-9 (Cephes).
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (
    f32(c)
    for c in (
        3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1, 1.4249322787e-1, -1.2420140846e-1,
        1.1676998740e-1, -1.1514610310e-1, 7.0376836292e-2,
    )
)  # fmt: skip


@njit(fastmath=FLAGS, nogil=True, error_model="numpy")
def over(a: Any, b: Any) -> Any:
    """``a / b`` as the machine has it: a loop with Python's check for zeros would not become vectors."""
    return a / b


@njit(fastmath=FLAGS, nogil=True, inline="always")
def power(x: Any) -> Any:
    """``(s, q)`` with ``e^x = s + s q``, s a power of two and ``s q`` small where x is."""
    x = max(x, _SMALLEST)
    shifted = x * _LOG2E + _ROUND
    k = shifted - _ROUND
    f = (x * _LOG2E - k) + x * _LOG2E_REST
    q = f * (_E1 + f * (_E2 + f * (_E3 + f * (_E4 + f * (_E5 + f * _E6)))))
    return _float((_bits(shifted) + np.int32(127)) << np.int32(23)), q


@njit(fastmath=FLAGS, nogil=True, inline="always")
def _log2(x: Any, rest: Any) -> Any:
    """``log2 x`` for normal ``x <= 1``, where ``rest = 1 - x``, exact where x is almost 1."""
    bits = _bits(x)
    k = (bits - _SQRT_HALF_BITS) >> np.int32(23)
    f = _float(bits - (k << np.int32(23))) - _ONE
    f = -rest if k == np.int32(0) else f
    square = f * f
    tail = _L0 + f * (_L1 + f * (_L2 + f * (_L3 + f * (_L4 + f * (_L5 + f * (_L6 + f * (_L7 + f * _L8)))))))
    log = f - _HALF * square + square * f * tail
    return f32(k) + log * _LOG2E


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def laplace(rows: NDArray[np.float32]) -> None:
    """In a tile's rows: add to ``BITS``, and gradients in place of position and log-scale and in ``PULL``."""
    for p in range(TILE):
        raw, valid = rows[LOG_SCALE * TILE + p], rows[VALID * TILE + p]
        difference = rows[LATENT * TILE + p] - rows[POSITION * TILE + p]
        bounded = min(max(raw, LOWEST), HIGHEST)
        scale, share = power(-bounded)
        rate = scale + scale * share
        distance = abs(difference)
        beyond = max(distance - _HALF, _ZERO) * rate
        inside = min(distance, _HALF)
        a, b = (_HALF - inside) * rate, (_HALF + inside) * rate
        scale, share = power(-a)
        left = scale + scale * share
        missing_left = (_ONE - scale) - scale * share
        scale, share = power(-b)
        right = scale + scale * share
        missing_right = (_ONE - scale) - scale * share
        both = missing_left + missing_right
        bits = beyond * _LOG2E - _log2(_HALF * both, _HALF * (left + right))
        per = over(_LOG2E, both)
        slope = valid * rate * (missing_right - missing_left) * per
        slope = -slope if difference < _ZERO else slope
        widen = valid * ((a * left + b * right) * per - beyond * _LOG2E)
        rows[BITS * TILE + p] += valid * bits
        rows[PULL * TILE + p] = slope
        rows[POSITION * TILE + p] = -slope
        rows[LOG_SCALE * TILE + p] = widen if raw == bounded else _ZERO


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def laplace_bits(rows: NDArray[np.float32]) -> None:
    """In a tile's rows: add to ``BITS``, and bound the log-scale."""
    for p in range(TILE):
        bounded = min(max(rows[LOG_SCALE * TILE + p], LOWEST), HIGHEST)
        scale, share = power(-bounded)
        rate = scale + scale * share
        distance = abs(rows[LATENT * TILE + p] - rows[POSITION * TILE + p])
        inside = min(distance, _HALF)
        scale, share = power((inside - _HALF) * rate)
        left = scale + scale * share
        missing = (_ONE - scale) - scale * share
        scale, share = power(-(_HALF + inside) * rate)
        right = scale + scale * share
        missing += (_ONE - scale) - scale * share
        beyond = max(distance - _HALF, _ZERO) * rate
        bits = beyond * _LOG2E - _log2(_HALF * missing, _HALF * (left + right))
        rows[BITS * TILE + p] += bits if rows[VALID * TILE + p] > _ZERO else _ZERO
        rows[LOG_SCALE * TILE + p] = bounded
