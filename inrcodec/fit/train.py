"""The fit itself: pixels and a budget of bits to float weights and the steps they are quantised with.

Three things happen at once on every minibatch of pixels: weights, gates and quantisation steps move along the
Lagrangian's gradient, rounding is relaxed less and less (soft-round, noise), and the multiplier follows the bits
that a file would really hold. The last part rounds for real, with gates purged into the weights and steps snapped to
transmissible values, so that what is handed on is what was trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import Law, code_length, step_code, step_size
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import FitConfig
from inrcodec.fit.curvature import allocate_steps, curvature
from inrcodec.fit.descent import Descent, Diverged, Pulse, advance
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.gated import Relaxation, as_symbols, hard_levels
from inrcodec.fit.model import SparseSiren
from inrcodec.fit.rate import CostCurve
from inrcodec.net.arch import Arch, Network

_SETTLED = 300
"""Steps after which a net that is worse than the mean colour has no excuse."""

REFINE = 0.1
"""Part of a fit's steps that a second finish takes."""

_REFINE_LR = 0.2
"""Learning rate of a second finish, as a multiple: its optimiser starts cold, on weights that are nearly right."""


class Trainer(Descent):
    """One fit in progress; :meth:`step` advances it, :meth:`state_dict` freezes it.

    Args:
        canvas: the picture.
        arch: the network to fit.
        config: settings.
        budget: bits the weights may take, or None for a dense, unquantised fit (COIN).
        seed: of the initialisation, the noise and the order of pixels.
    """

    model: SparseSiren

    def __init__(self, canvas: Canvas, arch: Arch, config: FitConfig, budget: float | None, seed: int = 0) -> None:
        gate_kind = "none" if budget is None else config.gates
        model = SparseSiren(
            arch,
            canvas.samples.mean(0).cpu(),
            gate_kind=gate_kind,
            droprate=config.droprate,
            seed=seed,
            engine=canvas.engine,
        )
        super().__init__(canvas, model.to(canvas.coords.device), config, budget, seed)
        self.bits = math.nan

    @classmethod
    def refine(cls, canvas: Canvas, fitted: FittedNet, config: FitConfig, budget: float, seed: int = 0) -> Trainer:
        """The finish alone, from the outcome of another fit: new steps for another budget, then hard rounding.

        It costs a tenth of a fit and loses almost nothing against one, as long as the budgets are close.
        """
        gentle = replace(config, gates="none", lr=_REFINE_LR * config.lr, settle=(1.0, 1.0))
        trainer = cls(canvas, fitted.arch, gentle, budget, seed)
        with torch.no_grad():
            trainer.model.weights.copy_(torch.from_numpy(np.concatenate([t.ravel() for t in fitted.tensors])))
            trainer.problem.price.weight.fill_(fitted.multiplier)
        trainer.done = round((1 - REFINE) * config.steps)
        trainer.time = 1 - REFINE
        trainer.pressed = True
        trainer.allocate()
        trainer.begin_finish()
        return trainer

    @property
    def mse(self) -> float:
        """The running mean squared error."""
        return float(self.error.cpu())

    def check(self) -> None:
        """Refuse to go on from weights that are worse than none.

        Raises:
            Diverged: they are.
        """
        mse, flat = self.mse, float(self.flat.cpu())
        hopeless = self.done >= _SETTLED and mse > 1.5 * flat + 1e-3
        if hopeless or not math.isfinite(mse):
            raise Diverged(f"an error of {mse:.3g} is worse than that of a flat picture, {flat:.3g}")

    def measure(self) -> Tensor:
        """Refit the laws to the weights rounded for real; returns (and remembers) their bits."""
        laws, self.bits = appraise(self.arch, hard_levels(self.model))
        self.curve = CostCurve.of(laws, self.device)
        return torch.tensor(self.bits, dtype=torch.float64)

    def begin_press(self) -> None:
        """Open the gates to pruning and put a price on bits; steps start where the budget is met."""
        self.check()
        self.pressed = True
        self.allocate()

    @torch.no_grad()
    def allocate(self) -> None:
        """Put the steps where the budget is met with equal slope in every tensor."""
        assert self.budget is not None
        flat = self.model.gated()
        with torch.enable_grad():
            felt = curvature(self.canvas, self.model, flat)
        ends = np.cumsum(self.model.sizes)[:-1]
        weights = np.split(flat.cpu().numpy(), ends)
        codes = allocate_steps(weights, np.split(felt, ends), self.budget * self.config.aim)
        self.model.log_step.copy_(torch.log(torch.tensor([step_size(code) for code in codes])))

    def begin_finish(self) -> None:
        """Purge gates, settle the steps on values a file can carry; from here rounding is hard."""
        self.model.purge()
        self.model.snap_steps()
        self._freeze()

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the rest of the fit, in plain types and tensors."""
        return {
            "done": self.done,
            "time": self.time,
            "pressed": self.pressed,
            "finishing": self.finishing,
            "mse": self.mse,
            "bits": self.bits,
            "model": self.model.state_dict(),
            "mask": self.model.mask,
            "generator": self.model.generator.get_state(),
            "primal": [primal.state_dict() for primal in self.primals],
            "dual": self.dual.state_dict()["state"],
            "multiplier": self.problem.state_dict(),
            "curve": None if self.curve is None else list(self.curve.rows()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict` of a trainer of the same picture, settings and seed."""
        self.pressed = state["pressed"]
        if state["finishing"]:
            self._freeze()
        self.done, self.time, self.bits = state["done"], state["time"], state["bits"]
        self.error = torch.full_like(self.error, state["mse"])
        self.model.load_state_dict(state["model"])
        self.model.mask = None if state["mask"] is None else state["mask"].to(self.device)
        self.model.generator.set_state(state["generator"])
        for primal, saved in zip(self.primals, state["primal"], strict=True):
            primal.load_state_dict(saved)
        self.dual.load_state_dict({**self.dual.state_dict(), "state": state["dual"]})
        self.problem.load_state_dict(state["multiplier"])
        self.curve = None if state["curve"] is None else CostCurve(*(row.to(self.device) for row in state["curve"]))

    def pulse(self) -> Pulse:
        """How the fit stands. It waits for the device, so do not ask at every step."""
        return Pulse(self.done, self.config.steps, self.mse, self.bits, self.problem.multiplier)

    @torch.no_grad()
    def picture(self) -> NDArray[np.float32]:
        """What the net would draw now, rounded for real if it has steps; ``(pixels, channels)``."""
        model = self.model
        flat = model.effective(model.levels(), Relaxation("hard")) if self.pressed else model.gated()
        drawn: NDArray[np.float32] = self.canvas.draw(model, flat).cpu().numpy()
        return drawn

    def fitted(self) -> FittedNet:
        """Hand on the weights as they are."""
        self.conclude()
        parts = self.model.gated().detach().cpu().numpy()
        ends = np.cumsum(self.model.sizes)[:-1]
        specs = self.arch.tensors()
        tensors = tuple(p.reshape(s.shape) for p, s in zip(np.split(parts, ends), specs, strict=True))
        steps = torch.exp(self.model.log_step.detach()).cpu().tolist() if self.budget is not None else []
        codes = tuple(step_code(step) for step in steps)
        return FittedNet(self.arch, tensors, codes, self.problem.multiplier, self.done)


def appraise(arch: Network, levels: NDArray[np.float32]) -> tuple[list[Law], float]:
    """The laws that suit one net's rounded levels, and the bits they then take.

    Raises:
        Diverged: there are levels that are no numbers.
    """
    if not np.isfinite(levels).all():
        raise Diverged("weights are not finite any more")
    symbols = as_symbols(arch, levels)
    laws = [fit_law(values, 0) for values in symbols]
    return laws, sum(code_length(law, values) for law, values in zip(laws, symbols, strict=True))


def train(
    trainer: Trainer,
    *,
    seconds: float | None = None,
    observer: Callable[[Descent], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> FittedNet:
    """Run a fit to its end.

    Args:
        trainer: the fit, new or resumed.
        seconds: wall time it may take; its schedules then run by the clock where that is ahead of the steps.
        observer: given the fit after every step.
        stop: polled before every step; True ends the fit at once with what there is.
    """
    advance(trainer, seconds=seconds, observer=observer, stop=stop)
    return trainer.fitted()
