"""One encode with latent grids."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import torch

from inrcodec.coding.symbols import Symbols
from inrcodec.encoder import EncodeOptions
from inrcodec.fit.bisection import bracket
from inrcodec.fit.candidate import Candidate
from inrcodec.fit.decodable import check_decodable
from inrcodec.fit.descent import Diverged, begin
from inrcodec.fit.engine import reference
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.descent import CLOCK_PATIENCE, GridDescent
from inrcodec.fit.grid.engine import grid_engine
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.landing import Flags, Ints, LandedGrid, land_grid, round_grid
from inrcodec.fit.grid.plan import guess
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.sizing import DEAR, MAX_COARSEST, auto_grid, latent_budget, smallest_grid
from inrcodec.fit.machine import warm_up
from inrcodec.fit.session import Session
from inrcodec.fit.settings import grid_settings
from inrcodec.format.stream import Stream, pack
from inrcodec.image.yardstick import Outlook
from inrcodec.net.grid import GridArch
from inrcodec.net.prior import NO_PRIOR, fits, nearest_prior

_DEARER = 1.6
"""Price of a bit that priors do best at, as a multiple of what the yardstick says: 0.03 dB in the mean of six fits."""

_ABOUT = 1.15
"""By how much the price of a fit that starts at random may prove to be off, and it goes on."""

_HALVINGS = 40
"""Of the logarithm of the bits that belong to a price."""


class GridSession(Session[GridConfig, FittedGrid]):
    """An encode with latent grids; see :func:`inrcodec.encoder.encode_pixels` for the arguments."""

    fit_share = Session.fit_share / (1 + CLOCK_PATIENCE)

    kind = GridDescent
    """What fits are."""

    deepest = MAX_COARSEST
    """Octave of the coarsest grid at most."""

    def settings(self) -> GridConfig:
        """What the fit is to do.

        Raises:
            ValueError: the method or an option is not for grids.
        """
        if self.options.method not in ("l0", "penalized", "bisect"):
            raise ValueError(f"the method {self.options.method} is not for latent grids; use --arch siren")
        for name in ("layers", "activation", "encoding", "coder", "start"):
            if getattr(self.options, name) != getattr(EncodeOptions, name):
                raise ValueError(f"--{'from' if name == 'start' else name} is for --arch siren")
        return grid_settings(self.options, self.header.pixels)

    def look(self, device: torch.device) -> None:
        """Put the picture in the form that fits take."""
        self.scene = Scene.of(self.pixels, grid_engine(self.options.engine, device.type), device)
        self._mispriced: dict[float, float] = {}  # by the budget: what the yardstick's price is to be multiplied with
        if self.coarse(self.target.cap(self.header.pixels)):
            longer = grid_settings(self.options, self.header.pixels, coarse=True)
            self.config = replace(self.config, steps=longer.steps)

    def coarse(self, cap: int | None) -> bool:
        """Whether fits for a cap go without the finest grid: those to which a bit is dear."""
        return cap is not None and self._worth(8.0 * cap) > DEAR

    def narrow(self, cap: int | None) -> bool:
        """Whether networks of fits for a cap are narrow."""
        if cap is None:
            return False
        usual = auto_grid(self.header, cap, deepest=self.deepest, coarse=self.coarse(cap))
        return self.config.narrowed(self._budget(usual, cap), self._worth(8.0 * cap))

    def alike(self, other: Session[Any, Any]) -> bool:
        """Whether fits for the target can go in lock-step with those of another picture."""
        cap = self.target.cap(self.header.pixels)
        if not isinstance(other, GridSession):
            return False
        return self.coarse(cap) == other.coarse(cap) and self.narrow(cap) == other.narrow(cap)

    @staticmethod
    def restore(state: dict[str, Any]) -> Any:
        """The outcome of a fit from a checkpoint."""
        return FittedGrid.from_state(state)

    def warm_up(self) -> None:
        """Get the kernels ready; if that takes long, they are being compiled, and somebody is waiting."""
        if self.engine is reference:
            return

        class Kernels:
            """What has to be ready."""

            @staticmethod
            def warm_up() -> None:
                """One step of the smallest picture."""
                arch = GridArch(0, 0)
                scene = Scene(torch.zeros(3, 1, 1), self.scene.engine)
                descent = GridDescent(scene, arch, GridConfig(steps=1, gates="none"), 100.0)
                descent.step()

        warm_up(cast("Any", Kernels), lambda: self.teller.tell("compile", 0, 0))

    def fit(self, cap: int, config: GridConfig | None = None, share: float = 1.0) -> Candidate[FittedGrid]:
        """One fit and its landing; see :meth:`inrcodec.fit.session.Session.fit`."""
        config = config or self.config
        arch, budget = self._sized(cap)
        fitted = self._fitted(arch, budget, cap, config, share)
        return self._landed(fitted, cap, config)

    def priced(
        self, price: float, cap: int | None = None, config: GridConfig | None = None, share: float = 1.0
    ) -> Candidate[FittedGrid]:
        """A fit at a fixed price of bits; see :meth:`inrcodec.fit.session.Session.priced`."""
        config = replace(config or self.config, price=price)
        arch, budget = self._sized_at(price, cap)
        fitted = self._fitted(arch, budget, f"price {price}", config, share)
        self.teller.tell("land", 0, 1, multiplier=fitted.multiplier)
        stream = self._written(arch, round_grid(self.scene, fitted, rounds=config.landing, stop=self.ending))
        return Candidate.of(self.pixels, stream, len(stream.data), fitted)

    def _sized_at(self, price: float, cap: int | None) -> tuple[GridArch, float]:
        """The architecture of a fit at a price, and the bits it is to come to: those of a cap, if there is any."""
        if cap is not None:
            arch = self.arch(cap)
            return arch, self._budget(arch, cap)
        bits = self._bits_at(price)
        return self.arch(round(bits / 8)), bits

    def price_of(self, cap: int) -> float:
        """The price of bits that a fit of so many bytes comes to, as the yardstick has it."""
        return self.config.multiplier * self._worth(8.0 * cap)

    def _worth(self, bits: float) -> float:
        """Squared error that a bit a pixel is worth at a number of bits, as the yardstick has it."""
        outlook = self._outlook(bits)
        return outlook.mse * outlook.elasticity * self.header.pixels / bits

    def _outlook(self, bits: float) -> Outlook:
        """What to expect for so many bits of a file."""
        return self.scene.outlook(bits)

    def _bits_at(self, price: float) -> float:
        """Bits that a fit at a price comes to, as the yardstick has it: bits get cheaper the more there are."""
        worthy = bracket(
            1.0, 64.0 * self.header.pixels, lambda bits: self.config.multiplier * self._worth(bits) > price, _HALVINGS,
            geometric=True,
        )  # fmt: skip
        return worthy[0]

    @property
    def adjustable(self) -> bool:
        """Whether a fit can be landed on another cap."""
        return True

    def arch(self, cap: int | None = None) -> GridArch:
        """The architecture of fits for a cap.

        Raises:
            TargetError: no decoder would take such a file by default.
        """
        arch = auto_grid(self.header, cap, deepest=self.deepest, coarse=self.coarse(cap), narrow=self.narrow(cap))
        if cap is not None:
            check_decodable(self.header, arch, cap)
        return arch

    def _sized(self, cap: int) -> tuple[GridArch, float]:
        """The architecture for a cap, and the bits that latents and weights may take in the file."""
        arch = self.arch(cap)
        return arch, self._budget(arch, cap)

    def refit(self, base: Candidate[FittedGrid], cap: int) -> Candidate[FittedGrid]:
        """The same fit, landed on another cap."""
        return self._landed(base.fitted, cap, self.config)

    def descent(self, arch: Any, config: GridConfig, budget: float | None, seed: int) -> Any:
        """A fit that is about to begin."""
        assert budget is not None
        prior = NO_PRIOR if config.at_random(budget) else self._prior(arch, budget)
        config = replace(config, multiplier=config.multiplier * self._mispriced.get(budget, 1.0))
        return self.kind(self.scene, arch, config, budget, seed, prior)

    def _prior(self, arch: GridArch, budget: float) -> int:
        """What the networks of a fit are measured from."""
        if not fits(arch):
            return NO_PRIOR
        return nearest_prior(_DEARER * self._worth(budget))

    def starts(self, cap: int) -> list[int]:
        """The seeds that :meth:`fit` would begin with, of which one goes on; at a price that the first has tried."""
        arch, budget = self._sized(cap)
        if self.config.steadied(budget).repriced:
            with suppress(Diverged):  # the fit will see to that
                self._well_priced(self.descent(arch, self.config, budget, self.options.seed), arch, self.config)
        return super().starts(cap)

    def race(self, arch: Any, config: GridConfig, budget: float | None) -> Any:
        """Start several seeds; the fit that is ahead after a while, which is to go on, at a price that was tried.

        Raises:
            Diverged: every one of them, or the one that was ahead.
        """
        return self._well_priced(super().race(arch, config, budget), arch, config)

    def _well_priced(self, descent: GridDescent, arch: GridArch, config: GridConfig) -> GridDescent:
        """A fit that has just begun; if it starts at random, a part of it, and begun anew where its price was wrong.

        Such fits do not recover from a wrong one: what died under one too dear does not come back, and what grew under
        one too cheap does not go (4,000 steps at 0.1 bpp: kodim05 22.28 dB from 1.7 times the price that it came to,
        22.54 from about that; kodim15 at 0.4 bpp 36.07 and, from three quarters, 34.08).
        """
        if not descent.config.repriced or config.price:
            return descent
        count = descent.resting_prices
        begin(descent, count, self.stopped, lambda done: self.teller.tell("price", done, count))
        if descent.done < count:
            return descent
        factor = descent.mispriced()
        if abs(math.log(factor)) < math.log(_ABOUT):
            return descent
        self._mispriced[descent.budget] = self._mispriced.get(descent.budget, 1.0) * factor
        return cast("GridDescent", self.descent(arch, config, descent.budget, descent.seed))

    def entrants(self, config: GridConfig, budget: float | None) -> int:
        """How many seeds start: one where there is a prior, as all would come to the same end."""
        return config.candidates if budget is not None and config.at_random(budget) else 1

    def trial(self, arch: Any, config: GridConfig, budget: float | None, seed: int) -> tuple[float, GridDescent]:
        """How a fit stands after the first steps of all, and the fit, which goes on from there."""
        descent: GridDescent = self.descent(arch, config, budget, seed)
        most = descent.resting_prices if descent.config.repriced else config.race  # a price is judged before it moves
        begin(descent, min(config.race, most), self.stopped)
        return descent.standing(), descent

    def _budget(self, arch: GridArch, cap: int) -> float:
        """Bits left for latents and weights in a file of ``cap`` bytes."""
        return latent_budget(self.header, arch, cap)

    def _landed(self, fitted: FittedGrid, cap: int, config: GridConfig) -> Candidate[FittedGrid]:
        self.teller.tell("land", 0, 1, multiplier=fitted.multiplier)
        try:
            landed = self._land(fitted, cap, config.landing)
        except ValueError:
            raise self.too_small(cap, fitted.arch) from None
        return Candidate.of(self.pixels, self._written(fitted.arch, landed), cap, fitted)

    def _land(self, fitted: FittedGrid, cap: int, rounds: int, movable: Flags | None = None) -> LandedGrid:
        """The symbols of a file of its own; see :func:`land_grid`."""

        def size(weights: Symbols, latents: tuple[Ints, ...]) -> int:
            return len(pack(Stream(self.header, fitted.arch, weights, latents)))

        budget = self._budget(fitted.arch, cap)
        return land_grid(self.scene, fitted, cap, budget, size, rounds=rounds, stop=self.ending, movable=movable)

    def _written(self, arch: GridArch, landed: LandedGrid) -> Stream:
        """What a file says."""
        return Stream(self.header, arch, landed.weights, landed.latents)

    def guess(self, psnr: float) -> int:
        """Bytes that a typical picture takes to reach a PSNR."""
        return guess(self.header, psnr)

    def smallest(self) -> int:
        """Bytes of the smallest file there is for the picture."""
        return smallest_grid(self.header, self.arch())
