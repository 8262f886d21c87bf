"""Activations and their derivatives over a tile, as loops the compiler turns into vectors.

``sincos`` has one range reduction and two polynomials. The argument is reduced by pi, in four parts of which the first
three have eight bits: for up to 65,535 half turns (arguments to 205,000, past any encoding's highest frequency)
``x - k p0 - k p1 - k p2`` is exact whether or not the machine fuses multiplication and addition, so the reduction
costs no accuracy. ``contract`` is the only freedom the compiler has here: reordering would break the reduction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numpy.typing import NDArray

from inrcodec.fit.engine.layers import ACTIVATIONS
from inrcodec.fit.engine.micro import intrinsic

LINEAR, SINE, RELU, GELU, GAUSS = (ACTIVATIONS.index(name) for name in ("linear", "sine", "relu", "gelu", "gauss"))
CODES = {name: code for code, name in enumerate(ACTIVATIONS)}
"""Activation codes of the kernels, by name."""

FLAGS = {"contract"}
"""What a compiler may do to float arithmetic in the kernels: fuse, never reorder."""

f32 = np.float32

_PER_PI = f32(0.3183098861837907)
_PI = tuple(f32(part) for part in (3.140625, 0.000965118408203125, 2.5331974029541016e-06, 1.984187258941006e-09))
_P0, _P1, _P2, _P3 = _PI
_ROUND = f32(12582912.0)
"""1.5 * 2^23: adding it rounds to the nearest integer and leaves that integer in the lowest bits."""

# Minimax on [-pi/2, pi/2]: sin r = r + r^3 (S0 + S1 r^2 + ...), 5e-9; cos r = 1 + r^2 (C0 + C1 r^2 + ...), 3e-10.
_S0, _S1, _S2, _S3 = (
    f32(c) for c in (-0.16666656732559204, 0.008333016186952591, -0.00019806547788903117, 2.5999031549872598e-06)
)
_C0, _C1, _C2, _C3, _C4 = (
    f32(c) for c in (-0.5, 0.04166664183139801, -0.0013888402609154582, 2.476180816302076e-05, -2.6075662162138853e-07)
)

# Abramowitz and Stegun 7.1.26: erf z = 1 - t (A0 + A1 t + ...) exp(-z^2), t = 1 / (1 + P z), z >= 0; 1.5e-7.
_P = f32(0.3275911)
_A0, _A1, _A2, _A3, _A4 = (f32(c) for c in (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429))
# 2^f on [-1/2, 1/2]; 2e-9.
_E1, _E2, _E3, _E4, _E5, _E6 = (
    f32(c) for c in (0.693147207, 0.240226515, 0.0555032722, 0.00961799451, 0.00134004317, 0.000154780221)
)
_LOG2E, _SQRT_HALF, _PER_SQRT_2PI = f32(1.4426950408889634), f32(0.7071067811865476), f32(0.3989422804014327)
_ZERO, _HALF, _ONE, _LOWEST = f32(0.0), f32(0.5), f32(1.0), f32(-126.0)


@intrinsic
def _bits(typingctx: Any, x: Any) -> Any:
    """The bits of a float32 as an int32."""
    return types.int32(types.float32), lambda context, builder, sig, args: builder.bitcast(args[0], ir.IntType(32))


@intrinsic
def _float(typingctx: Any, bits: Any) -> Any:
    """The float32 of an int32's bits."""
    return types.float32(types.int32), lambda context, builder, sig, args: builder.bitcast(args[0], ir.FloatType())


@njit(fastmath=FLAGS, nogil=True, inline="always")
def _reduce(x: Any) -> Any:
    """``(r, flip)`` with ``x = k pi + r``, ``|r| <= pi / 2``, and the sign bit of ``(-1)^k``."""
    shifted = x * _PER_PI + _ROUND
    k = shifted - _ROUND
    r = x - k * _P0
    r = r - k * _P1
    r = r - k * _P2
    r = r - k * _P3
    return r, _bits(shifted) << np.int32(31)


@njit(fastmath=FLAGS, nogil=True, inline="always")
def _sine_of(r: Any, square: Any) -> Any:
    return r + r * square * (_S0 + square * (_S1 + square * (_S2 + square * _S3)))


@njit(fastmath=FLAGS, nogil=True, inline="always")
def _cosine_of(square: Any) -> Any:
    return _ONE + square * (_C0 + square * (_C1 + square * (_C2 + square * (_C3 + square * _C4))))


@njit(fastmath=FLAGS, nogil=True, inline="always")
def _bell(z: Any) -> Any:
    """``exp(-z^2)``, at least 2^-126."""
    exponent = max(-z * z * _LOG2E, _LOWEST)
    shifted = exponent + _ROUND
    k = shifted - _ROUND
    f = exponent - k
    power = _ONE + f * (_E1 + f * (_E2 + f * (_E3 + f * (_E4 + f * (_E5 + f * _E6)))))
    return power * _float((_bits(shifted) + np.int32(127)) << np.int32(23))


@njit(fastmath=FLAGS, nogil=True, inline="always")
def _normal(x: Any) -> Any:
    """``(distribution, density)`` of the standard normal law at x."""
    z = abs(x) * _SQRT_HALF
    gauss = _bell(z)
    t = _ONE / (_ONE + _P * z)
    tail = _HALF * gauss * t * (_A0 + t * (_A1 + t * (_A2 + t * (_A3 + t * _A4))))
    return (tail if x < _ZERO else _ONE - tail), gauss * _PER_SQRT_2PI


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def activate(kind: int, buffer: NDArray[np.float32], z: int, h: int, count: int) -> None:
    """In a tile's memory: ``h = f(z)``, and ``z`` becomes ``f'(z)``.

    Args:
        kind: activation code.
        buffer: the tile's memory, flat.
        z: where the arguments begin; the derivatives take their place.
        h: where the values go.
        count: how many.
    """
    values, slopes = buffer[h : h + count], buffer[z : z + count]
    if kind == SINE:
        for i in range(count):
            r, flip = _reduce(slopes[i])
            square = r * r
            values[i] = _float(_bits(_sine_of(r, square)) ^ flip)
            slopes[i] = _float(_bits(_cosine_of(square)) ^ flip)
    elif kind == RELU:
        for i in range(count):
            x = slopes[i]
            values[i] = max(x, _ZERO)
            slopes[i] = _ONE if x > _ZERO else _ZERO
    elif kind == GELU:
        for i in range(count):
            x = slopes[i]
            share, density = _normal(x)
            values[i] = x * share
            slopes[i] = share + x * density
    elif kind == GAUSS:
        for i in range(count):
            x = slopes[i]
            values[i] = _bell(x * _SQRT_HALF)
            slopes[i] = -x * values[i]
    else:
        for i in range(count):
            values[i] = slopes[i]
            slopes[i] = _ONE


@njit(fastmath=FLAGS, nogil=True, boundscheck=False)
def apply(kind: int, buffer: NDArray[np.float32], z: int, count: int) -> None:
    """``z`` becomes ``f(z)``: :func:`activate` where nobody asks for derivatives."""
    values = buffer[z : z + count]
    if kind == SINE:
        for i in range(count):
            r, flip = _reduce(values[i])
            values[i] = _float(_bits(_sine_of(r, r * r)) ^ flip)
    elif kind == RELU:
        for i in range(count):
            values[i] = max(values[i], _ZERO)
    elif kind == GELU:
        for i in range(count):
            x = values[i]
            share, _ = _normal(x)
            values[i] = x * share
    elif kind == GAUSS:
        for i in range(count):
            values[i] = _bell(values[i] * _SQRT_HALF)
