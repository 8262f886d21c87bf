"""One encode of a scalable file; see :mod:`inrcodec.fit.grid.layers` for its fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inrcodec.coding.wavefront import latent_cost
from inrcodec.errors import TargetError
from inrcodec.fit.candidate import Candidate
from inrcodec.fit.decodable import check_decodable
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.landing import GridSearch, Ints, LandedGrid
from inrcodec.fit.grid.layers import (
    LayerDescent,
    LayerScene,
    StageDescent,
    Start,
    beneath_finest,
    on_base,
)
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.grid.sizing import auto_grid
from inrcodec.format.cut import cut_to
from inrcodec.format.stream import Stream
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch

_SPARE = 0.95
"""Part of the bytes of layers between the base and the last one that their fits may have: networks change a little in
fits that follow (a layer of kodim15's crop ended 6 % over its budget), and the coder takes a percent more than they
count."""

_SHARED, _CHEAP = 0.6, 0.007
"""From which part of the usual bits the base's hidden layers are fitted as well, as those of the layers begin there,
and up to which price of a bit a pixel; a dear one does not pay for them. Cut to 0.1 and 0.3 of 0.6 bpp, and whole,
kodim15 (0.0063) came to 30.52, 33.53 and 36.11 dB with them and to 30.14, 33.39 and 36.14 without, kodim05 (0.042) to
21.80, 24.80 and 27.67, and to 22.22, 25.07 and 27.97."""


@dataclass(frozen=True)
class Stage:
    """One of the fits that make a scalable file.

    Attributes:
        name: of the fit, in the journal.
        scene: the picture as it sees it.
        arch: the architecture.
        budget: bits of everything up to it.
        prior: what weights are measured from.
        start: where it begins.
    """

    name: str
    scene: Scene
    arch: GridArch
    budget: float
    prior: int
    start: Start

    def begin(self, config: GridConfig, seed: int) -> StageDescent:
        """The fit."""
        kind = LayerDescent if isinstance(self.scene, LayerScene) else StageDescent
        return kind(self.scene, self.arch, config, self.budget, seed, self.prior, self.start)


class ScalableSession(GridSession):
    """An encode with latents in layers; see :func:`inrcodec.encoder.encode_pixels` for the arguments."""

    def settings(self) -> GridConfig:
        """What the fits are to do; all start at a prior, as the base cannot pay for other networks.

        Raises:
            ValueError: the method or an option is not for scalable files.
        """
        if self.options.method != "l0":
            raise ValueError("--scalable is for --method l0")
        return replace(super().settings(), scratch=math.inf)

    def coarse(self, cap: int | None) -> bool:  # noqa: ARG002 - that of other encodes decides
        """Whether fits go without the finest grid: no, upper layers want it."""
        return False

    @property
    def adjustable(self) -> bool:
        """Whether a fit can be landed on another cap."""
        return False

    def descent(self, arch: Any, config: GridConfig, budget: float | None, seed: int) -> Any:  # noqa: ARG002
        """The fit of the stage that is due."""
        return self._stage.begin(config, seed)

    def fit(self, cap: int, config: GridConfig | None = None, share: float = 1.0) -> Candidate[FittedGrid]:
        """Fits of the base and of every layer above it, and a cut at the cap."""
        settings = config or self.config
        rungs = (*settings.rungs, 1.0)
        base = auto_grid(self.header, cap, len(rungs) - 1)
        arch = LayeredArch.over(base, len(rungs) - 1, renewed=True)
        check_decodable(self.header, arch, cap)
        caps = (int(cap * rungs[0]) - 1, *(round(_SPARE * cap * rung) for rung in rungs[1:-1]), cap)
        budgets = tuple(self._budget(arch if k else base, part) for k, part in enumerate(caps))
        settings = replace(settings, steps=max(1, round(settings.stage * settings.steps)))
        prior, shares = self._prior(base, budgets[0]), [share / left for left in range(len(rungs), 0, -1)]
        coarse = [GridSession.coarse(self, part) for part in caps]  # as in files of these bytes alone

        stage = Stage("base", self.scene, base, budgets[0], prior, Start(coarse=coarse[0]))
        fitted = self._through(stage, cap, self.of_base(settings, caps[0]), shares[0])
        landed = self._landed_base(fitted, caps[0], coarse=coarse[0])
        latents = np.concatenate([plane.ravel() for plane in landed.latents]).astype(np.float32)
        based = sum(latent_cost(base, landed.weights, landed.latents))
        weights, codes = on_base(arch, landed.weights)
        below: tuple[Tensor, ...] = ()
        for layer, budget in enumerate(budgets[1:], 1):
            below = (*below, torch.from_numpy(latents).to(self.scene.samples.device))
            seen = self.scene.samples, self.scene.engine, self.scene.yardstick
            scene = LayerScene(*seen, arch=arch, budgets=budgets[1 : layer + 1], below=below, based=based)
            start = Start(weights, layer == arch.refinements, coarse[layer], codes)
            stage = Stage(f"layer {layer}", scene, arch, budget, prior, start)
            fitted = self._through(stage, cap, settings.unhurried(), shares[layer])
            weights, latents = torch.from_numpy(fitted.weights), fitted.latents
        self.teller.tell("land", 0, 1, multiplier=fitted.multiplier)
        return self._landed_layers(scene, fitted, cap)

    def of_base(self, config: GridConfig, cap: int) -> GridConfig:
        """The same for the base, of so many bytes: its hidden layers move from fewer bits where these are cheap."""
        return replace(config, outer=_SHARED * config.outer) if self._worth(8.0 * cap) <= _CHEAP else config

    def _landed_base(self, fitted: FittedGrid, cap: int, *, coarse: bool) -> LandedGrid:
        """The base as a file of its own has it; one that cannot be so small stays as it is, and a cut takes less."""
        movable = beneath_finest(fitted.arch, self.scene) if coarse else None
        try:
            return self._land(fitted, cap, self.config.landing, movable)
        except ValueError:
            return GridSearch(self.scene, fitted, movable).landed()

    def _through(self, stage: Stage, cap: int, config: GridConfig, share: float) -> FittedGrid:
        """The outcome of a stage."""
        self._stage = stage
        return self._fitted(stage.arch, stage.budget, f"{cap} {stage.name}", config, share)

    def _landed_layers(self, scene: LayerScene, fitted: FittedGrid, cap: int) -> Candidate[FittedGrid]:
        """The file of all layers, its last one such that it fills the cap; cut where that cannot be had."""
        search = GridSearch(scene.file(), fitted)
        below = tuple(plane for flat in scene.below for plane in search.planes(flat.cpu().numpy().astype(np.int32)))

        def stream(latents: Ints) -> Stream:
            return Stream(self.header, fitted.arch, search.weights, (*below, *search.planes(latents)))

        def size(latents: Ints) -> int:
            return len(stream(latents).data)

        left = search.rate + 8 * (cap - size(search.latents))
        # The price is that of the whole budget, of which the layer has a part.
        search.fitted = replace(fitted, multiplier=fitted.multiplier * max(left, 1.0) / scene.budgets[-1])
        if not self.ending():
            search.refine(left, self.config.landing, self.ending)
            if size(search.latents) <= cap:  # else a cut takes less than force would
                search.fill(size, cap)
        try:
            cut = cut_to(stream(search.latents), cap)
        except TargetError:
            raise self.too_small(cap, fitted.arch) from None
        return Candidate.of(self.pixels, cut, cap, fitted)
