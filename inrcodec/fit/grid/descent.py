"""The fit of a modulated SIREN: latents and networks together, under one constraint.

Every step sees the whole picture. Latents are soft-rounded with noise, less and less so; networks are plain floats at
first, get quantisation steps and gates once ``press`` of the steps are done, and for the last part (``finish``) latents
are rounded for real (see :mod:`inrcodec.fit.grid.landing`) and rest while the networks settle on them and are rounded
too, a few weights at a time (see :mod:`inrcodec.fit.freezing`). The multiplier follows the bits of latents and weights
rounded for real, all the way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inrcodec.coding.law import step_code, step_size
from inrcodec.fit.descent import Diverged, Pulse
from inrcodec.fit.freezing import none_resting
from inrcodec.fit.gated import hard_levels
from inrcodec.fit.grid import plain
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.course import MENDED, Course, correction, goal, rounded
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.landing import CHEAPEST, Flags, GridSearch
from inrcodec.fit.grid.model import NARROW, GridNetworks
from inrcodec.fit.grid.noise import NoiseBank
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.squeeze import squeeze
from inrcodec.fit.grid.steps import search_steps
from inrcodec.fit.rate import CostCurve
from inrcodec.fit.train import appraise
from inrcodec.net.grid import GridArch
from inrcodec.net.prior import NO_PRIOR

_PATIENCE, _MOST_HELD = 0.2, 240
"""The most steps that a fit which is over its budget may take to get there, as a part of all; and in all, where its
price hardly moves any more. Such a one, of kodim15 at 0.8 bpp and 3,000 steps, was over by 0.66, 0.43 and 0.49 % after
15, 240 and 600 of them. Layers of a scalable file do gain: kodim15's, of 2,400 steps, 0.04 to 0.15 dB by up to 480."""

CLOCK_PATIENCE = 0.15
"""The same of the time, where there is a limit; whoever sets it leaves as much beside the time of the fit itself."""

_SQUEEZES, _FORCE, _MOST_OVER = 6, 3, 1.5
"""The most rounds in which latents of a fit that is over its budget give bits back; each price is dearer than the one
before by what is over, to this power, but for what is more than the last."""

_GENTLER, _UNHEARD = 0.3, 1.5
"""What a round's force is multiplied with when one has made matters worse; and its price, when latents took more bits
and made good use of them: what they were held with was dearer."""

_DEARER = (1.05, 1.12, 1.25, 1.5, 2.2, 3.3)
"""What is over after them comes off the weights: their steps are searched at prices that are dearer by these."""

_BY_FORCE = 4.0
"""What bits that a landing takes back cost, as a multiple of their price."""

_SLIGHT = 1.005
"""What a fit may come to without a squeeze, as a part of its budget: a landing takes back so little for less. A layer
of kodim05 at 0.3 bpp, over by 0.17 %, lost 1.9 % and 0.19 dB; a base of it at 0.1, by 0.04 %, lost 1 % and 0.17 dB."""

_BEARABLE = 1.01
"""What a fit may end at, as a part of its budget, and leave it to the landing to take back what is over."""

_FORESIGHT, _UNHURRIED = 0.3, 600
"""Part of a fit after which it sees what weights will take; steps of the shortest that does."""

_MOST_ROOM = 0.95
"""The most that a fit aims above its budget, as a part of it."""

_HASTE = 16
"""Steps in which weights come to rest where a fit is stopped."""

_FINE = 104
"""Code of the step that the search of steps starts from: one that is too coarse would hide what the others do."""


class GridDescent(Course):
    """One fit in progress; :meth:`step` advances it, :meth:`state_dict` freezes it.

    Args:
        scene: the picture.
        arch: the architecture.
        config: settings.
        budget: bits that latents and weights may take; with a fixed price, those that they will take about.
        seed: of the initialisation and the noise.
        prior: code of what the weights are measured from.
    """

    networks: GridNetworks

    def __init__(
        self, scene: Scene, arch: GridArch, config: GridConfig, budget: float, seed: int = 0, prior: int = NO_PRIOR
    ) -> None:
        scale, config = NARROW if config.at_random(budget) else 0.0, config.steadied(budget)
        self.scene, self.arch, self.config, self.budget, self.seed = scene, arch, config, budget, seed
        device = scene.samples.device
        self.networks = GridNetworks(
            arch, scene.mean(), prior=prior, gate_kind=config.gates, droprate=config.droprate, seed=seed, scale=scale
        )
        self.networks.to(device)
        self.weighing = torch.tensor(scene.weighing(arch), device=device)
        count = arch.latents(scene.width, scene.height)
        self.latents = nn.Parameter(torch.zeros(count, device=device))
        self.bank = NoiseBank(count, seed, device)
        self.flat_error = float(scene.samples.var((1, 2), correction=0).mean().cpu())
        outlook = scene.outlook(budget)
        self.reference = outlook.mse
        start = config.opening(self.bpp)[0] * outlook.elasticity
        if config.price:  # then what is minimised is MSE + price bpp, over the error expected
            start = config.price * self.bpp / self.reference
        self.drive(start, 1)
        self.done = 0
        self.time = 0.0
        self.held = 0
        self.held_since = self.waited = 0.0
        self.calm = start  # the multiplier before steps were held
        self.foreseen = self.pressed = self.settled = self.finishing = False
        self.curve: CostCurve | None = None
        self.weight_bits = math.nan
        self.bits = math.nan
        self.soft_bits = torch.full((), math.nan)  # of the last step, for whoever watches
        self.mse = self.flat_error
        self.rounded: Tensor | None = None
        self.resting: Tensor | None = None

    def mobility(self) -> Tensor:
        """What the learning rate of each weight is multiplied with: 0 for those that stay as the prior has them."""
        if self.networks.prior == NO_PRIOR or self.budget >= self.config.outer:
            return torch.ones(self.networks.weights.numel())
        inner = [spec.name[0] in "CS" and spec.name[1:].isdigit() for spec in self.arch.tensors()]
        return 1.0 - torch.tensor(inner, dtype=torch.float32)[self.networks.tensor_of.cpu()]

    @property
    def model(self) -> GridNetworks:
        """The weights, under the name that other fits have for them."""
        return self.networks

    @property
    def bpp(self) -> float:
        """Bits a pixel of the budget."""
        return self.budget / (self.scene.width * self.scene.height)

    @property
    def eagerness(self) -> float:
        """What violations are multiplied with for this budget; a price that was put right moves little all the same."""
        if self.config.repriced:
            return 1.0
        return float(self.config.eager ** self.config.plenteousness(self.bpp))

    @property
    def room(self) -> float:
        """What the fit aims above its budget at first, as a part of it."""
        if self.config.repriced:
            return self.config.ahead[0]
        return min(self.config.opening(self.bpp)[1] / self.bpp, _MOST_ROOM)

    @property
    def goal(self) -> float:
        """Bits the fit aims at now."""
        return goal(self.budget, self.room, self.config, 1.0 - self.soft_progress)

    @property
    def elasticity(self) -> float:
        """The price of the budget as -dlnMSE/dlnbits, at the error of now."""
        return self.problem.multiplier * self.reference / max(self.mse, 1e-12)

    def step(self) -> None:
        """One optimiser step.

        Raises:
            Diverged: it was one too many.
        """
        if self.foreseeing:
            self.foresee()
        if not self.pressed and self.progress >= self.config.press:
            self.begin_press()
        if not self.finishing and self.progress >= 1 - self.config.finish and not self.holds():
            self.begin_finish()
        super().step()

    def _strict(self) -> Tensor | float | None:
        if self.done % self.config.measure and not math.isnan(self.weight_bits):
            return None
        violation = self.measure() / self.goal - 1
        if self.lenient:
            return None
        return self._reprice(torch.tensor([violation])) if self.repricing else self.eagerness * self.weighed(violation)

    def holds(self) -> bool:
        """Whether the last step of the soft phase has to be taken again: rounded latents cannot give bits back.

        It counts as held then, so this is to be asked once a step.
        """
        if not self.settled:
            self.settle()
        most = min(_PATIENCE * self.config.steps, _MOST_HELD if self.config.repriced else math.inf)
        late = self.held >= most or self.waited >= CLOCK_PATIENCE
        if late or self.bits <= self.budget or self.config.price:
            return False
        if not self.held:
            self.held_since = self.time
        self.held += 1
        self.waited = self.time - self.held_since
        return True

    def settle(self) -> None:
        """Give weights the steps that they will have in the file."""
        self.settled, self.calm = True, self.problem.multiplier
        self._search_steps()
        self.measure()

    def stretch(self) -> Tensor:
        """The part of the bank of noise that this step reads."""
        return self.bank.stretch(self.done)

    def noise(self) -> Tensor:
        """Gaussian noise for every latent, this step's."""
        return self.stretch().clone()

    def measure(self) -> float:
        """Bits of everything rounded for real, as it will be; also refits the laws of the weights.

        Weights that come to rest in turn make up for about half of what it would cost the latents if all did at once.
        """
        laws, bits = appraise(self.arch, hard_levels(self.networks))
        self.weight_bits = self.networks_bits(bits)
        self.curve = CostCurve.of(laws, self.latents.device)
        with torch.no_grad():
            self.bits = float(self.latent_bits().cpu()) + self.weight_bits
        return self.bits

    def networks_bits(self, bits: Sequence[float]) -> float:
        """What the networks take of the budget, by what each of their tensors takes now."""
        return float(np.dot(bits, self.scene.weighing(self.arch)))

    def _cmp_state(self, strict: Tensor | float | None) -> dict[str, object]:
        bits, mse = self._figures(self.weight_bits)
        self.soft_bits = bits.detach()
        self.mse = float(mse.detach().cpu())
        if not math.isfinite(self.mse):
            raise Diverged("the error is not finite any more")
        violation = ((bits - self.goal) / self.budget).reshape(1)
        # ln MSE to first order about the error expected at the end. The logarithm itself would, as long as errors are
        # larger, make bits dearer by as much, and latents would die that never come back (half a dB at 0.1 bpp).
        return {"log_mse": mse / self.reference, "violation": violation, "strict": strict}

    @property
    def foreseeing(self) -> bool:
        """Whether it is time to see what weights will take. Short fits have none to spare for that."""
        config = self.config
        if self.foreseen or self.pressed or self.progress < _FORESIGHT:
            return False
        return self.length >= _UNHURRIED and not config.price and not config.repriced

    def foresee(self) -> None:
        """Find the steps that weights would have now, so that what they will take is known long before they have them.

        Otherwise it comes as a surprise, some 3,000 bits at once: the price leaps, and latents give back what they do
        not get again. Fits that put their price right aim that much lower instead; see :attr:`GridConfig.ahead`.
        """
        self.foreseen = True
        self._search_steps()

    def begin_press(self) -> None:
        """Give weights their quantisation steps, and gates a price."""
        self.check()
        self.pressed = True
        self._search_steps()

    movable: Flags | None = None
    """Which latents are not zero for good; None stands for all."""

    cheapest = 0.0
    """The least price that steps are searched at, as -dlnMSE/dlnbits."""

    def _search_steps(self, dearer: float = 1.0) -> None:
        """Quantisation steps for the weights as they are, at so many times the price."""
        networks, price = self.networks, max(self.elasticity, self.cheapest) * dearer
        start = [_FINE] * len(networks.sizes)
        codes = search_steps(
            self.scene, self.arch, networks.gated().detach(), networks.base, self.symbols(), start, price, self.budget
        )
        with torch.no_grad():
            self.networks.log_step.copy_(torch.log(torch.tensor([step_size(code) for code in codes])))

    def begin_finish(self) -> None:
        """Purge gates, round the latents; weights will be in turn."""
        if not self.settled:
            self.settle()
        self.problem.price.weight.data.fill_(self.calm)  # what pressed the last bits out is too dear for weights
        self.networks.purge()
        if not self.config.price:
            self._squeeze()
            self._afford_weights()
        self.finishing = True
        self._freeze(self._landed_latents())

    def _squeeze(self) -> None:
        """Bits taken back from latents until they meet the budget."""
        price = max(self.calm, CHEAPEST * self.mse / self.reference)
        flat = self.free_weights().detach()
        over, error, force = self.measure() / self.budget, self._error(flat), 1.0
        for done in range(_SQUEEZES):
            if over <= _SLIGHT:
                return
            before, price = self.latents.detach().clone(), price * min(max(over, 1.01), _MOST_OVER) ** _FORCE
            noise, worth = self.bank.stretch(self.done + done), price * self.reference / self.budget
            squeeze(self.scene, self.arch, flat, self.latents, noise, self.config, worth, force)
            now, then = self.measure() / self.budget, self._error(flat)
            if now < over:
                over, error = now, then
                continue
            with torch.no_grad():
                self.latents.copy_(before)
            if then < error:
                price *= _UNHEARD
            else:
                force *= _GENTLER

    @torch.no_grad()
    def _error(self, flat: Tensor) -> float:
        """Mean squared error of what weights draw of latents rounded for real."""
        return max(float(self.scene.mse(self.arch, flat, self.symbols()).cpu()), 1e-12)

    def _landed_latents(self) -> Tensor:
        """Latents rounded for good, and for the better."""
        search = GridSearch(self.scene, self._outcome(), self.movable)
        at_once = search.rate  # under weights that all come to rest in this step
        search.flat = self.free_weights().detach()
        left = self.budget - self.networks_bits(search.weights.tensor_bits()) - MENDED * max(0.0, at_once - search.rate)
        search.refine(search.rate if self.config.price else left, self.config.landing)
        return torch.from_numpy(search.latents.astype(np.float32)).to(self.latents.device)

    @torch.no_grad()
    def _afford_weights(self) -> None:
        """Coarser steps for the weights, which will settle on them, where that is enough to meet the budget.

        If it is not, or costs the picture more than a landing would, that has to see to it.
        """
        over = self.measure() / self.budget - 1
        if over <= 0:
            return
        before, most = self.networks.log_step.detach().clone(), self._toll() + _BY_FORCE * self.elasticity * over
        for dearer in _DEARER:
            self._search_steps(dearer)
            if self.measure() <= self.budget:
                break
        if self.bits > self.budget or self._toll() > most:
            self.networks.log_step.copy_(before)
            self.measure()

    def _toll(self) -> float:
        """What lnMSE will rise by when weights have come to rest in turn."""
        return MENDED * math.log(self._error(self.hard_weights()) / self._error(self.free_weights().detach()))

    def _freeze(self, rounded: Tensor) -> None:
        """From here only weights move."""
        self.finishing, self.rounded, self.resting = True, rounded, none_resting(self.networks.weights.detach())
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

    def mispriced(self) -> float:
        """What the price is to be multiplied with for another start, by the bits that the first steps came to."""
        return float(correction(torch.tensor(self.measure() / self.goal - 1)))

    @torch.no_grad()
    def standing(self) -> float:
        """Error and price of the bits, latents rounded for real; of two fits that began alike the lower is ahead."""
        error = self.scene.mse(self.arch, self.free_weights(), self.symbols())
        price = self.problem.multiplier / self.budget
        return float((error / self.reference + price * self.latent_bits()).cpu())

    def pulse(self) -> Pulse:
        """How the fit stands; a step that is taken again counts once."""
        return Pulse(self.done - self.held, self.config.steps, self.mse, self.bits, self.problem.multiplier)

    @torch.no_grad()
    def picture(self) -> NDArray[np.float32]:
        """What would be drawn now, latents rounded; ``(pixels, channels)``."""
        seen = self.scene.drawn(self.symbols())
        weights = self.scene.drawing(self.free_weights())
        drawn = plain.picture(self.arch, weights, seen, self.scene.width, self.scene.height)
        pixels: NDArray[np.float32] = drawn.flatten(1).T.cpu().numpy()
        return pixels

    def fitted(self) -> FittedGrid:
        """Hand on what there is, rounded for real if it was not yet."""
        if not self.pressed:
            self.begin_press()
        if not self.finishing:
            self.begin_finish()
        self._rest()
        unhurried = self.progress >= 1 and not self.time and not self.config.price
        if unhurried and self.measure() > _BEARABLE * self.budget:
            self._regain()
        return self._outcome()

    def _regain(self) -> None:
        """Take back from latents what they came to need because of how weights came to rest.

        Those of context models, in the last steps, can make latents dearer by percents.
        """
        assert self.rounded is not None
        resting = self.resting
        with torch.no_grad():  # those that are where they were rounded to give way more easily than from an integer
            same = rounded(self.latents, self.config.gain) == self.rounded
            self.latents.copy_(torch.where(same, self.latents, self.rounded / self.config.gain))
        self.latents.requires_grad_(True)
        self.rounded = None
        self._squeeze()
        self._freeze(self._landed_latents())
        self.resting = resting

    def _outcome(self) -> FittedGrid:
        """What there is, with the steps that weights have."""
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

    def _rest(self) -> None:
        """Let all weights rest that do not yet, as the fit is to end here: in a few steps, a few at a time."""
        assert self.resting is not None
        for k in range(_HASTE):
            if not bool(torch.isnan(self.resting).any().cpu()):
                return
            self.hurry = (k + 1) / _HASTE
            super().step()

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the rest of the fit, in plain types and tensors."""
        return {
            "done": self.done,
            "time": self.time,
            "held": self.held,
            "held_since": self.held_since,
            "waited": self.waited,
            "calm": self.calm,
            "settled": self.settled,
            "foreseen": self.foreseen,
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
            "resting": self.resting,
            "primal": [primal.state_dict() for primal in self.primals],
            "dual": self.dual.state_dict()["state"],
            "multiplier": self.problem.state_dict(),
            "curve": None if self.curve is None else list(self.curve.rows()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict` of a fit of the same picture, settings and seed."""
        device = self.latents.device
        self.foreseen, self.pressed = state["foreseen"], state["pressed"]
        if state["finishing"]:
            self._freeze(state["rounded"].to(device))
            self.resting = state["resting"].to(device)
        self.done, self.time, self.mse = state["done"], state["time"], state["mse"]
        self.held, self.calm, self.settled = state["held"], state["calm"], state["settled"]
        self.held_since, self.waited = state["held_since"], state["waited"]
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
