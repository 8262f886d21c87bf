"""One encode of a scalable file; see :mod:`inrcodec.fit.grid.layers` for its fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inrcodec.coding.neighbourhood import wave_count
from inrcodec.errors import TargetError
from inrcodec.fit.candidate import Candidate
from inrcodec.fit.decodable import check_decodable
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.landing import GridSearch, Ints
from inrcodec.fit.grid.layers import (
    LayerDescent,
    LayerScene,
    StageDescent,
    Start,
    WholeDescent,
    WholeScene,
    base_weights,
    beneath_finest,
    refining,
)
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.grid.sizing import auto_grid
from inrcodec.format.cut import cut_at, cut_to
from inrcodec.format.stream import Stream
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch

_SPARE, _FULL = 0.97, 0.985
"""Parts of the bytes of lower layers that their fits may have, and that moves may fill the base to. Networks change a
little in fits that follow, the coder takes a percent more than fits count, and a base that is cut short is a ruin."""


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
        kind = LayerDescent if isinstance(self.scene, LayerScene) else WholeDescent
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
        """Fits of all bytes, of the base and of every layer above it, and a cut at the cap."""
        settings = config or self.config
        rungs = (*settings.rungs, 1.0)
        base = auto_grid(self.header, cap, len(rungs) - 1)
        arch = LayeredArch.over(base, len(rungs) - 1, scale=len(rungs) // 2)
        check_decodable(self.header, arch, cap)
        caps = (*(round(_SPARE * cap * rung) for rung in settings.rungs), cap)
        budgets = tuple(self._budget(arch, part) for part in caps)
        # The base pays for all networks but one: hidden layers that would not pay there stay the prior's in every fit.
        settings = replace(settings.pinned(budgets[0]), steps=max(1, round(settings.stage * settings.steps)))
        prior, shares = self._prior(base, budgets[arch.scale]), [share / left for left in range(len(rungs) + 1, 0, -1)]
        seen = self.scene.samples, self.scene.engine, self.scene.yardstick

        first = WholeScene(*seen, unit=arch.unit(arch.refinements))
        fitted = self._through(Stage("whole", first, base, budgets[-1], prior, Start()), cap, settings, shares[0])
        weights = base_weights(arch, fitted, self.scene.mean(), self.options.seed)
        latents: Tensor | None = torch.from_numpy(fitted.latents) / (settings.gain * arch.ratio**arch.refinements)
        refined = refining(arch)
        below: tuple[Tensor, ...] = ()
        codes: dict[str, int] = {}
        for layer, budget in enumerate(budgets):
            scene = LayerScene(*seen, arch=arch, budgets=budgets[: layer + 1], below=below)
            ends = layer in (0, arch.refinements)
            coarse = super().coarse(round(cap * rungs[layer]))  # as in a file of these bytes alone
            start = Start(weights, latents, ends, coarse, codes)
            stage = Stage(f"layer {layer}", scene, arch, budget, prior, start)
            fitted = self._through(stage, cap, settings, shares[layer + 1])
            if not layer:
                fitted = self._filled_base(scene, fitted, round(_FULL * cap * rungs[0]), coarse=coarse)
                every = zip(arch.tensors(), fitted.step_codes, strict=True)
                codes = {spec.name: code for spec, code in every if spec.name[0] != "D"}
                weights = torch.where(refined, weights, torch.from_numpy(fitted.weights))
            else:
                weights = torch.from_numpy(fitted.weights)
            latents, below = None, (*below, torch.from_numpy(fitted.latents).to(self.scene.samples.device))
        self.teller.tell("land", 0, 1, multiplier=fitted.multiplier)
        return self._landed_layers(scene, fitted, cap)

    def _filled_base(self, scene: LayerScene, fitted: FittedGrid, cap: int, *, coarse: bool) -> FittedGrid:
        """The fit of a base whose latents spend what a file of it may have; one that takes more stays as it is."""
        arch = scene.arch
        search = GridSearch(scene.file(), fitted, beneath_finest(arch, scene) if coarse else None)
        zeros = tuple(np.zeros(shape, np.int32) for shape in search.shapes) * arch.refinements

        def size(latents: Ints) -> int:
            whole = Stream(self.header, arch, search.weights, (*search.planes(latents), *zeros))
            return len(cut_at(whole, arch.grids - 1, wave_count(search.shapes[-1])).data)

        if self.ending() or size(search.latents) > cap:
            return fitted
        search.fill(size, cap)
        return replace(fitted, latents=search.latents.astype(np.float32))

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
