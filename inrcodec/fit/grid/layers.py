"""The fits of a scalable file: the base, then every layer above it.

Each is that of a file of so many bytes (:class:`inrcodec.fit.grid.descent.GridDescent`), landed, and nothing of it
changes any more when the next begins: latents below are settled, and weights of the networks below rest. One set of
latents and weights for all rates at once, a random one in every step (Nunez et al. 2021, section 3.1), ended with 25,
16 and 3 % more of the Lagrangian at a crop's three rates; and weights that two layers share, each having latents of its
own, with 5 % more in the upper one, which is 10 % of its bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
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
from inrcodec.fit.grid.landing import CHEAPEST, Flags
from inrcodec.fit.grid.plain import tensors_of
from inrcodec.fit.grid.scene import Scene
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import CONTEXTS, SYNTHESISERS, LayeredArch
from inrcodec.net.prior import NO_PRIOR

_OPEN = 8.0
"""Where gates are that nothing may close."""


@dataclass(frozen=True)
class LayerScene(Scene):
    """The picture as a file shows it that ends with a layer above the base.

    Attributes:
        arch: the architecture; the layer is its last one.
        below: what those below it come to, flat.
        based: bits of all latents below.
    """

    arch: LayeredArch = field(default_factory=LayeredArch)
    below: Tensor = field(default_factory=lambda: torch.zeros(0))
    based: float = 0.0

    @property
    def layer(self) -> int:
        """Which one it is; the base is layer 0."""
        return self.arch.refinements

    @property
    def settled(self) -> frozenset[str]:
        """Names of the tensors of all layers below."""
        return frozenset(spec.name for spec in self.arch.up_to(self.layer - 1).tensors())

    def bits(self, arch: GridArch, flat: Tensor, latents: Tensor) -> Tensor:  # noqa: ARG002 - the file's own
        """Bits of the latents of all layers, from those of the last one."""
        sums = self._lifted + latents
        return self.based + self.engine.refining_bits(
            self.arch, self.layer, self.width, self.height, flat, sums, self._lifted
        )

    def laws(
        self, arch: GridArch, flat: Tensor, latents: Tensor  # noqa: ARG002
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # fmt: skip
        """Position and log-scale of the law of every latent of the layer."""
        sums, below = self._lifted + latents, self._lifted
        position, scale = self.engine.refining_laws(self.arch, self.layer, self.width, self.height, flat, sums, below)
        return position - below.cpu().numpy(), scale

    def drawn(self, latents: Tensor) -> Tensor:
        """What the network sees of this layer's latents on top of those below."""
        return (self._lifted + latents) * self.arch.unit(self.layer)

    def drawing(self, flat: Tensor) -> Tensor:
        """The weights that draw: the base's, and what every refinement adds to its synthesiser."""
        own, *added = self._synthesisers
        return torch.cat([flat[: own.start], sum((flat[part] for part in added), flat[own]), flat[own.stop :]])

    @cached_property
    def _synthesisers(self) -> tuple[slice, ...]:
        return self.arch.synthesisers()

    @cached_property
    def _lifted(self) -> Tensor:
        """What those below come to, in steps of the layer."""
        return self.below * self.arch.ratio


@dataclass(frozen=True)
class Start:
    """Where the fit of a stage begins, and what it leaves alone.

    Attributes:
        weights: less the prior, ``(params,)``; at the prior, if left out.
        coarse: whether latents of the finest grid stay zero.
        codes: of the steps of tensors that are those of the file already, and stay, by their names.
    """

    weights: Tensor | None = None
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


class LayerDescent(StageDescent):
    """The fit of a layer above the base."""

    cheapest = CHEAPEST  # bits of weights are in the files of all layers above, too

    def mobility(self) -> Tensor:
        """What the learning rate of each weight is multiplied with: 0 for those that stay as they are told already.

        Hidden layers are those where bits are few; the context model's learn what they see of the layer below, and
        nothing else: all of them would be an eighth of the bits of a layer (kodim15's crop at 0.3 bpp, 0.4 dB).
        """
        rates = super().mobility()
        if self.networks.prior == NO_PRIOR or self.budget >= self.config.outer:
            return rates
        for name, part in tensors_of(self.arch, rates).items():
            letter, layer = name[0], name[1:]
            if letter in CONTEXTS and layer.isdigit():
                part[:, : self.arch.inputs if layer == "0" else None] = 0.0
            if letter in SYNTHESISERS and layer[0] == "S" and layer[1:].isdigit():
                part[:] = 0.0
        return rates


def beneath_finest(arch: GridArch, scene: Scene) -> Flags:
    """Which of a layer's latents are not of the finest grid, ``(latents,)``."""
    sizes = [rows * columns for rows, columns in arch.shapes(scene.width, scene.height)]
    return np.repeat(np.arange(len(sizes)) < len(sizes) - 1, sizes)


def above(arch: LayeredArch, below: Symbols, *, coarse: bool = False) -> Start:
    """Where the fit of a layer starts: networks below as they are in the file, its own at their priors.

    Args:
        arch: the architecture, up to the layer.
        below: the weights of what is below it.
        coarse: whether latents of the finest grid stay zero.
    """
    parts = [torch.zeros(spec.size) for spec in arch.tensors()]
    codes = {}
    for k, (spec, law, values) in enumerate(zip(below.arch.tensors(), below.laws, below.values, strict=True)):
        parts[k] = torch.from_numpy(values.ravel() * law.delta).float()
        codes[spec.name] = law.step
    return Start(torch.cat(parts), coarse, codes)
