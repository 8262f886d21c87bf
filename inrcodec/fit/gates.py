"""Hard-concrete L0 gates (Louizos, Welling and Kingma 2018, section 2).

A gate is a stretched, clipped binary concrete variable with location ``log_alpha``: it is exactly 0 or exactly 1 with
positive probability and differentiable in between. L0onie trains with the *median* gate (no sampling); the
constrained-L0 paper samples.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

GAMMA, ZETA = -0.1, 1.1
"""The interval a concrete variable is stretched to before clipping to [0, 1]."""
BETA = 2.0 / 3.0
"""Temperature of the concrete distribution."""
CLAMP = 4.0
"""Bound on ``|log_alpha|``: a gate that drifted further would take too long to come back (L0onie)."""
_EPS = 1e-6


def median_gate(log_alpha: Tensor) -> Tensor:
    """The gate at its median, in [0, 1]; exactly 0 for ``log_alpha`` below about -1.6, exactly 1 above 1.6."""
    return (torch.sigmoid(log_alpha / BETA) * (ZETA - GAMMA) + GAMMA).clamp(0.0, 1.0)


def sampled_gate(log_alpha: Tensor, uniform: Tensor) -> Tensor:
    """One draw of every gate (reparameterised, so gradients reach ``log_alpha``) from numbers uniform in [0, 1)."""
    u = uniform.clamp(_EPS, 1 - _EPS)
    concrete = torch.sigmoid((torch.log(u) - torch.log1p(-u) + log_alpha) / BETA)
    return (concrete * (ZETA - GAMMA) + GAMMA).clamp(0.0, 1.0)


def open_probability(log_alpha: Tensor) -> Tensor:
    """Probability that the gate is not 0 (paper equation 12)."""
    return torch.sigmoid(log_alpha - BETA * math.log(-GAMMA / ZETA))


def initial_log_alpha(count: int, droprate: float, generator: torch.Generator) -> Tensor:
    """Locations ``~ N(logit(1 - droprate), 0.01)``, shape ``(count,)``; ``droprate`` in (0, 1)."""
    location = math.log(1 - droprate) - math.log(droprate)
    return location + 0.01 * torch.randn(count, generator=generator)
