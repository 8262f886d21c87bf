"""The fit itself: pixels and a budget of bits to float weights and the steps they are quantised with.

Three things happen at once on every minibatch of pixels: weights, gates and quantisation steps move along the
Lagrangian's gradient, rounding is relaxed less and less (soft-round, noise), and the multiplier follows the bits
that a file would really hold. The last part rounds for real, with gates purged into the weights and steps snapped to
transmissible values, so that what is handed on is what was trained.
"""

from __future__ import annotations

import hashlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
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
from inrcodec.fit.model import GatedWeights, Relaxation, SparseSiren, as_symbols, hard_levels
from inrcodec.fit.muon import Muon
from inrcodec.fit.problem import RateProblem, constrained_optimizer, dual_optimizer
from inrcodec.fit.rate import CostCurve, expected_bits
from inrcodec.fit.soap import ScaledAdam, Soap, blocks_of
from inrcodec.net.arch import Arch

_SETTLED = 300
"""Steps after which a net that is worse than the mean colour has no excuse."""

_REFINE_LR = 0.2
"""Learning rate of a second finish, as a multiple: its optimiser starts cold, on weights that are nearly right."""


class Diverged(ArithmeticError):
    """The fit blew up: its error is not finite, or worse than a flat picture's."""


@dataclass(frozen=True)
class FittedNet:
    """What a fit hands on: float weights after gates, and the step each tensor is quantised with.

    Attributes:
        arch: the network.
        tensors: float32 weights, in the order of :meth:`Arch.tensors`.
        step_codes: quantisation step of each tensor; empty for a fit without quantisation.
        multiplier: price of the budget at the end, -dlnMSE/dlnbits.
        steps: optimiser steps taken.
    """

    arch: Arch
    tensors: tuple[NDArray[np.float32], ...]
    step_codes: tuple[int, ...]
    multiplier: float
    steps: int

    @property
    def digest(self) -> str:
        """Short name of these very weights."""
        return hashlib.sha256(b"".join(tensor.tobytes() for tensor in self.tensors)).hexdigest()[:16]

    def state(self) -> dict[str, Any]:
        """Plain types and tensors, for a checkpoint."""
        return {
            "hidden": list(self.arch.hidden),
            "outputs": self.arch.outputs,
            "tensors": [torch.from_numpy(tensor) for tensor in self.tensors],
            "step_codes": list(self.step_codes),
            "multiplier": self.multiplier,
            "steps": self.steps,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> FittedNet:
        """The inverse of :meth:`state`."""
        arch = Arch(tuple(state["hidden"]), state["outputs"])
        tensors = tuple(tensor.numpy() for tensor in state["tensors"])
        return cls(arch, tensors, tuple(state["step_codes"]), state["multiplier"], state["steps"])


@dataclass(frozen=True)
class Pulse:
    """A sign of life from the fit: where it is and how good the net is now."""

    step: int
    steps: int
    mse: float
    bits: float
    multiplier: float


class Descent(ABC):
    """The steps of a fit and their schedule, the same for one picture and for several in lock-step.

    With several (see :class:`inrcodec.fit.stack.Stack`) every tensor has a leading axis. The loss is the sum over
    pictures, so each has the gradients it would have alone. Between measurements of the rate nothing here waits for
    the device.

    Args:
        canvas: the picture, or several of one shape.
        model: the net of each.
        config: settings.
        budget: bits the weights of a picture may take, or None for a dense, unquantised fit (COIN).
        seed: of the order of pixels.
    """

    def __init__(self, canvas: Canvas, model: GatedWeights, config: FitConfig, budget: float | None, seed: int) -> None:
        self.canvas, self.config, self.budget, self.seed = canvas, config, budget, seed
        self.device = canvas.coords.device
        self.arch, self.model = model.arch, model
        self.flat = canvas.samples.var(-2, correction=0).mean(-1)
        self.error = self.flat  # running mean squared error of each picture
        self.problem = RateProblem(config.multiplier, self.flat.numel(), self.device)
        self.primals = self._optimizers()
        self.peaks = [[float(group["lr"]) for group in primal.param_groups] for primal in self.primals]
        self.dual = dual_optimizer(self.problem, config)
        self.optimizer = constrained_optimizer(self.problem, self.primals, self.dual)
        self.done = 0
        self.time = 0.0
        self.pressed = self.finishing = False
        self.curve: CostCurve | None = None
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    @abstractmethod
    def begin_press(self) -> None:
        """Open the gates to pruning and put a price on bits; steps start where the budget is met."""

    @abstractmethod
    def begin_finish(self) -> None:
        """Purge gates, settle the steps on values a file can carry; from here rounding is hard."""

    @abstractmethod
    def measure(self) -> Tensor:
        """Refit the laws to the weights rounded for real; returns every picture's bits."""

    @abstractmethod
    def check(self) -> None:
        """Refuse to go on from weights that are worse than none.

        Raises:
            Diverged: they are.
        """

    @abstractmethod
    def pulse(self) -> Pulse:
        """How the fit stands. It waits for the device, so do not ask at every step."""

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        """One for the weights and, where bits have a price, Adam for steps and gates."""
        config, model = self.config, self.model
        blocks = blocks_of([(outputs, inputs) for inputs, outputs in self.arch.fan()])
        if config.optimizer == "muon":
            weights: torch.optim.Optimizer = Muon(
                model.weights, blocks, self._rates(), lr=config.lr, betas=config.betas
            )
        elif config.optimizer == "soap":
            weights = Soap(
                model.weights,
                blocks,
                self._rates(),
                lr=config.lr,
                betas=config.betas,
                refresh=config.refresh,
            )
        else:
            weights = ScaledAdam(model.weights, self._rates(), lr=config.lr, betas=config.betas)
        if self.budget is None:
            return [weights]
        rest: list[dict[str, object]] = [{"params": [model.log_step], "lr": config.step_lr}]
        if model.log_alpha is not None:
            rest.append({"params": [model.log_alpha], "lr": config.gate_lr})
        return [weights, torch.optim.Adam(rest)]

    def _rates(self) -> Tensor:
        """Every weight's learning rate as a multiple of the peak.

        Past the first layer a matrix learns at 1 / inputs, as its sums grow with them; and all learn slower the deeper
        the net, as a change is amplified on its way through the sines.
        """
        inputs = [fan_in for fan_in, _ in self.arch.fan()]
        depth = min(1.5, 7 / self.arch.depth)
        scales = [min(64 / fan_in, 4.0) if k else 1.0 for k, fan_in in enumerate(inputs)]
        by_tensor = torch.tensor([*scales, 1.0, 1.0]) * depth
        return by_tensor.to(self.device)[self.model.tensor_of]

    @property
    def progress(self) -> float:
        """Part of the fit that is done, 0 to 1: by steps, or by the clock if that is ahead."""
        return max(self.done / self.config.steps, self.time)

    def batch(self) -> Tensor:
        """Indices of this step's pixels: a fresh permutation each epoch, a function of seed and step alone."""
        size = min(self.config.batch, self.canvas.count)
        per_epoch = self.canvas.count // size
        epoch, place = divmod(self.done, per_epoch)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
            order = torch.randperm(self.canvas.count, generator=generator)
            self._order, self._epoch = order.to(self.device, non_blocking=True), epoch
        return self._order[place * size : (place + 1) * size]

    def relaxation(self) -> Relaxation:
        """Rounding at this point of the fit."""
        if not self.pressed:
            return Relaxation("none")
        if self.finishing:
            return Relaxation("hard")
        start = self.config.press
        t = (self.progress - start) / max(1e-9, 1 - self.config.finish - start)
        (hot, cold), (loud, quiet) = self.config.temperature, self.config.sigma
        return Relaxation("soft", hot + (cold - hot) * t, loud + (quiet - loud) * t)

    def step(self) -> None:
        """One optimiser step.

        Raises:
            Diverged: it was one too many.
        """
        strict = None
        if self.budget is not None:
            if not self.pressed and self.progress >= self.config.press:
                self.begin_press()
            if not self.finishing and self.progress >= 1 - self.config.finish:
                self.begin_finish()
            if self.pressed and (self.done % self.config.measure == 0 or self.curve is None):
                strict = self.measure() / (self.budget * self.config.aim) - 1
        self._schedule()
        self.optimizer.roll(compute_cmp_state_kwargs=self._cmp_state(strict))
        if self.config.dual_restarts and strict is not None:
            self.problem.restart(strict <= 0)
        self.done += 1
        if self.done == self.config.steps:
            self.check()

    def _schedule(self) -> None:
        warm = min(1.0, (self.done + 1) / max(1, self.config.warmup))
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, self.progress)))
        for primal, peaks in zip(self.primals, self.peaks, strict=True):
            for group, peak in zip(primal.param_groups, peaks, strict=True):
                group["lr"] = peak * warm * (0.003 + 0.997 * cosine)

    def _cmp_state(self, strict: Tensor | None) -> dict[str, object]:
        model, index, violation = self.model, self.batch(), None
        if self.pressed:
            assert self.curve is not None
            assert self.budget is not None
            levels = model.levels(sample=True)
            flat = model.effective(levels, self.relaxation())
            proxy = expected_bits(self.curve, levels.abs(), model.tensor_of, model.open_probability())
            violation = proxy / (self.budget * self.config.aim) - 1
        else:
            gate = model.gate(sample=True)
            flat = model.weights if gate is None else model.weights * gate
        coords, samples = (values.index_select(-2, index) for values in (self.canvas.coords, self.canvas.samples))
        mse = model.mse(coords, flat, samples)
        self.error = self.error.lerp(mse.detach(), 0.02)
        return {"log_mse": torch.log(mse + 1e-12).sum(), "violation": violation, "strict": strict}

    def _freeze(self) -> None:
        """From here only weights are optimised."""
        self.finishing = True
        self.model.log_alpha = None
        self.model.log_step.requires_grad_(False)
        for parameters in (group["params"] for primal in self.primals[1:] for group in primal.param_groups):
            for parameter in parameters:
                parameter.grad = None  # an optimiser passes over what has no gradient


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
        gentle = replace(config, gates="none", lr=_REFINE_LR * config.lr)
        trainer = cls(canvas, fitted.arch, gentle, budget, seed)
        with torch.no_grad():
            trainer.model.weights.copy_(torch.from_numpy(np.concatenate([t.ravel() for t in fitted.tensors])))
            trainer.problem.price.weight.fill_(fitted.multiplier)
        trainer.done = round((1 - config.finish) * config.steps)
        trainer.time = 1 - config.finish
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
        gate = self.model.gate()
        flat = self.model.weights if gate is None else self.model.weights * gate
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

    def fitted(self) -> FittedNet:
        """Hand on the weights as they are."""
        if self.budget is not None and not self.pressed:
            self.begin_press()
        if self.budget is not None and not self.finishing:
            self.begin_finish()
        flat = self.model.weights if self.model.mask is None else self.model.weights * self.model.mask
        parts = flat.detach().cpu().numpy()
        ends = np.cumsum(self.model.sizes)[:-1]
        specs = self.arch.tensors()
        tensors = tuple(p.reshape(s.shape) for p, s in zip(np.split(parts, ends), specs, strict=True))
        steps = torch.exp(self.model.log_step.detach()).cpu().tolist() if self.budget is not None else []
        codes = tuple(step_code(step) for step in steps)
        return FittedNet(self.arch, tensors, codes, self.problem.multiplier, self.done)


def appraise(arch: Arch, levels: NDArray[np.float32]) -> tuple[list[Law], float]:
    """The laws that suit one net's rounded levels, and the bits they then take.

    Raises:
        Diverged: there are levels that are no numbers.
    """
    if not np.isfinite(levels).all():
        raise Diverged("weights are not finite any more")
    symbols = as_symbols(arch, levels)
    laws = [fit_law(values, 0) for values in symbols]
    return laws, sum(code_length(law, values) for law, values in zip(laws, symbols, strict=True))


def advance(
    descent: Descent,
    *,
    seconds: float | None = None,
    observer: Callable[[Descent], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Run a fit, or several in lock-step, to the end of the schedule; see :func:`train`."""
    start = time.monotonic()
    before = descent.time
    while descent.progress < 1 and not (stop and stop()):
        descent.step()
        if seconds is not None:
            descent.time = before + (time.monotonic() - start) / seconds
        if observer:
            observer(descent)


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
