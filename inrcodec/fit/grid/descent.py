"""The fit of a modulated SIREN: latents and networks together, under one constraint.

Every step sees the whole picture. Latents are soft-rounded with noise, less and less so; networks are plain floats at
first, get quantisation steps and gates once ``press`` of the steps are done, and for the last part (``finish``) latents
are rounded for real (see :mod:`inrcodec.fit.grid.landing`) and rest while the networks settle on them, rounded too. The
multiplier follows the bits of latents and weights rounded for real, all the way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inrcodec.coding.law import step_code, step_size
from inrcodec.fit.descent import Diverged, Pulse
from inrcodec.fit.gated import Relaxation, hard_levels
from inrcodec.fit.grid import plain
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.landing import GridSearch
from inrcodec.fit.grid.model import GridNetworks, matrices
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.steps import search_steps
from inrcodec.fit.muon import Muon
from inrcodec.fit.problem import RateProblem, constrained_optimizer, dual_optimizer
from inrcodec.fit.rate import CostCurve, expected_bits
from inrcodec.fit.soap import ScaledAdam, Soap
from inrcodec.fit.train import appraise
from inrcodec.net.context import MAX_LATENT
from inrcodec.net.grid import GridArch
from inrcodec.net.prior import NO_PRIOR

_PATIENCE = 0.2
"""The most steps that a fit which is over its budget may take to get there, as a part of all."""

_FIRM = 8.0
"""How much violations count in those steps."""

_DEARER = (1.05, 1.12, 1.25, 1.5, 2.2, 3.3)
"""What is over after them comes off the weights: their steps are searched at prices that are dearer by these."""

_MOST_ROOM = 0.95
"""The most that a fit aims above its budget, as a part of it."""

_FINE = 104
"""Code of the step that the search of steps starts from: one that is too coarse would hide what the others do."""

_BANK = 1 << 18
"""Noise is drawn once, this much longer than the latents, and read from a new place every step."""


class GridDescent:
    """One fit in progress; :meth:`step` advances it, :meth:`state_dict` freezes it.

    Args:
        scene: the picture.
        arch: the architecture.
        config: settings.
        budget: bits that latents and weights may take; with a fixed price, those that they will take about.
        seed: of the initialisation and the noise.
        prior: code of what the weights are measured from.
    """

    def __init__(
        self, scene: Scene, arch: GridArch, config: GridConfig, budget: float, seed: int = 0, prior: int = NO_PRIOR
    ) -> None:
        self.scene, self.arch, self.config, self.budget, self.seed = scene, arch, config, budget, seed
        device = scene.samples.device
        self.networks = GridNetworks(
            arch, scene.mean(), prior=prior, gate_kind=config.gates, droprate=config.droprate, seed=seed
        )
        self.networks.to(device)
        self.weighing = torch.tensor(scene.weighing(arch), device=device)
        count = arch.latents(scene.width, scene.height)
        self.latents = nn.Parameter(torch.zeros(count, device=device))
        generator = torch.Generator().manual_seed((seed + 1) % 2**63)
        self.bank = torch.randn(count + _BANK, generator=generator).to(device)
        self.flat_error = float(scene.samples.var((1, 2), correction=0).mean())
        outlook = scene.outlook(budget)
        self.reference = outlook.mse
        start = config.multiplier * outlook.elasticity
        if config.price:  # then what is minimised is MSE + price bpp, over the error expected
            start = config.price * budget / (scene.width * scene.height) / self.reference
        self.problem = RateProblem(start, 1, device)
        self.primals = self._optimizers()
        self.peaks = [[float(group["lr"]) for group in primal.param_groups] for primal in self.primals]
        pace = replace(config, dual_lr=config.dual_lr / config.steps, dual_gain=config.dual_gain * config.steps)
        self.dual = dual_optimizer(self.problem, pace)
        self.optimizer = constrained_optimizer(self.problem, self.primals, self.dual)
        self.done = 0
        self.time = 0.0
        self.held = 0
        self.calm = start  # the multiplier before steps were held
        self.pressed = self.settled = self.finishing = False
        self.curve: CostCurve | None = None
        self.weight_bits = math.nan
        self.bits = math.nan
        self.soft_bits = torch.full((), math.nan)  # of the last step, for whoever watches
        self.mse = self.flat_error
        self.rounded: Tensor | None = None

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        """Of latents, of weights, of gates."""
        config, networks = self.config, self.networks
        latents = torch.optim.Adam([self.latents], lr=config.latent_lr, betas=config.latent_betas, fused=True)
        scale = self._mobility()
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

    def _mobility(self) -> Tensor:
        """What the learning rate of each weight is multiplied with: 0 for those that stay as the prior has them."""
        if self.networks.prior == NO_PRIOR or self.budget >= self.config.outer:
            return torch.ones(self.networks.weights.numel())
        inner = [spec.name[0] in "CS" and spec.name[1:].isdigit() for spec in self.arch.tensors()]
        return 1.0 - torch.tensor(inner, dtype=torch.float32)[self.networks.tensor_of.cpu()]

    @property
    def progress(self) -> float:
        """Part of the fit that is done, 0 to 1: by steps, or by the clock if that is ahead."""
        return max((self.done - self.held) / self.config.steps, self.time)

    @property
    def soft_progress(self) -> float:
        """Part of the soft phase that is done, 0 to 1."""
        return min(1.0, self.progress / (1 - self.config.finish))

    @property
    def model(self) -> GridNetworks:
        """The weights, under the name that other fits have for them."""
        return self.networks

    @property
    def goal(self) -> float:
        """Bits the fit aims at now: those that a fit at a fixed price would have on its way to the budget."""
        room = min(self.config.headroom * self.scene.width * self.scene.height / self.budget, _MOST_ROOM)
        left = 1.0 - self.soft_progress
        return self.budget * self.config.aim * (1 + room * left * math.sqrt(left))

    @property
    def elasticity(self) -> float:
        """The price of the budget as -dlnMSE/dlnbits, at the error of now."""
        return self.problem.multiplier * self.reference / max(self.mse, 1e-12)

    def step(self) -> None:
        """One optimiser step.

        Raises:
            Diverged: it was one too many.
        """
        if not self.pressed and self.progress >= self.config.press:
            self.begin_press()
        if not self.finishing and self.progress >= 1 - self.config.finish and not self._holding():
            self.begin_finish()
        strict = None
        if self.done % self.config.measure == 0 or math.isnan(self.weight_bits):
            firm = _FIRM if self.settled and not self.finishing else 2 * self.soft_progress
            strict = (self.measure() / self.goal - 1) * firm
            if self.done * 10 < self.config.steps or self.config.price:
                strict = None  # latents have only begun to grow; or the multiplier stays where it is
        self._schedule()
        self.optimizer.roll(compute_cmp_state_kwargs=self._cmp_state(strict))
        if self.config.dual_restarts and strict is not None:
            self.problem.restart(torch.tensor(strict <= 0))
        self.done += 1

    def _holding(self) -> bool:
        """Whether the last step of the soft phase has to be taken again: rounded latents cannot give bits back."""
        if not self.settled:
            self._settle()
        late = self.held >= _PATIENCE * self.config.steps or self.time >= 1
        if late or self.bits <= self.budget or self.config.price:
            return False
        self.held += 1
        return True

    def _settle(self) -> None:
        """Give weights the steps that they will have in the file: from here bits are counted with them rounded."""
        self.settled, self.calm = True, self.problem.multiplier
        self._search_steps()
        self.measure()

    def _schedule(self) -> None:
        """Learning rates of this step."""
        config = self.config
        warm = min(1.0, (self.done + 1) / max(1, config.warmup))
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, self.progress / (1 - config.finish))))
        soft, hard = config.settle
        settled = hard if self.finishing else soft if self.pressed else 1.0
        factors = (
            config.latent_floor + (1 - config.latent_floor) * cosine,
            warm * settled * (config.floor + (1 - config.floor) * cosine),
            1.0 if self.pressed and not self.finishing else 0.0,
        )
        for primal, peaks, factor in zip(self.primals, self.peaks, factors, strict=False):
            for group, peak in zip(primal.param_groups, peaks, strict=True):
                group["lr"] = peak * factor

    def relaxation(self) -> Relaxation:
        """How latents are rounded at this point of the fit."""
        if self.finishing:
            return Relaxation("hard")
        t = self.soft_progress
        (hot, cold), (loud, quiet) = self.config.temperature, self.config.sigma
        return Relaxation("soft", hot + (cold - hot) * t, loud + (quiet - loud) * t)

    def symbols(self) -> Tensor:
        """Latents rounded for real."""
        if self.rounded is not None:
            return self.rounded
        return torch.round(self.latents.detach() * self.config.gain).clamp(-MAX_LATENT, MAX_LATENT)

    def hard_weights(self) -> Tensor:
        """Weights as a file would carry them now."""
        levels = torch.from_numpy(hard_levels(self.networks)).to(self.latents.device)
        return (self.networks.base + levels * self.networks.steps()).detach()

    def free_weights(self) -> Tensor:
        """Weights as floats."""
        return self.networks.base + (self.networks.gated() if self.pressed else self.networks.weights)

    def measure(self) -> float:
        """Bits of everything rounded for real; also refits the laws of the weights."""
        laws, bits = appraise(self.arch, hard_levels(self.networks))
        self.weight_bits = self.networks_bits(bits)
        self.curve = CostCurve.of(laws, self.latents.device)
        with torch.no_grad():
            flat = self.hard_weights() if self.settled else self.free_weights()
            self.bits = float(self.scene.bits(self.arch, flat, self.symbols())) + self.weight_bits
        return self.bits

    def networks_bits(self, bits: Sequence[float]) -> float:
        """What the networks take of the budget, by what each of their tensors takes now."""
        return float(np.dot(bits, self.scene.weighing(self.arch)))

    def _cmp_state(self, strict: float | None) -> dict[str, object]:
        config, networks, how = self.config, self.networks, self.relaxation()
        if self.rounded is not None:
            latents = self.rounded
        else:
            place = (self.done * 7919 + self.seed) % _BANK
            noise = self.bank[place : place + self.latents.numel()].clone()
            latents = self.scene.engine.relaxed(self.latents, config.gain, how.temperature, how.sigma, noise)
        weight_bits: Tensor | float = self.weight_bits
        if self.pressed:
            assert self.curve is not None
            levels = networks.levels(sample=True)
            flat = networks.base + networks.effective(levels, Relaxation("hard" if self.finishing else "none"))
            costs = expected_bits(self.curve, levels.abs(), networks.tensor_of, networks.open_probability())
            weight_bits = (costs * self.weighing[networks.tensor_of]).sum(-1)
        else:
            flat = self.free_weights()
        bits = self.scene.bits(self.arch, flat, latents) + weight_bits
        self.soft_bits = bits.detach()
        mse = self.scene.mse(self.arch, flat, latents)
        self.mse = float(mse.detach())
        if not math.isfinite(self.mse):
            raise Diverged("the error is not finite any more")
        violation = ((bits - self.goal) / self.budget).reshape(1)
        # ln MSE to first order about the error expected at the end. The logarithm itself would, as long as errors are
        # larger, make bits dearer by as much, and latents would die that never come back (half a dB at 0.1 bpp).
        return {"log_mse": mse / self.reference, "violation": violation, "strict": strict}

    def begin_press(self) -> None:
        """Give weights their quantisation steps, and gates a price."""
        self.check()
        self.pressed = True
        self._search_steps()

    def _search_steps(self, dearer: float = 1.0) -> None:
        """Quantisation steps for the weights as they are, at so many times the price."""
        networks, price = self.networks, self.elasticity * dearer
        start = [_FINE] * len(networks.sizes)
        codes = search_steps(
            self.scene, self.arch, networks.gated().detach(), networks.base, self.symbols(), start, price, self.budget
        )
        with torch.no_grad():
            self.networks.log_step.copy_(torch.log(torch.tensor([step_size(code) for code in codes])))

    def begin_finish(self) -> None:
        """Purge gates, settle the steps on values a file can carry; from here rounding is hard."""
        if not self.settled:
            self._settle()
        self.problem.price.weight.data.fill_(self.calm)  # what pressed the last bits out is too dear for weights
        if not self.config.price:
            self._afford_weights()
        self.networks.purge()
        self.networks.snap_steps()
        self.finishing = True
        self._freeze(self._landed_latents())

    def _landed_latents(self) -> Tensor:
        """Latents rounded for good, and for the better."""
        search = GridSearch(self.scene, self.fitted())
        left = search.rate if self.config.price else self.budget - sum(search.weights.tensor_bits())
        search.refine(left, self.config.landing)
        return torch.from_numpy(search.latents.astype(np.float32)).to(self.latents.device)

    @torch.no_grad()
    def _afford_weights(self) -> None:
        """Coarser steps for the weights, which will settle on them, where that is enough to meet the budget."""
        before = self.networks.log_step.detach().clone()
        for dearer in _DEARER:
            if self.measure() <= self.budget:
                return
            self._search_steps(dearer)
        if self.measure() > self.budget:  # no: the landing has to see to it
            self.networks.log_step.copy_(before)
            self.measure()

    def _freeze(self, rounded: Tensor) -> None:
        """From here only weights move."""
        self.finishing, self.rounded = True, rounded
        self.networks.log_alpha = None
        self.latents.requires_grad_(False)
        self.latents.grad = None  # an optimiser passes over what has no gradient

    def check(self) -> None:
        """Refuse to go on from a fit that is worse than none.

        Raises:
            Diverged: it is.
        """
        if self.mse > 1.5 * self.flat_error + 1e-3:
            raise Diverged(f"an error of {self.mse:.3g} is worse than that of a flat picture, {self.flat_error:.3g}")

    def pulse(self) -> Pulse:
        """How the fit stands; a step that is taken again counts once."""
        return Pulse(self.done - self.held, self.config.steps, self.mse, self.bits, self.problem.multiplier)

    @torch.no_grad()
    def picture(self) -> NDArray[np.float32]:
        """What would be drawn now, latents and (once they have steps) weights rounded; ``(pixels, channels)``."""
        flat = self.hard_weights() if self.pressed else self.free_weights()
        seen = self.scene.drawn(self.symbols())
        drawn = plain.picture(self.arch, flat, seen, self.scene.width, self.scene.height)
        pixels: NDArray[np.float32] = drawn.flatten(1).T.cpu().numpy()
        return pixels

    def fitted(self) -> FittedGrid:
        """Hand on what there is, rounded for real if it was not yet."""
        if not self.pressed:
            self.begin_press()
        if not self.finishing:
            self.begin_finish()
        weights = self.networks.gated().detach().cpu().numpy()
        codes = tuple(step_code(step) for step in torch.exp(self.networks.log_step.detach()).cpu().tolist())
        near = (self.latents.detach() * self.config.gain if self.rounded is None else self.rounded).cpu().numpy()
        return FittedGrid(
            self.arch,
            weights,
            codes,
            near.astype(np.float32),
            self.elasticity,
            self.done,
            self.networks.prior,
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the rest of the fit, in plain types and tensors."""
        return {
            "done": self.done,
            "time": self.time,
            "held": self.held,
            "calm": self.calm,
            "settled": self.settled,
            "pressed": self.pressed,
            "finishing": self.finishing,
            "mse": self.mse,
            "bits": self.bits,
            "weight_bits": self.weight_bits,
            "networks": self.networks.state_dict(),
            "mask": self.networks.mask,
            "generator": self.networks.generator.get_state(),
            "latents": self.latents.detach(),
            "rounded": self.rounded,
            "primal": [primal.state_dict() for primal in self.primals],
            "dual": self.dual.state_dict()["state"],
            "multiplier": self.problem.state_dict(),
            "curve": None if self.curve is None else list(self.curve.rows()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict` of a fit of the same picture, settings and seed."""
        device = self.latents.device
        self.pressed = state["pressed"]
        if state["finishing"]:
            self._freeze(state["rounded"].to(device))
        self.done, self.time, self.mse = state["done"], state["time"], state["mse"]
        self.held, self.calm, self.settled = state["held"], state["calm"], state["settled"]
        self.bits, self.weight_bits = state["bits"], state["weight_bits"]
        self.networks.load_state_dict(state["networks"])
        self.networks.mask = None if state["mask"] is None else state["mask"].to(device)
        self.networks.generator.set_state(state["generator"])
        with torch.no_grad():
            self.latents.copy_(state["latents"])
        for primal, saved in zip(self.primals, state["primal"], strict=True):
            primal.load_state_dict(saved)
        self.dual.load_state_dict({**self.dual.state_dict(), "state": state["dual"]})
        self.problem.load_state_dict(state["multiplier"])
        self.curve = None if state["curve"] is None else CostCurve(*(row.to(device) for row in state["curve"]))
