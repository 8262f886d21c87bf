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
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.curvature import allocate_steps, curvature, priced_steps
from inrcodec.fit.dead import without_dead_neurons
from inrcodec.fit.descent import Descent, Diverged, Pulse, advance
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.gated import Relaxation, as_symbols, as_tensors, hard_levels
from inrcodec.fit.magnitude import ends_of, largest, share_within
from inrcodec.fit.model import SparseSiren
from inrcodec.fit.rate import CostCurve
from inrcodec.format.stream import Stream
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

    def __init__(self, canvas: Canvas, arch: Arch, config: SirenConfig, budget: float | None, seed: int = 0) -> None:
        gate_kind = "none" if budget is None or config.gates == "magnitude" else config.gates
        model = SparseSiren(
            arch,
            canvas.samples.mean(0).cpu(),
            gate_kind=gate_kind,
            structured=config.structured,
            droprate=config.droprate,
            seed=seed,
            engine=canvas.engine,
        )
        super().__init__(canvas, model.to(canvas.coords.device), config, budget, seed)
        self.bits = math.nan
        self.first = 0  # step it began at

    @classmethod
    def refine(cls, canvas: Canvas, fitted: FittedNet, config: SirenConfig, budget: float, seed: int = 0) -> Trainer:
        """The finish alone, from the outcome of another fit: new steps for another budget, then hard rounding.

        It costs a tenth of a fit and loses almost nothing against one, as long as the budgets are close.
        """
        gentle = replace(
            config, gates="none", lr=_REFINE_LR * config.lr, settle=(1.0, 1.0), path="fixed", sparsify=1.0, price=0.0
        )
        trainer = cls(canvas, fitted.arch, gentle, budget, seed)
        with torch.no_grad():
            trainer.model.weights.copy_(torch.from_numpy(np.concatenate([t.ravel() for t in fitted.tensors])))
            trainer.problem.price.weight.copy_(fitted.multiplier * trainer.shares.reshape(-1))
            if not trainer.model.weights.all():
                trainer.model.prune(trainer.model.weights != 0)
        trainer.done = round((1 - REFINE) * config.steps)
        trainer.time = 1 - REFINE
        trainer.pressed = True
        trainer.allocate()
        trainer.begin_finish()
        return trainer

    @torch.no_grad()
    def start_from(self, stream: Stream) -> None:
        """Begin with the weights of a file, ready to be pruned: what is left of the fit is fine-tuning."""
        weights = np.concatenate([tensor.ravel() for tensor in stream.tensors().values()])
        self.model.weights.copy_(torch.from_numpy(weights))
        self.done = self.first = round(self.config.prune * self.config.steps)

    @property
    def multiplier(self) -> float:
        """The price of the budget, -dlnMSE/dlnbits: of all constraints together, or what a fixed price comes to."""
        if self.config.price:
            return self.config.price * self.bits / self.canvas.count / max(self.mse, 1e-12)
        return float(self.problem.price.weight.detach().sum().cpu())

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
        laws, bits = appraise(self.arch, hard_levels(self.model), lean=self.config.structured)
        self.bits = sum(bits)
        self.curve = CostCurve.of(laws, self.device)
        return torch.tensor(bits if self.config.budgets == "layer" else self.bits, dtype=torch.float64)

    def begin_prune(self) -> None:
        """Keep the largest weights only, as many as the settings say or the budget pays for."""
        self.check()
        assert self.budget is not None
        keep = self.config.keep or share_within(sum(self.model.sizes), self.budget)
        everywhere = self.config.scope == "global"
        spared = ends_of(self.arch) if self.config.ends == "dense" else ()
        kept = largest(self.model.weights.detach(), self.model.tensor_of, keep, everywhere=everywhere, spared=spared)
        self.model.prune(kept)
        self.pruned = True

    def begin_press(self) -> None:
        """Open the gates to pruning and put a price on bits; steps start where the budget is met."""
        self.check()
        self.pressed = True
        self.allocate()

    @torch.no_grad()
    def allocate(self) -> None:
        """Put the steps where the budget is met with equal slope in every tensor, or where that is the price."""
        flat = self.model.gated()
        with torch.enable_grad():
            felt = curvature(self.canvas, self.model, flat)
        ends = np.cumsum(self.model.sizes)[:-1]
        weights, felt_by = np.split(flat.cpu().numpy(), ends), np.split(felt, ends)
        if self.config.price:
            codes = priced_steps(weights, felt_by, self.config.price / self.canvas.count)
        elif self.config.budgets == "layer":
            limits = self.limit().cpu().tolist()
            codes = [allocate_steps([w], [h], b)[0] for w, h, b in zip(weights, felt_by, limits, strict=True)]
        else:
            codes = allocate_steps(weights, felt_by, float(self.limit().cpu()))
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
            "last": self._last,
            "time": self.time,
            "sparsifying": self.sparsifying,
            "pruned": self.pruned,
            "pressed": self.pressed,
            "pace": self.pace.state_dict(),
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
        self.sparsifying, self.pruned, self.pressed = state["sparsifying"], state["pruned"], state["pressed"]
        self.pace.load_state_dict(state["pace"])
        if state["finishing"]:
            self._freeze()
        self.done, self.time, self.bits, self._last = (state[name] for name in ("done", "time", "bits", "last"))
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
        return Pulse(self.done, self.config.steps, self.mse, self.bits, self.multiplier)

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
        parts: NDArray[np.float32] = self.model.gated().detach().cpu().numpy()
        arch, tensors = self.arch, as_tensors(self.arch, parts)
        if self.model.mask is not None:
            arch, tensors = without_dead_neurons(arch, tensors)
        steps = torch.exp(self.model.log_step.detach()).cpu().tolist() if self.budget is not None else []
        codes = tuple(step_code(step) for step in steps)
        return FittedNet(arch, tensors, codes, self.multiplier, self.done - self.first)


def appraise(arch: Network, levels: NDArray[np.float32], *, lean: bool = False) -> tuple[list[Law], list[float]]:
    """The laws that suit one net's rounded levels, and the bits that every tensor then takes.

    Args:
        arch: the network.
        levels: flat.
        lean: dead neurons are left out (of a SIREN).

    Raises:
        Diverged: there are levels that are no numbers.
    """
    if not np.isfinite(levels).all():
        raise Diverged("weights are not finite any more")
    symbols = as_symbols(arch, levels)
    if lean and isinstance(arch, Arch):
        symbols = list(without_dead_neurons(arch, symbols)[1])
    laws = [fit_law(values, 0) for values in symbols]
    return laws, [code_length(law, values) for law, values in zip(laws, symbols, strict=True)]


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
