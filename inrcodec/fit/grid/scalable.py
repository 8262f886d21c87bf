"""One encode of a scalable file; see :mod:`inrcodec.fit.grid.layers` for its fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from inrcodec.coding.symbols import Symbols
from inrcodec.coding.wavefront import latent_cost
from inrcodec.decoder import truncated
from inrcodec.errors import InrError
from inrcodec.fit.candidate import Candidate
from inrcodec.fit.decodable import check_decodable
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.landing import Flags, GridSearch, Ints, LandedGrid
from inrcodec.fit.grid.layers import (
    LayerDescent,
    LayerScene,
    StageDescent,
    Start,
    above,
    beneath_finest,
)
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.grid.sizing import auto_grid
from inrcodec.format.stream import Stream
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch, total

_SHARED, _CHEAP = 0.6, 0.007
"""From which part of the usual bits the base's hidden layers are fitted as well, as those that draw the layers begin
there, and up to which price of a bit a pixel; a dear one does not pay for them. Cut to 0.1 and 0.3 of 0.6 bpp, and
whole, kodim15 (0.0063) came to 30.40, 33.62 and 36.14 dB with them, and to 30.16, 33.54 and 36.19 without (there with
the price of a file alone to start from)."""

_DEARER = 1.4
"""Where the price of a layer's bits starts, as a multiple of where that of a file alone does: what a layer has kept it
hardly gives back. With 1 the first one of kodim05 ended its soft phase 3.4 % over its budget, and with this within."""

_OVERDRAWN = 0.03
"""What a layer may be over its cap, as a part of it, and have that come off its weights. A cut that leaves out what is
over ends in the middle of a grid: kodim05's at 0.3 bpp, over by 1 %, lost 0.13 dB so, and loses 0.04 now."""


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

    @property
    def movable(self) -> Flags | None:
        """Which latents are not zero for good; None stands for all."""
        return beneath_finest(self.arch, self.scene) if self.start.coarse else None

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
        whole = LayeredArch.over(base, len(rungs) - 1)
        check_decodable(self.header, whole, cap)
        caps = (*(int(cap * rung) - 1 for rung in rungs[:-1]), cap)
        coarse = [GridSession.coarse(self, part) for part in caps]  # as in files of these bytes alone
        budget = self._budget(base, caps[0])
        prior = self._prior(base, budget)

        stage = Stage("base", self.scene, base, budget, prior, Start(coarse=coarse[0]))
        fitted = self._through(stage, cap, self.of_base(settings, caps[0]), share / len(rungs))
        arch: GridArch = base
        landed = self._landed_base(stage, fitted, caps[0])
        latents = landed.latents
        longer = max(1, round(settings.stage * settings.steps))
        dearer = replace(settings, multiplier=_DEARER * settings.multiplier, steps=longer)
        for rung, part in enumerate(caps[1:], 1):
            richer = replace(whole, refinements=len(latents) // base.grids)
            start = above(richer, landed.weights, coarse=coarse[rung])
            scene = self._seen(richer, landed.weights, latents)
            stage = Stage(f"layer {rung}", scene, richer, self._budget(richer, part), prior, start)
            fitted = self._through(stage, cap, dearer, share / (len(rungs) - rung))
            above_it = self._landed_layer(stage, fitted, latents, part)
            if above_it.mse < landed.mse:  # else its bytes say nothing, and are for the next
                arch, landed, latents = richer, above_it, (*latents, *above_it.latents)
        self.teller.tell("land", 0, 1, multiplier=fitted.multiplier)
        try:
            cut = truncated(Stream(self.header, arch, landed.weights, latents), cap)
        except InrError:
            raise self.too_small(cap, whole) from None
        return Candidate.of(self.pixels, cut, cap, fitted)

    def of_base(self, config: GridConfig, cap: int) -> GridConfig:
        """The same for the base, of so many bytes: its hidden layers move from fewer bits where these are cheap."""
        return replace(config, outer=_SHARED * config.outer) if self._worth(8.0 * cap) <= _CHEAP else config

    def _seen(self, arch: LayeredArch, weights: Symbols, latents: tuple[Ints, ...]) -> LayerScene:
        """The picture as the fit of a layer sees it, with what is below."""
        planes = range(len(latents) - arch.grids, len(latents))
        sums = np.concatenate([total(arch, latents, plane).ravel() for plane in planes]).astype(np.float32)
        below = torch.from_numpy(sums).to(self.scene.samples.device)
        based = sum(latent_cost(arch.up_to(arch.refinements - 1), weights, latents), 0.0)
        seen = self.scene.samples, self.scene.engine, self.scene.yardstick
        return LayerScene(*seen, arch=arch, below=below, based=based)

    def _landed_base(self, stage: Stage, fitted: FittedGrid, cap: int) -> LandedGrid:
        """The base as a file of its own has it; one that cannot be so small stays as it is, and a cut takes less."""
        try:
            return self._land(fitted, cap, self.config.landing, stage.movable)
        except ValueError:
            return GridSearch(self.scene, fitted, stage.movable).landed()

    def _through(self, stage: Stage, cap: int, config: GridConfig, share: float) -> FittedGrid:
        """The outcome of a stage."""
        self._stage = stage
        return self._fitted(stage.arch, stage.budget, f"{cap} {stage.name}", config, share)

    def _landed_layer(self, stage: Stage, fitted: FittedGrid, below: tuple[Ints, ...], cap: int) -> LandedGrid:
        """A layer such that the file fills a cap; a cut takes less where that cannot be had."""
        search = GridSearch(stage.scene, fitted, stage.movable)

        def size(search: GridSearch, latents: Ints) -> int:
            return len(Stream(self.header, stage.arch, search.weights, (*below, *search.planes(latents))).data)

        left = search.rate + 8 * (cap - size(search, search.latents))
        if not self.ending():
            search.refine(left, self.config.landing, self.ending)
            taken = size(search, search.latents)
            if cap < taken <= (1 + _OVERDRAWN) * cap:
                search = search.within(lambda trial: 8.0 * (size(trial, trial.latents) - cap))
                taken = size(search, search.latents)
            if taken <= cap:  # else a cut takes less than force would
                search.fill(lambda latents: size(search, latents), cap)
        return search.landed()
