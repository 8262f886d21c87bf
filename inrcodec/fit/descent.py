"""The steps of a fit: one for the weights, gates and quantisation steps, one for the price of bits, on a schedule."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.gated import Relaxation
from inrcodec.fit.model import SirenWeights
from inrcodec.fit.optimizers import optimizers
from inrcodec.fit.pace import Pace
from inrcodec.fit.problem import RateProblem, constrained_optimizer, dual_optimizer
from inrcodec.fit.rate import CostCurve, expected_bits
from inrcodec.fit.sizing import BITS_PER_WEIGHT

_LOOK = 10
"""Steps between two looks at the error where the schedule depends on it: each waits for the device."""


class Diverged(ArithmeticError):
    """The fit blew up: its error is not finite, or worse than a flat picture's."""


@dataclass(frozen=True)
class Pulse:
    """A sign of life from the fit: where it is and how good the net is now."""

    step: int
    steps: int
    mse: float
    bits: float
    multiplier: float


class Phased(Protocol):
    """A fit that goes through phases."""

    pressed: bool
    finishing: bool


def phase_of(descent: Phased) -> str:
    """``fit``, ``quantise`` or ``round``; see :class:`inrcodec.encoder.Progress`."""
    return "round" if descent.finishing else "quantise" if descent.pressed else "fit"


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

    def __init__(
        self, canvas: Canvas, model: SirenWeights, config: SirenConfig, budget: float | None, seed: int
    ) -> None:
        self.canvas, self.config, self.budget, self.seed = canvas, config, budget, seed
        self.device = canvas.coords.device
        self.arch, self.model = model.arch, model
        self.flat = canvas.samples.var(-2, correction=0).mean(-1)
        self.error = self.flat  # running mean squared error of each picture
        self.shares = torch.ones_like(self.flat)  # of the budget, one for every constraint of a picture
        if config.budgets == "layer":
            self.shares = torch.tensor(model.sizes, device=self.device) / sum(model.sizes)
        self.problem = RateProblem(1.0, self.shares.numel(), self.device)
        self.charge()
        self.primals = optimizers(model, config, priced=budget is not None)
        self.peaks = [[float(group["lr"]) for group in primal.param_groups] for primal in self.primals]
        self.dual = dual_optimizer(self.problem, config)
        self.optimizer = constrained_optimizer(self.problem, self.primals, self.dual)
        self.done = 0
        self.time = 0.0
        self.pruned = self.sparsifying = self.pressed = self.finishing = False
        self.pace = Pace(config)
        self.curve: CostCurve | None = None
        self.soft_bits = torch.full_like(self.flat, math.nan)  # of the last step, for whoever watches
        self._last = 0.0  # progress at the last step
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def charge(self) -> None:
        """Put multipliers where they start."""
        start = 1.0 if self.config.price else self.config.multiplier
        self.problem.price.weight.data.copy_(start * self.shares.reshape(-1))

    @abstractmethod
    def begin_prune(self) -> None:
        """Keep the largest weights only."""

    def begin_sparsify(self) -> None:
        """Put a price on open gates."""
        self.sparsifying = True

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

    @property
    def progress(self) -> float:
        """Part of the fit that is done, 0 to 1: by steps, or by the clock if that is ahead."""
        return max((self.done + self.pace.skipped) / self.config.steps, self.time)

    def batch(self) -> Tensor | None:
        """Indices of this step's pixels: a fresh permutation each epoch, a function of seed and step alone.

        None stands for all of them, whose order does not matter: to shuffle and gather them took most of such a step.
        """
        size = min(self.config.batch, self.canvas.count)
        if size == self.canvas.count:
            return None
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
        if self.budget is not None:
            self._enter_phases()
        strict = self._strict()
        self._schedule()
        self.optimizer.roll(compute_cmp_state_kwargs=self._cmp_state(strict))
        closing = self.sparsifying and not self.pressed  # a gate that is shut hardly opens again: do not shut too many
        if (self.config.dual_restarts or closing) and strict is not None:
            self.problem.restart(strict <= 0)
        self.done += 1
        if not self.pressed and self.pace.watches and self.done % _LOOK == 0:
            end = self.config.press if self.budget is not None else 1.0
            self.look(round(end * self.config.steps))
        if self.done + self.pace.skipped == self.config.steps:
            self.check()

    def look(self, end: int) -> None:
        """Let the error decide how the float phase goes on.

        Args:
            end: step at which it would end by itself.
        """
        self.pace.look(float(self.error.cpu()), self.done, end)

    def _enter_phases(self) -> None:
        config, progress = self.config, self.progress
        if config.gates == "magnitude" and not self.pruned and progress >= config.prune:
            self.begin_prune()
        if not self.sparsifying and progress >= config.sparsify:
            self.begin_sparsify()
        if not self.pressed and progress >= config.press:
            self.begin_press()
            self.charge()  # what open gates cost tells nothing about bits
        if not self.finishing and progress >= 1 - config.finish:
            self.begin_finish()

    def _strict(self) -> Tensor | None:
        """By how much every constraint is missed, on steps that measure it; None where there is none."""
        due = self.done % self.config.measure == 0
        if self.pressed and (due or self.curve is None):
            bits = self.measure()
        elif self.sparsifying and not self.pressed:
            bits = self.gates_open(hard=True).detach()
        else:
            return None
        return None if self.config.price else bits.to(self.device, non_blocking=True) / self.limit() - 1

    def limit(self) -> Tensor:
        """Bits that every constraint allows now."""
        assert self.budget is not None
        start = self.config.sparsify if self.sparsifying and self.config.sparsify < 1 else self.config.press
        t = min(1.0, max(0.0, (self.progress - start) / max(1e-9, 1 - self.config.finish - start)))
        above = self.config.path_start
        factor = {"fixed": 1.0, "linear": above + (1 - above) * t, "geometric": above ** (1 - t)}[self.config.path]
        allowed: Tensor = self.shares * (self.budget * self.config.aim * factor)
        return allowed

    def by_constraint(self, bits: Tensor) -> Tensor:
        """Sums of the bits of weights ``(..., weights)``: of each picture, or of each of its tensors."""
        if self.config.budgets == "global":
            return bits.sum(-1)
        return torch.zeros_like(self.shares).index_add(0, self.model.tensor_of, bits)

    def gates_open(self, *, hard: bool = False) -> Tensor:
        """Bits of weights whose gates are open, at the price of a typical weight, for each constraint.

        Args:
            hard: of those open at the median, not of the expectation.
        """
        chances = self.model.open_probability()
        if chances is None:
            chances = torch.ones_like(self.model.weights)
        elif hard:
            gate = self.model.gate()
            assert gate is not None
            chances = (gate > 0).to(chances)
        return self.by_constraint(BITS_PER_WEIGHT * chances)

    def _schedule(self) -> None:
        part, self._last = self._sparsify_part(), self.progress
        warm = min(1.0, (self.done + 1) / max(1, self.config.warmup))
        falling = self.pace.rate(min(1.0, self.progress))
        soft, hard = self.config.settle
        settled = hard if self.finishing else soft if self.pressed else 1.0
        for primal, peaks in zip(self.primals, self.peaks, strict=True):
            gentle = settled if primal is self.primals[0] else 1.0  # steps and gates have only just begun
            for group, peak in zip(primal.param_groups, peaks, strict=True):
                group["lr"] = peak * gentle * warm * falling
                if self.sparsifying and not self.pressed and group["params"][0] is self.model.log_alpha:
                    group["lr"] = self.config.gate_span * part
        if self.config.sparsify < 1:
            force = self.config.gate_force * part
            self.dual.param_groups[0]["lr"] = self.config.dual_lr * self.config.measure if self.pressed else force

    def _sparsify_part(self) -> float:
        """Part of the time in which gates have a price, though nothing is rounded yet, that a step takes."""
        gone = min(max(self.progress - self._last, 0.0), 0.01)  # by the clock where that is ahead; skips do not count
        return gone / max(1e-9, self.config.press - self.config.sparsify)

    def _cmp_state(self, strict: Tensor | None) -> dict[str, object]:
        model, index, bits, violation = self.model, self.batch(), None, None
        if self.pressed:
            assert self.curve is not None
            levels = model.levels(sample=True)
            flat = model.effective(levels, self.relaxation())
            bits = self.by_constraint(
                expected_bits(self.curve, levels.abs(), model.tensor_of, model.open_probability())
            )
            self.soft_bits = bits.detach()
        else:
            flat = model.gated(sample=True)
            bits = self.gates_open() if self.sparsifying else None
        coords, samples = self.canvas.coords, self.canvas.samples
        if index is not None:
            coords, samples = coords.index_select(-2, index), samples.index_select(-2, index)
        mse = model.mse(coords, flat, samples)
        self.error = self.error.lerp(mse.detach(), 0.02)
        loss = torch.log(mse + 1e-12)
        if bits is not None and self.config.price:  # its gradient is that of MSE + price bpp, over the MSE
            violation = bits * (self.config.price / self.canvas.count) / mse.detach()
        elif bits is not None:
            violation = bits / self.limit() - 1
        if self.config.l1:
            loss = loss + self.config.l1 * flat.abs().sum(-1) / mse.detach()
        return {"log_mse": loss.sum(), "violation": violation, "strict": strict}

    def conclude(self) -> None:
        """Go through the phases that are left, without their steps: what is handed on has been rounded for real."""
        if self.budget is not None and self.config.gates == "magnitude" and not self.pruned:
            self.begin_prune()
        if self.budget is not None and not self.pressed:
            self.begin_press()
        if self.budget is not None and not self.finishing:
            self.begin_finish()

    def _freeze(self) -> None:
        """From here only weights are optimised."""
        self.finishing = True
        self.model.log_alpha = None
        self.model.log_step.requires_grad_(False)
        for parameters in (group["params"] for primal in self.primals[1:] for group in primal.param_groups):
            for parameter in parameters:
                parameter.grad = None  # an optimiser passes over what has no gradient


class Steps(Protocol):
    """A fit that goes on step by step; ``time`` is the part of its time that is gone, where there is a limit."""

    time: float

    @property
    def done(self) -> int:
        """Steps taken."""

    @property
    def progress(self) -> float:
        """Part of it that is done."""

    def step(self) -> None:
        """One more."""


def begin(descent: Steps, count: int, stop: Callable[[], bool], observer: Callable[[int], None] | None = None) -> None:
    """Take a fit, or several in lock-step, through its first steps, unless told to stop; the observer hears of each."""
    while descent.done < count and not stop():
        if observer:
            observer(descent.done)
        descent.step()


def advance(
    descent: Steps,
    *,
    seconds: float | None = None,
    observer: Callable[[Any], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Run a fit, or several in lock-step, to the end of the schedule; see :func:`inrcodec.fit.train.train`."""
    start = time.monotonic()
    before = descent.time
    while descent.progress < 1 and not (stop and stop()):
        descent.step()
        if seconds is not None:
            descent.time = before + (time.monotonic() - start) / seconds
        if observer:
            observer(descent)
