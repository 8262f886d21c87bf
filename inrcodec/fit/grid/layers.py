"""The fit of a scalable file: a fit for all of its bytes, then the base, then every layer above it.

Each of these is a fit of its own (:class:`inrcodec.fit.grid.descent.GridDescent`) that goes on with the networks of the
one before; latents of the layers below are settled by then. A layer's steps also show the networks one of the layers
below, another one in every step, so that one set of weights comes to serve all rates (Nunez et al. 2021, section 3.1,
draw rates at random). The fit for all bytes comes first because it decides what the latents stand for: a base that is
fitted without it says little that the layers above can use (0.2 to 0.3 dB at every rate).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.model import initial_tensor
from inrcodec.fit.grid.plain import tensors_of
from inrcodec.fit.grid.scene import Scene
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch

_USUAL = 0.1
"""Part of a base that networks take."""


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
        top = self._sums[-1] * self.arch.ratio + latents if self.below else latents
        return top * self.arch.unit(self.layer)

    def _seen(self) -> list[tuple[int, float]]:
        """Layers below that are looked at now, and how often each counts."""
        if not self.below:
            return []
        if torch.is_grad_enabled():
            return [(self.turn.step % self.layer, float(self.layer))]
        return [(layer, 1.0) for layer in range(self.layer)]

    def _layer_bits(self, arch: GridArch, flat: Tensor, layer: int, latents: Tensor) -> Tensor:
        if not layer:
            return super().bits(arch, flat, latents)
        under = self._sums[layer - 1]
        return self.engine.refining_bits(self.arch, layer, self.width, self.height, flat, latents, under)

    @cached_property
    def _sums(self) -> list[Tensor]:
        """What each layer below comes to."""
        sums: list[Tensor] = []
        for latents in self.below:
            sums.append(sums[-1] * self.arch.ratio + latents if sums else latents)
        return sums

    def _expected(self, layer: int) -> float:
        return self.outlook(self.budgets[layer]).mse


class LayerDescent(GridDescent):
    """The fit of a layer, or of all bytes at first: what is not the last leaves weights as they are, floats.

    Args:
        scene: the picture, as the layer sees it.
        arch: the architecture.
        config: settings.
        budget: bits of everything up to this layer.
        seed: of the initialisation and the noise.
        prior: code of what the weights are measured from.
        weights: where they start, less the prior, ``(params,)``.
        latents: where latents start, in their own unit; zeros if left out.
        last: whether weights get their steps in this fit.
    """

    def __init__(
        self, scene: Scene, arch: GridArch, config: GridConfig, budget: float, seed: int, prior: int,
        *, weights: Tensor | None = None, latents: Tensor | None = None, last: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(scene, arch, config, budget, seed, prior)
        self.last = last
        with torch.no_grad():
            if weights is not None:
                self.networks.weights.copy_(weights)
            if latents is not None:
                self.latents.copy_(latents)

    def step(self) -> None:
        """One optimiser step; see :meth:`GridDescent.step`."""
        if isinstance(self.scene, LayerScene):
            self.scene.turn.step = self.done
        super().step()

    def begin_press(self) -> None:
        """Give weights their quantisation steps, where they are to keep them."""
        if self.last:
            super().begin_press()

    def begin_finish(self) -> None:
        """Settle latents and weights, where that is to be."""
        if self.last:
            super().begin_finish()

    def networks_bits(self, bits: Sequence[float]) -> float:
        """What the networks take of the budget; of floats that have not been pressed yet, what they usually will."""
        counted = super().networks_bits(bits)
        if self.last:
            return counted
        layered = isinstance(self.scene, LayerScene)
        usual = self.scene.budgets[0] * self.scene.share(0) if layered else self.budget  # type: ignore[attr-defined]
        return min(counted, _USUAL * usual)

    def holds(self) -> bool:
        """Whether the last step of the soft phase has to be taken again; see :meth:`GridDescent.holds`."""
        return self.last and super().holds()

    def _landed_latents(self) -> Tensor:
        return self.symbols()

    def fitted(self) -> FittedGrid:
        """Hand on what there is."""
        if self.last:
            return super().fitted()
        weights = self.networks.weights.detach().cpu().numpy()
        rounded = self.symbols().cpu().numpy()
        codes = (0,) * len(self.networks.sizes)
        return FittedGrid(self.arch, weights, codes, rounded, self.elasticity, self.done, self.networks.prior)


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
