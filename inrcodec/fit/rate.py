"""The differentiable rate: what the weights would cost under the laws the file would carry.

The cost of a magnitude is known at the integers (see :mod:`inrcodec.coding.law`). Between 0 and 1 it is joined by a
straight line (the exact expectation under dithered rounding), above 1 by the law's own quadratic, so the penalty is
steep near zero and gentle on large weights: a sparsity-inducing shape that comes from the code itself. Gates enter
as L0 demands: a weight costs its value with the probability that its gate is open, and the zero symbol otherwise.
The laws are refitted now and then; between refits they are constants (their gradient vanishes at the optimum).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inrcodec.coding.law import Law, ratio


@dataclass(frozen=True)
class CostCurve:
    """Bits of a magnitude as a function, one curve a tensor; every field has shape ``(..., tensors)``.

    ``cost(0) = zero``; ``cost(m) = one + slope (m - 1) + bow (m - 1)(m - 2) / 2`` for ``m >= 1``; a line between.
    """

    zero: Tensor
    one: Tensor
    slope: Tensor
    bow: Tensor

    @classmethod
    def of(cls, laws: Sequence[Law], device: torch.device) -> CostCurve:
        """The curves of laws, their alphabets' ends ignored so that a weight may grow past them."""
        return cls(*torch.tensor(_rows(laws), dtype=torch.float32, device=device).T.unbind())

    @classmethod
    def of_several(cls, laws: Sequence[Sequence[Law]], device: torch.device) -> CostCurve:
        """The curves of several nets' laws, ``(nets, tensors)``, in one transfer to the device."""
        rows = torch.tensor([_rows(of_net) for of_net in laws], dtype=torch.float32)
        return cls(*rows.to(device).unbind(-1))

    def rows(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The four fields, in order."""
        return self.zero, self.one, self.slope, self.bow

    def __call__(self, magnitude: Tensor, tensor: Tensor) -> Tensor:
        """Bits of each magnitude.

        Args:
            magnitude: non-negative, in steps, shape ``(..., weights)``.
            tensor: index of the tensor each belongs to, ``(weights,)``.
        """
        zero, one = self.zero[..., tensor], self.one[..., tensor]
        above = (magnitude - 1).clamp(min=0)
        tail = self.slope[..., tensor] * above + self.bow[..., tensor] * 0.5 * above * (above - 1)
        return zero + (one - zero) * magnitude.clamp(max=1) + tail


def expected_bits(curve: CostCurve, magnitude: Tensor, tensor: Tensor, open_probability: Tensor | None) -> Tensor:
    """Bits of the weights of a net, ``(..., weights)``: the surrogate whose gradient drives weights, steps and gates.

    Args:
        curve: the cost curves.
        magnitude: ``|w g| / step``, ``(..., weights)``.
        tensor: tensor index of each weight.
        open_probability: of each gate, or None without gates.
    """
    cost = curve(magnitude, tensor)
    if open_probability is None:
        return cost
    zero = curve.zero[..., tensor]
    return zero + open_probability * (cost - zero)


def _rows(laws: Sequence[Law]) -> list[tuple[float, float, float, float]]:
    """The four fields of every law's curve."""
    rows = []
    for law in laws:
        k = np.arange(max(law.largest, 1), dtype=np.float64)
        log_ratio, log_bend = (np.log2(max(ratio(code), 2.0**-60)) for code in (law.decay, law.bend))
        mass = np.exp2(np.maximum(k * log_ratio + k * (k - 1) / 2 * log_bend, -1000.0)).sum()
        zero = law.zero / 256.0
        rows.append((-np.log2(zero), -np.log2((1 - zero) / 2 / mass), -log_ratio, -log_bend))
    return rows
