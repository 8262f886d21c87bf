"""The fit of a scalable file: a fit for all of its bytes, then the base, then every layer above it.

Each of these is a fit of its own (:class:`inrcodec.fit.grid.descent.GridDescent`) that goes on with the networks of the
one before; latents of the layers below are settled by then, and so is the base's context model, which serves nothing
else: a base whose bits went on changing would not end where its file does, and what is missing of a finest grid costs
decibels. A layer's steps also show the networks one of the layers below, another one in every step, so that one set of
weights comes to serve all rates (Nunez et al. 2021, section 3.1, draw rates at random). The fit for all bytes comes
first because it decides what the latents stand for: a base that is fitted without it says little that the layers above
can use (0.2 to 0.3 dB at every rate).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inrcodec.coding.law import step_size
from inrcodec.fit.freezing import none_resting
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.landing import CHEAPEST, Flags
from inrcodec.fit.grid.model import initial_tensor
from inrcodec.fit.grid.plain import tensors_of
from inrcodec.fit.grid.scene import Scene
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.net.prior import NO_PRIOR

_PINNED, _FREE = 4_000.0, 14_000.0
"""Bits that networks usually come to: with hidden layers that stay the prior's, and with others."""

_REFINING = 3_500.0
"""Bits that the context model of refinements comes to."""

_OPEN = 8.0
"""Where gates are that nothing may close."""

_MOST = 0.25
"""Part of a file's budget that networks are expected to take at most."""


@dataclass
class Turn:
    """Whose turn it is among the layers below.

    Attributes:
        step: of the fit.
    """

    step: int = 0


@dataclass(frozen=True)
class WholeScene(Scene):
    """The picture as the first fit sees it: all bytes in one layer, of the last one's steps.

    Attributes:
        unit: what the network sees for a step.
    """

    unit: float = 1.0

    def drawn(self, latents: Tensor) -> Tensor:
        """What the network sees of latents."""
        return latents * self.unit


@dataclass(frozen=True)
class LayerScene(Scene):
    """The picture as the fit of a layer sees it; both figures are means over this layer and those below.

    The budget is of the layer's own file (:meth:`bits_of_file`): a mean would let one layer take what another needs.

    Attributes:
        arch: the architecture.
        budgets: bits of everything up to each layer, this one the last.
        below: settled latents of the layers below, each flat.
        turn: which of these a step looks at besides its own.
    """

    arch: LayeredArch = field(default_factory=LayeredArch)
    budgets: tuple[float, ...] = ()
    below: tuple[Tensor, ...] = ()
    turn: Turn = field(default_factory=Turn)

    @property
    def layer(self) -> int:
        """Which one it is."""
        return len(self.below)

    def share(self, layer: int) -> float:
        """How often a bit of a layer counts: it is in the files of all layers from its own up."""
        own = self.budgets[-1]
        return sum(own / budget for budget in self.budgets[layer:]) / len(self.budgets)

    def file(self, layer: int | None = None) -> FileScene:
        """The picture as a file shows it that ends with a layer, this one if left out."""
        which = self.layer if layer is None else layer
        below = self._sums[which - 1] if which else None
        return FileScene(self.samples, self.engine, self.yardstick, self.arch, which, below)

    def weighing(self, arch: GridArch) -> tuple[float, ...]:
        """How often a bit of each tensor counts; the refinements' are not in the file of the base."""
        above = self.share(1) if self.layer else 1.0
        return tuple(above if spec.name[0] == "D" else self.share(0) for spec in arch.tensors())

    def bits(self, arch: GridArch, flat: Tensor, latents: Tensor) -> Tensor:
        """Bits of the latents of all layers; while gradients are found, one of those below stands for all."""
        total = self.share(self.layer) * self._layer_bits(arch, flat, self.layer, latents)
        for layer, count in self._seen():
            total = total + count * self.share(layer) * self._layer_bits(arch, flat, layer, self.below[layer])
        return total

    def bits_of_file(self, arch: GridArch, flat: Tensor, latents: Tensor) -> Tensor:
        """Bits of the latents of all layers, each counted once."""
        own = self._layer_bits(arch, flat, self.layer, latents)
        return own + sum(self._layer_bits(arch, flat, layer, self.below[layer]) for layer in range(self.layer))

    def mse(self, arch: GridArch, flat: Tensor, latents: Tensor) -> Tensor:
        """Mean over the layers of their squared errors, each as a multiple of what this layer's is expected to be."""
        layers = len(self.budgets)
        total = self.engine.mse(arch, flat, self.drawn(latents), self.samples) / layers
        for layer, count in self._seen():
            dearer = self._expected(self.layer) / self._expected(layer)
            error = self.engine.mse(arch, flat, self._sums[layer] * self.arch.unit(layer), self.samples)
            total = total + count * dearer / layers * error
        return total

    def drawn(self, latents: Tensor) -> Tensor:
        """What the network sees of this layer's latents on top of those below."""
        return self.file().drawn(latents)

    def _seen(self) -> list[tuple[int, float]]:
        """Layers below that are looked at now, and how often each counts."""
        if not self.below:
            return []
        if torch.is_grad_enabled():
            return [(self.turn.step % self.layer, float(self.layer))]
        return [(layer, 1.0) for layer in range(self.layer)]

    def _layer_bits(self, arch: GridArch, flat: Tensor, layer: int, latents: Tensor) -> Tensor:
        return self.file(layer).bits(arch, flat, latents)

    @cached_property
    def _sums(self) -> list[Tensor]:
        """What each layer below comes to."""
        sums: list[Tensor] = []
        for latents in self.below:
            sums.append(sums[-1] * self.arch.ratio + latents if sums else latents)
        return sums

    def _expected(self, layer: int) -> float:
        return self.outlook(self.budgets[layer]).mse


@dataclass(frozen=True)
class FileScene(Scene):
    """The picture as a file shows it that ends with a layer; bits are those of this layer.

    Attributes:
        arch: the architecture.
        layer: which one it is.
        below: what those below it come to, flat; None for the base.
    """

    arch: LayeredArch = field(default_factory=LayeredArch)
    layer: int = 0
    below: Tensor | None = None

    def bits(self, arch: GridArch, flat: Tensor, latents: Tensor) -> Tensor:
        """Bits of the layer's own latents."""
        if self.below is None:
            return super().bits(arch, flat, latents)
        return self.engine.refining_bits(self.arch, self.layer, self.width, self.height, flat, latents, self.below)

    def laws(self, arch: GridArch, flat: Tensor, latents: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Position and log-scale of the law of every latent of the layer."""
        if self.below is None:
            return super().laws(arch, flat, latents)
        return self.engine.refining_laws(self.arch, self.layer, self.width, self.height, flat, latents, self.below)

    def drawn(self, latents: Tensor) -> Tensor:
        """What the network sees of this layer's latents on top of those below."""
        total = latents if self.below is None else self.below * self.arch.ratio + latents
        return total * self.arch.unit(self.layer)


@dataclass(frozen=True)
class Start:
    """Where the fit of a stage begins, and what it leaves alone.

    Attributes:
        weights: less the prior, ``(params,)``; at the prior, if left out.
        latents: in their own unit, ``(latents,)``; zeros, if left out.
        rounds: whether weights get their steps in this fit, and come to rest.
        coarse: whether latents of the finest grid stay zero.
        codes: of the steps of tensors that have theirs for good, by their names. Weights of the base's context model
            are those of the file then, and stay.
    """

    weights: Tensor | None = None
    latents: Tensor | None = None
    rounds: bool = False
    coarse: bool = False
    codes: Mapping[str, int] = field(default_factory=dict)


class StageDescent(GridDescent):
    """One of the fits that make a scalable file.

    Args:
        scene: the picture, as this fit sees it.
        arch: the architecture.
        config: settings.
        budget: bits of everything up to it.
        seed: of the initialisation and the noise.
        prior: code of what the weights are measured from.
        start: where it begins.
    """

    def __init__(
        self, scene: Scene, arch: GridArch, config: GridConfig, budget: float, seed: int, prior: int, start: Start
    ) -> None:
        super().__init__(scene, arch, config, budget, seed, prior)
        self.rounds = start.rounds
        self.movable = beneath_finest(arch, scene) if start.coarse else None
        self.free = 1.0 if self.movable is None else torch.from_numpy(self.movable).to(self.latents)
        with torch.no_grad():
            if start.weights is not None:
                self.networks.weights.copy_(start.weights)
            if start.latents is not None:
                self.latents.copy_(start.latents.to(self.latents) * self.free)
        self.codes = start.codes
        known = [bool(self.codes) and spec.name[0] == "C" for spec in arch.tensors()]
        self.known = torch.tensor(known, device=self.latents.device)[self.networks.tensor_of]
        self._keep()

    @torch.no_grad()
    def _keep(self) -> None:
        """Leave steps and weights that are those of the file already as they are, whatever the others do."""
        if not self.codes:
            return
        networks = self.networks
        for k, spec in enumerate(self.arch.tensors()):
            if spec.name in self.codes:
                networks.log_step[k] = math.log(step_size(self.codes[spec.name]))
        resting = none_resting(networks.weights) if self.resting is None else self.resting
        self.resting = torch.where(self.known, (networks.weights / networks.steps()).round(), resting)

    cheapest = CHEAPEST  # bits of weights are in the files of all layers

    def mobility(self) -> Tensor:
        """What the learning rate of each weight is multiplied with: 0 for those that stay as the prior has them.

        Hidden layers of the refinements' context model learn what they see of the layer below, and nothing else: all of
        them would be an eighth of the bits of a layer (kodim15's crop at 0.3 bpp, 0.4 dB).
        """
        rates = super().mobility()
        if self.networks.prior != NO_PRIOR:
            for name, part in tensors_of(self.arch, rates).items():
                if name[0] == "D" and name[1:].isdigit():
                    part[:, : self.arch.inputs if name == "D0" else None] = 0.0
        return rates

    def step(self) -> None:
        """One optimiser step; see :meth:`GridDescent.step`."""
        super().step()
        with torch.no_grad():
            self.latents.mul_(self.free)
            if self.networks.log_alpha is not None:  # a gate has its price even where its weight rests
                self.networks.log_alpha[self.known] = _OPEN

    def _search_steps(self, dearer: float = 1.0) -> None:
        super()._search_steps(dearer)
        self._keep()

    def _freeze(self, rounded: Tensor) -> None:
        super()._freeze(rounded)
        self._keep()

    def noise(self) -> Tensor:
        """Gaussian noise for every latent, this step's; none where latents stay zero."""
        return super().noise() * self.free

    @property
    def foreseeing(self) -> bool:
        """Not in a stage: what those count for networks was measured without it."""
        return False

    def begin_press(self) -> None:
        """Give weights their quantisation steps, where they are to keep them."""
        if self.rounds:
            super().begin_press()

    def begin_finish(self) -> None:
        """Settle latents and weights, where that is to be."""
        if self.rounds:
            super().begin_finish()

    def holds(self) -> bool:
        """Whether the last step of the soft phase has to be taken again; see :meth:`GridDescent.holds`."""
        return self.rounds and super().holds()

    @property
    def usual(self) -> float:
        """Bits that networks usually come to."""
        return _PINNED if self.budget < self.config.outer else _FREE

    def fitted(self) -> FittedGrid:
        """Hand on what there is."""
        if self.rounds:
            return super().fitted()
        weights = self.networks.weights.detach().cpu().numpy()
        rounded = self.symbols().cpu().numpy()
        codes = (0,) * len(self.networks.sizes)
        return FittedGrid(self.arch, weights, codes, rounded, self.elasticity, self.done, self.networks.prior)


class WholeDescent(StageDescent):
    """The fit of all bytes in one layer."""

    def networks_bits(self, bits: Sequence[float]) -> float:
        """What the networks take of the budget; floats that are never rounded, what they usually would."""
        return min(super().networks_bits(bits), self.usual, _MOST * self.budget)


class LayerDescent(StageDescent):
    """The fit of a layer; weights come to rest in that of the base, and in the last one."""

    scene: LayerScene

    def step(self) -> None:
        """One optimiser step; see :meth:`GridDescent.step`."""
        self.scene.turn.step = self.done
        super().step()

    def networks_bits(self, bits: Sequence[float]) -> float:
        """What the networks take of the budget; of floats that have not been pressed yet, what they usually will."""
        scene = self.scene
        letters = "CSUVRD" if scene.layer else "CSUVR"
        counted = sum(some for spec, some in zip(self.arch.tensors(), bits, strict=True) if spec.name[0] in letters)
        if self.rounds:
            return counted
        expected = min(self.usual, _MOST * scene.budgets[0])
        if scene.layer:
            expected += min(_REFINING, _MOST * scene.budgets[1])
        return min(counted, expected)

    def _landed_latents(self) -> Tensor:
        """Latents rounded for good; those of the base for the better too, those of the last layer once all rests."""
        return self.symbols() if self.scene.layer else super()._landed_latents()


def beneath_finest(arch: GridArch, scene: Scene) -> Flags:
    """Which of a layer's latents are not of the finest grid, ``(latents,)``."""
    sizes = [rows * columns for rows, columns in arch.shapes(scene.width, scene.height)]
    return np.repeat(np.arange(len(sizes)) < len(sizes) - 1, sizes)


def refining(arch: LayeredArch) -> Tensor:
    """Which of all weights belong to the context model of refinements, ``(params,)``."""
    return torch.cat([torch.full((spec.size,), spec.name[0] == "D") for spec in arch.tensors()])


def base_weights(arch: LayeredArch, whole: FittedGrid, mean: Tensor, seed: int) -> Tensor:
    """Where the networks of a base start: those of the fit of all bytes, but for the context models.

    Args:
        arch: the architecture.
        whole: the outcome of that fit.
        mean: mean colour of the picture.
        seed: of random tensors, where there is no prior.
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    known = tensors_of(whole.arch, torch.from_numpy(whole.weights))
    parts = []
    for spec in arch.tensors():
        if spec.name[0] not in "CD":
            parts.append(known[spec.name].reshape(-1))
        elif whole.prior:
            parts.append(torch.zeros(spec.size))
        else:
            parts.append(initial_tensor(arch, spec, mean, generator).reshape(-1))
    return torch.cat(parts)
