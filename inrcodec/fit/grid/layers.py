"""The fits of a scalable file: the base, then every layer above it.

The base is a file of its own: a fit of its bytes (:class:`inrcodec.fit.grid.descent.GridDescent`), landed, and nothing
of it changes any more. A base whose bits went on changing would not end where its file does, and what is missing of a
grid costs decibels. Layers have a context model and a synthesiser of their own, told by what they differ by from the
base's, and share these: in the fit of a layer latents of those below are settled, and every step also shows the
networks one of them, another one in every step, so that one set of weights comes to serve all rates (Nunez et al. 2021,
section 3.1, draw rates at random).
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
from inrcodec.coding.symbols import Symbols
from inrcodec.fit.freezing import none_resting
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.landing import CHEAPEST, Flags
from inrcodec.fit.grid.plain import tensors_of
from inrcodec.fit.grid.scene import Scene
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.net.prior import NO_PRIOR

_REFINING, _DRAWING = (12_000.0, 6_000.0), (10_000.0, 1_500.0)
"""Bits that the context model of refinements comes to, and their synthesiser; each also where hidden layers stay the
base's."""

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
class LayerScene(Scene):
    """The picture as the fit of a layer sees it; both figures are means over this layer and the refinements below it.

    The budget is of the layer's own file (:meth:`bits_of_file`): a mean would let one layer take what another needs.

    Attributes:
        arch: the architecture.
        budgets: bits of everything up to each refinement, this one the last.
        below: settled latents of the base and of the refinements below, each flat.
        based: bits of the base's latents.
        turn: which of those refinements a step looks at besides its own.
    """

    arch: LayeredArch = field(default_factory=LayeredArch)
    budgets: tuple[float, ...] = ()
    below: tuple[Tensor, ...] = ()
    based: float = 0.0
    turn: Turn = field(default_factory=Turn)

    @property
    def layer(self) -> int:
        """Which one it is; the base is layer 0."""
        return len(self.below)

    def share(self, layer: int) -> float:
        """How often a bit of a layer counts: it is in the files of all layers from its own up."""
        own = self.budgets[-1]
        return sum(own / budget for budget in self.budgets[layer - 1 :]) / self.layer

    def file(self, layer: int | None = None) -> FileScene:
        """The picture as a file shows it that ends with a layer, this one if left out."""
        which = self.layer if layer is None else layer
        return FileScene(self.samples, self.engine, self.yardstick, self.arch, which, self._sums[which - 1])

    def weighing(self, arch: GridArch) -> tuple[float, ...]:
        """How often a bit of each tensor counts: those of the refinements are in all of their files."""
        return (self.share(1),) * len(arch.tensors())

    def bits(self, arch: GridArch, flat: Tensor, latents: Tensor) -> Tensor:
        """Bits of the latents of all layers; while gradients are found, one of those below stands for all."""
        total = self.based + self.share(self.layer) * self.file().bits(arch, flat, latents)
        for layer, count in self._seen():
            total = total + count * self.share(layer) * self._bits_below(arch, flat, layer)
        return total

    def bits_of_file(self, arch: GridArch, flat: Tensor, latents: Tensor) -> Tensor:
        """Bits of the latents of all layers, each counted once."""
        own = self.based + self.file().bits(arch, flat, latents)
        return own + sum(self._bits_below(arch, flat, layer) for layer in range(1, self.layer))

    def mse(self, arch: GridArch, flat: Tensor, latents: Tensor) -> Tensor:
        """Mean over the layers of their squared errors, each as a multiple of what this layer's is expected to be."""
        total = self.file().mse(arch, flat, latents) / self.layer
        for layer, count in self._seen():
            dearer = self._expected(self.layer) / self._expected(layer)
            total = total + count * dearer / self.layer * self.file(layer).mse(arch, flat, self.below[layer])
        return total

    def drawn(self, latents: Tensor) -> Tensor:
        """What the network sees of this layer's latents on top of those below."""
        return self.file().drawn(latents)

    def drawing(self, flat: Tensor) -> Tensor:
        """The weights that draw, of all weights."""
        return self.file().drawing(flat)

    def _seen(self) -> list[tuple[int, float]]:
        """Refinements below that are looked at now, and how often each counts."""
        others = self.layer - 1
        if others and torch.is_grad_enabled():
            return [(1 + self.turn.step % others, float(others))]
        return [(layer, 1.0) for layer in range(1, self.layer)]

    def _bits_below(self, arch: GridArch, flat: Tensor, layer: int) -> Tensor:
        return self.file(layer).bits(arch, flat, self.below[layer])

    @cached_property
    def _sums(self) -> list[Tensor]:
        """What the base and each layer below come to."""
        sums: list[Tensor] = []
        for latents in self.below:
            sums.append(sums[-1] * self.arch.ratio + latents if sums else latents)
        return sums

    def _expected(self, layer: int) -> float:
        return self.outlook(self.budgets[layer - 1]).mse


@dataclass(frozen=True)
class FileScene(Scene):
    """The picture as a file shows it that ends with a layer above the base; bits are those of this layer.

    Attributes:
        arch: the architecture.
        layer: which one it is, from 1.
        below: what those below it come to, flat.
    """

    arch: LayeredArch = field(default_factory=LayeredArch)
    layer: int = 1
    below: Tensor = field(default_factory=lambda: torch.zeros(0))

    def bits(self, arch: GridArch, flat: Tensor, latents: Tensor) -> Tensor:  # noqa: ARG002 - the file's own
        """Bits of the layer's own latents."""
        return self.engine.refining_bits(self.arch, self.layer, self.width, self.height, flat, latents, self.below)

    def laws(
        self, arch: GridArch, flat: Tensor, latents: Tensor  # noqa: ARG002
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # fmt: skip
        """Position and log-scale of the law of every latent of the layer."""
        return self.engine.refining_laws(self.arch, self.layer, self.width, self.height, flat, latents, self.below)

    def drawn(self, latents: Tensor) -> Tensor:
        """What the network sees of this layer's latents on top of those below."""
        return (self.below * self.arch.ratio + latents) * self.arch.unit(self.layer)

    def drawing(self, flat: Tensor) -> Tensor:
        """The weights that draw: the synthesiser is the refinements' own."""
        own, added = self.arch.renewal()
        return torch.cat([flat[: own.start], flat[own] + flat[added], flat[own.stop :]])


@dataclass(frozen=True)
class Start:
    """Where the fit of a stage begins, and what it leaves alone.

    Attributes:
        weights: less the prior, ``(params,)``; at the prior, if left out.
        rounds: whether weights get their steps in this fit, and come to rest.
        coarse: whether latents of the finest grid stay zero.
        codes: of the steps of tensors that are those of the file already, and stay, by their names.
    """

    weights: Tensor | None = None
    rounds: bool = True
    coarse: bool = False
    codes: Mapping[str, int] = field(default_factory=dict)


class StageDescent(GridDescent):
    """One of the fits that make a scalable file: that of the base, as it is.

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
        if start.weights is not None:
            with torch.no_grad():
                self.networks.weights.copy_(start.weights)
        self.codes = start.codes
        known = [spec.name in self.codes for spec in arch.tensors()]
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
        """Whether it is time to see what weights will take, where they get their steps in this fit."""
        return self.rounds and super().foreseeing

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

    def fitted(self) -> FittedGrid:
        """Hand on what there is."""
        if self.rounds:
            return super().fitted()
        weights = self.networks.weights.detach().cpu().numpy()
        rounded = self.symbols().cpu().numpy()
        codes = (0,) * len(self.networks.sizes)
        return FittedGrid(self.arch, weights, codes, rounded, self.elasticity, self.done, self.networks.prior)


class LayerDescent(StageDescent):
    """The fit of a layer above the base; the refinements' weights come to rest in that of the last one."""

    scene: LayerScene

    cheapest = CHEAPEST  # bits of weights are in the files of all layers

    def mobility(self) -> Tensor:
        """What the learning rate of each weight is multiplied with: 0 for those that stay as the base has them.

        Hidden layers are those where bits are few; the context model's learn what they see of the layer below, and
        nothing else: all of them would be an eighth of the bits of a layer (kodim15's crop at 0.3 bpp, 0.4 dB).
        """
        rates = super().mobility()
        if self.pinned and self.networks.prior != NO_PRIOR:
            for name, part in tensors_of(self.arch, rates).items():
                if name[0] == "D" and name[1:].isdigit():
                    part[:, : self.arch.inputs if name == "D0" else None] = 0.0
                if name[:2] == "TS" and name[2:].isdigit():
                    part[:] = 0.0
        return rates

    @property
    def pinned(self) -> bool:
        """Whether hidden layers of the refinements' networks stay the base's: others would not pay."""
        return self.scene.budgets[0] < self.config.outer

    def step(self) -> None:
        """One optimiser step; see :meth:`GridDescent.step`."""
        self.scene.turn.step = self.done
        super().step()

    def networks_bits(self, bits: Sequence[float]) -> float:
        """What the networks take of the budget; of floats that have not been pressed yet, what they usually will."""
        by = dict.fromkeys("CSUVRDT", 0.0)
        for spec, some in zip(self.arch.tensors(), bits, strict=True):
            by[spec.name[0]] += some
        refining = by["D"] + by["T"]
        if not self.rounds:
            usual = min(by["D"], _REFINING[self.pinned]) + min(by["T"], _DRAWING[self.pinned])
            refining = min(usual, _MOST * self.scene.budgets[0])
        return sum(by[letter] for letter in "CSUVR") + refining

    def _landed_latents(self) -> Tensor:
        """Latents rounded for good; those of the last layer are so for the better once all rests."""
        return self.symbols()


def beneath_finest(arch: GridArch, scene: Scene) -> Flags:
    """Which of a layer's latents are not of the finest grid, ``(latents,)``."""
    sizes = [rows * columns for rows, columns in arch.shapes(scene.width, scene.height)]
    return np.repeat(np.arange(len(sizes)) < len(sizes) - 1, sizes)


def on_base(arch: LayeredArch, base: Symbols) -> tuple[Tensor, dict[str, int]]:
    """Where the networks of layers start: the base's, in its file, and no difference from them.

    Args:
        arch: the architecture.
        base: its weights.

    Returns:
        Weights less the prior, ``(params,)``, and the codes of the base's steps, by the names of tensors.
    """
    parts = [torch.zeros(spec.size) for spec in arch.tensors()]
    codes = {}
    for k, (spec, law, values) in enumerate(zip(arch.base.tensors(), base.laws, base.values, strict=True)):
        parts[k] = torch.from_numpy(values.ravel() * law.delta).float()
        codes[spec.name] = law.step
    return torch.cat(parts), codes
