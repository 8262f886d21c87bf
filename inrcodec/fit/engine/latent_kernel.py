"""What is done to every latent for itself: soft rounding, with its slope."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from inrcodec.fit.engine.activations import FLAGS
from inrcodec.fit.engine.kernel import Floats, _kept
from inrcodec.fit.engine.laplace import over, power

f32 = np.float32

_ZERO, _HALF, _ONE, _TWO, _FOUR = f32(0.0), f32(0.5), f32(1.0), f32(2.0), f32(4.0)


@njit(fastmath=FLAGS, nogil=True, inline="always")
def _stair(x: Any, sharpness: Any, height: Any) -> Any:
    """``c + height tanh(sharpness (x - c))`` around the middle c of x's unit interval, and that tanh's derivative."""
    centre = np.floor(x) + _HALF
    argument = (x - centre) * sharpness
    scale, share = power(-_TWO * abs(argument))
    small = scale + scale * share
    per = over(_ONE, _ONE + small)
    tanh = ((_ONE - scale) - scale * share) * per
    tanh = -tanh if argument < _ZERO else tanh
    return centre + height * tanh, _FOUR * small * per * per


@_kept
def relax(
    x: Floats, noise: Floats, gain: Any, sharpness: Any, height: Any, sigma: Any, steep: Any, soft: Floats,
    slope: Floats,
) -> float:  # fmt: skip
    """Soft rounding, noise, soft rounding.

    Args:
        x: latents in their own unit.
        noise: of unit spread.
        gain: symbols a unit.
        sharpness: 1 / T.
        height: of a stair: 1 / (2 tanh(1 / 2T)).
        sigma: spread of the noise, in symbols.
        steep: gain (height / T)^2.
        soft: what comes out.
        slope: its derivatives.

    Returns:
        Nothing of interest.
    """
    for i in range(len(x)):
        once, first = _stair(x[i] * gain, sharpness, height)
        twice, second = _stair(once + sigma * noise[i], sharpness, height)
        soft[i] = twice
        slope[i] = steep * first * second
    return 0.0
