"""The one file that wraps Cooper: minimise ln MSE subject to bits / budget <= 1.

``violation`` comes from the differentiable rate and drives weights, gates and steps; ``strict_violation`` comes from
the bits a file would really hold and drives the multiplier (the proxy-constraint scheme of Cotter et al. 2019, as in
Gallego-Posada et al. 2022). At the optimum the multiplier is the elasticity -dlnMSE/dlnbits, near 0.65 for a pure
SIREN whatever the picture and the budget, so one start and one gain serve all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cooper
import torch
from cooper.optim import AlternatingDualPrimalOptimizer, nuPI
from torch import Tensor

from inrcodec.fit.config import FitConfig


class RateProblem(cooper.ConstrainedMinimizationProblem):
    """ln MSE under a budget of bits, of one picture or of several at once, each with its own multiplier.

    Args:
        multiplier: where multipliers start.
        pictures: how many there are.
        device: where the fit runs.
    """

    def __init__(self, multiplier: float, pictures: int = 1, device: torch.device | str = "cpu") -> None:
        super().__init__()
        start = torch.full((pictures,), multiplier)
        price = cooper.multipliers.DenseMultiplier(init=start, dtype=start.dtype)
        self.rate = cooper.Constraint(constraint_type=cooper.ConstraintType.INEQUALITY, multiplier=price)
        self.price = price.to(device)
        self._loss, self._violation = torch.full((), math.nan), torch.zeros(pictures)  # of the last step

    @property
    def multiplier(self) -> float:
        """The current price of the budget, the mean of all constraints."""
        return float(self.price.weight.detach().cpu().mean())

    @property
    def lagrangian(self) -> float:
        """Of the last step, at the current price. It waits for the device, so do not ask at every step."""
        return float((self._loss.cpu() + (self.price.weight.detach().cpu() * self._violation.cpu()).sum()).sum())

    def compute_cmp_state(
        self, log_mse: Tensor, violation: Tensor | None, strict: Tensor | float | None
    ) -> cooper.CMPState:
        """State at the current weights.

        Args:
            log_mse: the loss, differentiable, summed over pictures.
            violation: differentiable bits / budget - 1 of every picture, or None where nothing is constrained.
            strict: the measured violations, or None on steps between measurements (the multipliers then rest).
        """
        self._loss = log_mse.detach()
        if violation is None:
            return cooper.CMPState(loss=log_mse)
        self._violation = violation.detach()
        state = cooper.ConstraintState(
            violation=violation,
            strict_violation=None if strict is None else torch.as_tensor(strict).to(violation),
            contributes_to_dual_update=strict is not None,
        )
        return cooper.CMPState(loss=log_mse, observed_constraints={self.rate: state})

    def restart(self, met: Tensor) -> None:
        """Dual restart: forget the multiplier (Gallego-Posada et al. 2022, section 3.3; gone from Cooper 1.0).

        Args:
            met: which pictures' constraints hold.
        """
        self.price.weight.data.masked_fill_(met.to(self.price.weight.device), 0.0)


def dual_optimizer(problem: RateProblem, config: FitConfig) -> torch.optim.Optimizer:
    """Make nuPI or plain gradient ascent on the multiplier; never momentum (Cooper's FAQ)."""
    rate = config.dual_lr * config.measure
    if config.dual == "nupi":
        gain = config.dual_gain / config.measure
        return nuPI(problem.dual_parameters(), lr=rate, Kp=torch.tensor(gain), Ki=torch.tensor(1.0), maximize=True)
    return torch.optim.SGD(problem.dual_parameters(), lr=rate, maximize=True)


def set_pace(dual: torch.optim.Optimizer, rate: float, gain: float) -> None:
    """Let a dual optimiser move as if so much of the fit had passed since it last did.

    Args:
        dual: of :func:`dual_optimizer`.
        rate: integral gain per unit of violation, for this move.
        gain: proportional gain, as a multiple of it.
    """
    for group in dual.param_groups:
        group["lr"] = rate
        if "Kp" in group:
            group["Kp"] = torch.tensor(gain)


def constrained_optimizer(
    problem: RateProblem, primals: Sequence[torch.optim.Optimizer], dual: torch.optim.Optimizer
) -> AlternatingDualPrimalOptimizer:
    """Dual step first, then the primal step at the new multiplier (Cooper's advice for a start)."""
    return AlternatingDualPrimalOptimizer(cmp=problem, primal_optimizers=list(primals), dual_optimizers=dual)
