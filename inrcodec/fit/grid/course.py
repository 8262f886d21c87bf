"""What a step of a fit of grids is, the same for one picture and for several in lock-step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from inrcodec.fit.freezing import held, laid_down
from inrcodec.fit.gated import Relaxation, hard_levels
from inrcodec.fit.grid.config import LENIENT, GridConfig
from inrcodec.fit.grid.model import GridNetworks, NetworksStack, matrices
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.muon import Muon
from inrcodec.fit.problem import RateProblem, constrained_optimizer, dual_optimizer, set_pace
from inrcodec.fit.rate import CostCurve, expected_bits
from inrcodec.fit.soap import ScaledAdam, Soap
from inrcodec.net.context import MAX_LATENT
from inrcodec.net.grid import GridArch

_FIRM = 8.0
"""How much violations count in the steps that a fit takes to get under its budget."""

_USUAL, _OVER = 1_200, 4.0
"""Steps from which it counts as much to be over a goal as under it; the most that being over counts in shorter fits.

A landing spends bits well, but can hardly take any back, and latents that learn for a short while obey prices late:
kodim23 at 0.15 bpp ended 3 % over its budget after 600 steps, and landed 2 dB lower.
"""

MENDED = 0.5
"""Part that is left of what rounding all weights at once would cost the latents, when they come to rest in turn."""

_OBEDIENCE, _MOST_REPRICED = 1.2, 3.0
"""What a fit is over its goal when that has passed, to this power, is what its price was too low by; the most that is
believed. Of fits of kodim05 and kodim07 at 0.1 bpp those at 0.7 to 1.15 times the yardstick's price came to
1.19 to 0.80 times their budget then, and to 0.99 to 0.78 in the end."""

_FUSED = ("cpu", "cuda", "mps", "xpu")
"""Devices that torch has an Adam of one piece for."""

_Bits = TypeVar("_Bits", float, Tensor)


def goal(budget: _Bits, room: _Bits, config: GridConfig, left: float) -> _Bits:
    """Bits that a fit aims at: those that a fit at a fixed price would have on its way to the budget.

    Args:
        budget: bits.
        room: what a fit aims above it at first, as a part of it.
        config: settings of the fit.
        left: part of the soft phase that is left.
    """
    if not config.repriced:
        return budget * config.aim * (1 + room * left * math.sqrt(left))
    end = budget * config.aim / (1 + config.ahead[1] / budget)
    return end * (1 + room * math.sqrt(left * math.sqrt(left)))


def correction(violation: Tensor) -> Tensor:
    """What a price is to be multiplied with if bits are this much over a goal once prices may move, as a part of it."""
    return ((1 + violation) ** _OBEDIENCE).clamp(1 / _MOST_REPRICED, _MOST_REPRICED)


def falling(t: float, floor: float) -> float:
    """What a learning rate is multiplied with once a part ``t`` of the soft phase is done: a cosine down to a floor."""
    return floor + (1 - floor) * (0.5 * (1 + math.cos(math.pi * t)))


def softness(config: GridConfig, t: float) -> Relaxation:
    """How latents are rounded once a part ``t`` of the soft phase is done."""
    (hot, cold), (loud, quiet) = config.temperature, config.sigma
    return Relaxation("soft", hot + (cold - hot) * t, loud + (quiet - loud) * t)


def rounded(latents: Tensor, gain: float) -> Tensor:
    """Latents, in their own unit, as symbols."""
    return torch.round(latents.detach() * gain).clamp(-MAX_LATENT, MAX_LATENT)


class Course(ABC):
    """The steps of a fit and their schedule.

    With several pictures (see :class:`inrcodec.fit.grid.lane.Lane`) every tensor has a leading axis. The loss is the
    sum over pictures, so each has the gradients it would have alone.

    Attributes:
        scene: the picture, or several.
        networks: of each.
        latents: ``(..., latents)`` in their own unit.
        rounded: the same in symbols, once they are settled; None before.
        weighing: how often a bit of each tensor counts.
        done: steps taken, ``held`` of them at the end of the soft phase, again and again.
        time: part of the fit's time that is gone, where there is a limit; ``waited`` of it went into held steps.
        measured_at: the progress at the last step that measured bits, on the clock; ``passed`` since the one before.
        pressed: whether weights have quantisation steps and gates a price.
        settled: whether weights have the steps that they will have in the file.
        finishing: whether latents are rounded for real, and weights come to be.
        resting: levels of the weights that are, NaN where they are not yet; None before; see
            :mod:`inrcodec.fit.freezing`.
        hurry: part of the weights that is to rest whatever the progress.
        curve: what weights cost.
    """

    scene: Scene
    arch: GridArch
    config: GridConfig
    networks: GridNetworks | NetworksStack
    latents: nn.Parameter
    rounded: Tensor | None
    weighing: Tensor
    done: int
    held: int
    time: float
    waited: float = 0.0
    measured_at: float = 0.0
    passed: float = 0.0
    pressed: bool
    settled: bool
    finishing: bool
    resting: Tensor | None
    hurry: float = 0.0
    curve: CostCurve | None

    def drive(self, multiplier: float, pictures: int) -> None:
        """Make the optimisers, of latents, weights and gates, and of the price of bits, and start the schedule.

        Args:
            multiplier: where the price starts.
            pictures: how many prices there are.
        """
        config = self.config
        self.problem = RateProblem(multiplier, pictures, self.latents.device)
        self.primals = self._optimizers()
        self.peaks = [[float(group["lr"]) for group in primal.param_groups] for primal in self.primals]
        pace = replace(config, dual_lr=config.dual_lr / config.steps, dual_gain=config.dual_gain * config.steps)
        self.dual = dual_optimizer(self.problem, pace)
        self.optimizer = constrained_optimizer(self.problem, self.primals, self.dual)

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        """Of latents, of weights, of gates."""
        config, networks = self.config, self.networks
        latents = torch.optim.Adam(
            [self.latents], lr=config.latent_lr, betas=config.latent_betas, fused=self.latents.device.type in _FUSED
        )
        scale = self.mobility()
        if config.optimizer == "soap":
            blocks = matrices(self.arch)
            weights: torch.optim.Optimizer = Soap(
                networks.weights, blocks, scale, lr=config.lr, betas=config.betas, refresh=config.refresh
            )
        elif config.optimizer == "muon":
            weights = Muon(networks.weights, matrices(self.arch), scale, lr=config.lr, betas=config.betas)
        else:
            weights = ScaledAdam(networks.weights, scale, lr=config.lr, betas=config.betas)
        networks.log_step.requires_grad_(False)  # steps are searched, not learned
        if networks.log_alpha is None:
            return [latents, weights]
        return [latents, weights, torch.optim.Adam([networks.log_alpha], lr=config.gate_lr)]

    @abstractmethod
    def mobility(self) -> Tensor:
        """What the learning rate of each weight is multiplied with, ``(..., weights)``."""

    @abstractmethod
    def noise(self) -> Tensor:
        """Gaussian noise of unit spread for every latent, this step's."""

    @abstractmethod
    def _strict(self) -> Tensor | float | None:
        """By how much every budget is missed, on steps that measure it; None where that is to move no price."""

    @abstractmethod
    def _cmp_state(self, strict: Tensor | float | None) -> dict[str, object]:
        """Loss and violation at the present weights and latents; see :meth:`RateProblem.compute_cmp_state`."""

    @property
    def progress(self) -> float:
        """Part of the fit that is done, 0 to 1: by steps, or by the clock if that is ahead."""
        return max((self.done - self.held) / self.config.steps, self.time - self.waited)

    @property
    def soft_progress(self) -> float:
        """Part of the soft phase that is done, 0 to 1."""
        return min(1.0, self.progress / (1 - self.config.finish))

    @property
    def share(self) -> float:
        """Part of the weights that rest in this step of the finish: all in the last one."""
        left = 1 - self.progress - 1 / self.length
        return min(1.0, max(self.hurry, 1 - left / max(self.config.finish, 1e-9)))

    @property
    def firmness(self) -> float:
        """How much violations count now."""
        return _FIRM if self.settled and not self.finishing else 2 * self.soft_progress

    def weighed(self, violation: float) -> float:
        """A violation as prices see it."""
        over = min(max((_USUAL / self.length) ** 1.5, 1.0), _OVER) if violation > 0 and not self.settled else 1.0
        return violation * self.firmness * over

    @property
    def length(self) -> float:
        """Steps that the fit will have; on the clock, by how many there were since bits were last measured."""
        return min(self.config.steps, self.config.measure / self.passed) if self.passed else self.config.steps

    @property
    def lenient(self) -> bool:
        """Whether prices rest: latents have only begun to grow, or there is no budget but a price."""
        return self.progress < LENIENT or bool(self.config.price)

    @property
    def repricing(self) -> bool:
        """Whether this measurement is the first that may move prices, of a fit that puts them right by it."""
        before = (self.done - self.held - self.config.measure) / self.config.steps
        return self.config.repriced and not self.lenient and before < LENIENT

    @property
    def resting_prices(self) -> int:
        """Steps before prices move."""
        return math.ceil(LENIENT * self.config.steps)

    def _reprice(self, violation: Tensor) -> Tensor:
        """Put prices where the goals would have been met, in one move; what is left of the violations: nothing.

        Args:
            violation: of every price.
        """
        price = self.problem.price.weight.data
        price.mul_(correction(violation).to(price))
        return torch.zeros_like(violation)

    def _keep_pace(self) -> None:
        """On the clock, where nobody knows how many steps there will be, prices move by the time that has passed."""
        if self.time and self.done % self.config.measure == 0:
            config = self.config
            self.passed = max(self.progress - self.measured_at, config.measure / config.steps)
            set_pace(self.dual, config.dual_lr * self.passed, config.dual_gain / self.passed)
            self.measured_at = self.progress

    def step(self) -> None:
        """One optimiser step."""
        self._keep_pace()
        strict = self._strict()
        self._schedule()
        if self.resting is not None and self.finishing:  # weights of a base rest from the start, and alone
            with torch.no_grad():
                self.resting = laid_down(self.resting, self.networks.levels(), self.share)
        self.optimizer.roll(compute_cmp_state_kwargs=self._cmp_state(strict))
        if self.resting is not None:
            with torch.no_grad():  # an optimiser moves along axes of its own, also what has no gradient
                self.networks.weights.copy_(held(self.resting, self.networks.weights, self.networks.steps()))
        if self.config.dual_restarts and strict is not None:
            self.problem.restart(torch.as_tensor(strict <= 0))
        self.done += 1

    def _schedule(self) -> None:
        """Learning rates of this step."""
        config = self.config
        warm = min(1.0, (self.done + 1) / max(1, config.warmup))
        t = 1.0 if self.finishing else self.soft_progress
        soft, late = config.settle
        settled = late if self.finishing else soft if self.pressed else 1.0
        factors = (
            falling(t, config.latent_floor),
            warm * settled * falling(t, config.floor),
            1.0 if self.pressed and not self.finishing else 0.0,
        )
        for primal, peaks, factor in zip(self.primals, self.peaks, factors, strict=False):
            for group, peak in zip(primal.param_groups, peaks, strict=True):
                group["lr"] = peak * factor

    def symbols(self) -> Tensor:
        """Latents rounded for real."""
        if self.rounded is not None:
            return self.rounded
        return rounded(self.latents, self.config.gain)

    def latent_bits(self) -> Tensor:
        """Bits of the latents rounded for real, under the weights that they will have in the end, ``(...)``."""
        symbols = self.symbols()
        free = self.scene.bits(self.arch, self.free_weights(), symbols)
        if not self.settled:
            return free
        rounded = self.scene.bits(self.arch, self.hard_weights(), symbols)
        return free + MENDED * (rounded - free).clamp(min=0.0)

    def hard_weights(self) -> Tensor:
        """Weights as a file would carry them if all were rounded now."""
        levels = torch.from_numpy(hard_levels(self.networks)).to(self.latents.device)
        return (self.networks.base + levels * self.networks.steps()).detach()

    def free_weights(self) -> Tensor:
        """Weights as floats."""
        return self.networks.base + (self.networks.gated() if self.pressed else self.networks.weights)

    def _figures(self, weight_bits: Tensor | float) -> tuple[Tensor, Tensor]:
        """Bits of everything and the squared error, ``(...)``, differentiable.

        Args:
            weight_bits: what weights take while they have no price yet.
        """
        config, networks, how = self.config, self.networks, softness(self.config, self.soft_progress)
        if self.rounded is not None:
            latents = self.rounded
        else:
            noise = self.noise()
            latents = self.scene.engine.relaxed(self.latents, config.gain, how.temperature, how.sigma, noise)
        if self.pressed:
            assert self.curve is not None
            levels = held(self.resting, networks.levels(sample=True))
            flat = networks.base + networks.effective(levels, Relaxation())
            costs = expected_bits(self.curve, levels.abs(), networks.tensor_of, networks.open_probability())
            weight_bits = (costs * self.weighing[networks.tensor_of]).sum(-1)
        else:
            flat = self.free_weights()
        bits = self.scene.bits(self.arch, flat, latents) + weight_bits
        return bits, self.scene.mse(self.arch, flat, latents)
