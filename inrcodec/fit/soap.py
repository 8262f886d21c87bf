"""SOAP on a flat vector of weights: Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al. 2024, algorithm 3).

The same steps as ``pytorch_optimizer.SOAP``, which the tests hold it to; but the matrices of equal shape are stacked,
so a step is some thirty operations on a whole net where the library makes twenty for every matrix. On nets of a few
thousand weights that overhead was more than half of a fit.

Two liberties: the first moment lives in the eigenbasis and is turned with it (the same numbers, two products less a
step), and every weight has its own learning-rate multiplier.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import torch
from torch import Tensor


@dataclass(frozen=True)
class Block:
    """Matrices of one shape that lie one after the other in the flat vector.

    Attributes:
        start: index of the first entry.
        count: matrices.
        rows: of each.
        columns: of each.
    """

    start: int
    count: int
    rows: int
    columns: int

    @property
    def stop(self) -> int:
        """One past the last entry."""
        return self.start + self.count * self.rows * self.columns

    def of(self, flat: Tensor) -> Tensor:
        """The block of flat vectors ``(..., weights)``, as a view ``(..., count, rows, columns)``."""
        part: Tensor = flat[..., self.start : self.stop].unflatten(-1, (self.count, self.rows, self.columns))
        return part


WIDEST = 1024
"""Rows or columns past which a matrix is left to plain Adam: its eigenbases would cost more than the fit."""


def blocks_of(shapes: Sequence[tuple[int, int]]) -> tuple[Block, ...]:
    """Matrices that follow each other from index 0 on, stacked where neighbours have the same shape."""
    blocks: list[Block] = []
    at = 0
    for rows, columns in shapes:
        last = blocks[-1] if blocks else None
        if last and (last.rows, last.columns, last.stop) == (rows, columns, at):
            blocks[-1] = Block(last.start, last.count + 1, rows, columns)
        elif max(rows, columns) <= WIDEST:
            blocks.append(Block(at, 1, rows, columns))
        at += rows * columns
    return tuple(blocks)


class Soap(torch.optim.Optimizer):
    """SOAP for one flat parameter whose beginning is matrices; what is not in a block (biases) gets plain Adam.

    A stack of flat vectors takes as many operations as one; each takes the steps it would take alone.

    Args:
        flat: the parameter, ``(..., weights)``.
        blocks: where its matrices are.
        scale: ``(..., weights)`` multipliers of the learning rate, the same for all of a stack or each its own.
        lr: learning rate.
        betas: decay of the first and the second moments; the second is also the preconditioner's.
        eps: added to the root of the second moment.
        refresh: steps between updates of the eigenbases.
    """

    def __init__(
        self,
        flat: Tensor,
        blocks: Sequence[Block],
        scale: Tensor,
        *,
        lr: float,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        refresh: int = 10,
    ) -> None:
        super().__init__([flat], {"lr": lr})
        self.blocks, self.betas, self.eps, self.refresh = tuple(blocks), betas, eps, refresh
        self.scale = scale.to(flat)

    def _begin(self, flat: Tensor, gradient: Tensor) -> None:
        state = self.state[flat]
        state["steps"] = 0
        state["first"], state["second"] = torch.zeros_like(flat), torch.zeros_like(flat)
        state["left"], state["right"] = [], []  # second moments of rows and of columns
        state["left_basis"], state["right_basis"] = [], []
        for block in self.blocks:
            g = block.of(gradient)
            for side, product in (("left", g @ g.mT), ("right", g.mT @ g)):
                moment = (1 - self.betas[1]) * product
                state[side].append(moment)
                state[f"{side}_basis"].append(torch.linalg.eigh(moment)[1].flip(-1))

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One step; with matrices, the first one only looks at the gradient, to find their eigenbases."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for flat in group["params"]:
                if flat.grad is None:
                    continue
                if not self.state[flat]:
                    finite = torch.isfinite(flat.grad).all(-1, keepdim=True)
                    if not bool(finite.any().cpu()):
                        continue  # no eigenbases to be found here; whoever watches the loss will see
                    self._begin(flat, flat.grad.where(finite, 0.0))  # one flat vector of a stack spoils no other
                    if self.blocks:
                        continue
                self._advance(flat, flat.grad, group["lr"])
        return loss

    def _advance(self, flat: Tensor, gradient: Tensor, lr: float) -> None:
        state = self.state[flat]
        state["steps"] += 1
        beta1, beta2 = self.betas
        turned = gradient.clone()
        for block, left, right in zip(self.blocks, state["left_basis"], state["right_basis"], strict=True):
            block.of(turned).copy_(left.mT @ block.of(gradient) @ right)
        first, second = state["first"], state["second"]
        first.lerp_(turned, 1 - beta1)
        second.mul_(beta2).addcmul_(turned, turned, value=1 - beta2)
        update = first / second.sqrt().add_(self.eps)
        for block, left, right in zip(self.blocks, state["left_basis"], state["right_basis"], strict=True):
            part = block.of(update)
            part.copy_(left @ part @ right.mT)
        steps = state["steps"]
        debias = math.sqrt(1 - beta2**steps) / (1 - beta1**steps)
        flat.addcmul_(update, self.scale, value=-lr * debias)
        for k, block in enumerate(self.blocks):
            g = block.of(gradient)
            state["left"][k].lerp_(g @ g.mT, 1 - beta2)
            state["right"][k].lerp_(g.mT @ g, 1 - beta2)
        if steps % self.refresh == 0:
            for k, block in enumerate(self.blocks):
                self._turn(state, k, block)

    @staticmethod
    def _turn(state: dict[str, Any], k: int, block: Block) -> None:
        """New eigenbases of one block by a round of power iteration and QR, and the moments as they appear in them."""
        second, first = block.of(state["second"]), block.of(state["first"])
        raw = state["left_basis"][k] @ first @ state["right_basis"][k].mT
        for side, axis in (("left", -2), ("right", -1)):
            basis = state[f"{side}_basis"][k]
            product = state[side][k] @ basis
            order = (basis * product).sum(-2).argsort(-1, descending=True)  # by estimated eigenvalue
            index = order[..., :, None] if axis == -2 else order[..., None, :]
            second.copy_(second.gather(axis, index.expand_as(second)))
            product = product.gather(-1, order[..., None, :].expand_as(product))
            state[f"{side}_basis"][k] = torch.linalg.qr(product)[0]
        first.copy_(state["left_basis"][k].mT @ raw @ state["right_basis"][k])


class ScaledAdam(Soap):
    """Adam (Kingma and Ba 2015) with a learning-rate multiplier for every weight: :class:`Soap` without matrices.

    Its first step counts, as there are no eigenbases to look for.
    """

    def __init__(
        self, flat: Tensor, scale: Tensor, *, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        super().__init__(flat, (), scale, lr=lr, betas=betas, eps=eps)
