"""One encode of a scalable file; see :mod:`inrcodec.fit.grid.layers` for its fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from inrcodec.errors import TargetError
from inrcodec.fit.candidate import Candidate
from inrcodec.fit.config import FitConfig
from inrcodec.fit.decodable import check_decodable
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.landing import GridSearch
from inrcodec.fit.grid.layers import LayerDescent, LayerScene, WholeScene, base_weights
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.grid.sizing import auto_grid
from inrcodec.format.cut import cut_to
from inrcodec.format.stream import Stream
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch


@dataclass(frozen=True)
class Stage:
    """One of the fits that make a scalable file.

    Attributes:
        name: of the fit, in the journal.
        scene: the picture as it sees it.
        arch: the architecture.
        budget: bits of everything up to it.
        prior: what weights are measured from.
        weights: where they start; at the prior, if left out.
        latents: where latents start; at zero, if left out.
        last: whether weights get their steps in it.
    """

    name: str
    scene: Scene
    arch: GridArch
    budget: float
    prior: int
    weights: Tensor | None = None
    latents: Tensor | None = None
    last: bool = False

    def begin(self, config: GridConfig, seed: int) -> LayerDescent:
        """The fit."""
        return LayerDescent(
            self.scene, self.arch, config, self.budget, seed, self.prior,
            weights=self.weights, latents=self.latents, last=self.last,
        )  # fmt: skip


class ScalableSession(GridSession):
    """An encode with latents in layers; see :func:`inrcodec.encoder.encode_pixels` for the arguments."""

    def settings(self) -> FitConfig:
        """What the fits are to do; all start at a prior, as the base cannot pay for other networks.

        Raises:
            ValueError: the method or an option is not for scalable files.
        """
        if self.options.method != "l0":
            raise ValueError("--scalable is for --method l0")
        return replace(cast("GridConfig", super().settings()), scratch=math.inf)

    def coarse(self, cap: int | None) -> bool:  # noqa: ARG002 - that of other encodes decides
        """Whether fits go without the finest grid: no, upper layers want it."""
        return False

    @property
    def adjustable(self) -> bool:
        """Whether a fit can be landed on another cap."""
        return False

    def descent(self, arch: Any, config: FitConfig, budget: float | None, seed: int) -> Any:  # noqa: ARG002
        """The fit of the stage that is due."""
        return self._stage.begin(cast("GridConfig", config), seed)

    def fit(self, cap: int, config: FitConfig | None = None, share: float = 1.0) -> Candidate:
        """Fits of all bytes, of the base and of every layer above it, and a cut at the cap."""
        settings = cast("GridConfig", config or self.config)
        rungs = (*settings.rungs, 1.0)
        base = auto_grid(self.header, cap, len(rungs) - 1)
        arch = LayeredArch.over(base, len(rungs) - 1, scale=len(rungs) // 2)
        check_decodable(self.header, arch, cap)
        budgets = tuple(self._budget(arch, round(cap * rung)) for rung in rungs)
        # The base pays for all networks but one: hidden layers that would not pay there stay the prior's in every fit.
        settings = replace(settings.pinned(budgets[0]), steps=max(1, round(settings.stage * settings.steps)))
        prior, shares = self._prior(base, budgets[arch.scale]), [share / left for left in range(len(rungs) + 1, 0, -1)]
        seen = self.scene.samples, self.scene.engine, self.scene.yardstick

        first = WholeScene(*seen, unit=arch.unit(arch.refinements))
        fitted = self._through(Stage("whole", first, base, budgets[-1], prior), cap, settings, shares[0])
        weights = base_weights(arch, fitted, self.scene.mean(), self.options.seed)
        latents: Tensor | None = torch.from_numpy(fitted.latents) / (settings.gain * arch.ratio**arch.refinements)
        below: tuple[Tensor, ...] = ()
        for layer, budget in enumerate(budgets):
            scene = LayerScene(*seen, arch=arch, budgets=budgets[: layer + 1], below=below)
            last = layer == arch.refinements
            stage = Stage(f"layer {layer}", scene, arch, budget, prior, weights, latents, last)
            fitted = self._through(stage, cap, settings, shares[layer + 1])
            weights, latents = torch.from_numpy(fitted.weights), None
            below = (*below, torch.from_numpy(fitted.latents).to(self.scene.samples.device))
        self.teller.tell("land", 0, 1, multiplier=fitted.multiplier)
        return self._cut(scene, fitted, below, cap)

    def _through(self, stage: Stage, cap: int, config: GridConfig, share: float) -> FittedGrid:
        """The outcome of a stage."""
        self._stage = stage
        fitted = self._fitted(cast("Any", stage.arch), stage.budget, f"{cap} {stage.name}", config, share)
        self.steps += fitted.steps
        return cast("FittedGrid", fitted)

    def _cut(self, scene: Scene, fitted: FittedGrid, layers: tuple[Tensor, ...], cap: int) -> Candidate:
        """The file of all layers, cut at the cap."""
        search = GridSearch(scene, fitted)
        planes = tuple(plane for flat in layers for plane in search.planes(flat.cpu().numpy().astype(np.int32)))
        try:
            cut = cut_to(Stream(self.header, fitted.arch, search.weights, planes), cap)
        except TargetError:
            raise self.too_small(cap, fitted.arch) from None
        return Candidate.of(self.pixels, cut, cap, cast("Any", fitted))
