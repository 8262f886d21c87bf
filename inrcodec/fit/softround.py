"""Soft rounding: quantisation a gradient can pass (Agustsson and Theis 2020, section 4.1).

During the fit a weight in units of its step goes through ``softround(softround(x, T) + noise, T)`` with T and the
Gaussian noise annealed, as C3 and Cool-chic do for latents; at the end it is rounded for real and its gradient
passes straight through.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def soft_round(x: Tensor, temperature: float) -> Tensor:
    """A smooth staircase: the identity as ``temperature`` grows, ``round`` as it goes to 0."""
    centre = torch.floor(x) + 0.5
    return centre + torch.tanh((x - centre) / temperature) * (0.5 / math.tanh(0.5 / temperature))


def noisy_soft_round(x: Tensor, temperature: float, noise: Tensor) -> Tensor:
    """Soft rounding around Gaussian ``noise`` (in steps)."""
    return soft_round(soft_round(x, temperature) + noise, temperature)


def hard_round(x: Tensor) -> Tensor:
    """``round(x)`` forward, the identity backward (straight-through)."""
    return x + (torch.round(x) - x).detach()
