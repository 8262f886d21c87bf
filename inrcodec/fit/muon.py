"""Muon on a flat vector of weights: momentum, made orthogonal matrix by matrix (Jordan et al. 2024).

Matrices are stacked as in :mod:`inrcodec.fit.soap`; biases get Adam. Updates have Adam's size (Liu et al. 2025,
"Muon is scalable", section 2.2), so one learning rate serves both parts. At equal steps it came out 0.15 to 0.4 dB
ahead of SOAP, and a step costs less: see ``benchmarks/convergence.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from inrcodec.fit.soap import Block, ScaledAdam

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Quintic whose five iterations bring singular values near 1, from anywhere in (0, 1]."""

_ADAM_SIZE = 0.2
"""Root mean square of a typical Adam update, in learning rates."""


class Muon(ScaledAdam):
    """Muon for one flat parameter whose beginning is matrices.

    Args:
        flat: the parameter, ``(weights,)``.
        blocks: where its matrices are.
        scale: ``(weights,)`` multipliers of the learning rate.
        lr: learning rate.
        betas: decay of the moments; the first is also the matrices' momentum.
    """

    def __init__(
        self, flat: Tensor, blocks: Sequence[Block], scale: Tensor, *, lr: float, betas: tuple[float, float]
    ) -> None:
        super().__init__(flat, scale, lr=lr, betas=betas)
        self.matrices = tuple(blocks)

    @torch.no_grad()
    def _advance(self, flat: Tensor, gradient: Tensor, lr: float) -> None:
        before = flat.clone()
        super()._advance(flat, gradient, lr)
        beta = self.betas[0]
        momentum = gradient.lerp(self.state[flat]["first"], beta)  # Nesterov's
        for block in self.matrices:
            update = orthogonal(block.of(momentum)) * (_ADAM_SIZE * max(block.rows, block.columns) ** 0.5)
            block.of(flat).copy_(block.of(before) - lr * block.of(self.scale) * update)


def orthogonal(matrices: Tensor, iterations: int = 5) -> Tensor:
    """Nearly ``U V^T`` of the singular value decompositions ``U S V^T``, for a stack ``(..., rows, columns)``."""
    a, b, c = _NEWTON_SCHULZ
    x: Tensor = matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-12)
    wide = x.shape[-2] <= x.shape[-1]
    x = x if wide else x.mT
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT
