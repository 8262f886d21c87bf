"""One encode of a large picture, tile by tile, in memory for one tile.

Networks are fitted to a mosaic of samples from all over the picture, at the picture's own rate. A fit of its latents
alone, as tiles will have it, tells which price of a bit meets that rate. Then every tile gets its latents at that price
(see :mod:`inrcodec.fit.grid.tile`), and the last one spends what is left. The file knows nothing of tiles.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch

from inrcodec.coding.wavefront import latent_cost
from inrcodec.encoder import tile_side
from inrcodec.fit.bisection import bracket
from inrcodec.fit.candidate import Candidate
from inrcodec.fit.descent import advance
from inrcodec.fit.grid.allowance import Allowance, Outlay
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.engine import grid_engine
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.growth import GrowingDescent
from inrcodec.fit.grid.landing import CHEAPEST, GridSearch, Ints, coarsened, weight_symbols
from inrcodec.fit.grid.scene import Scene, samples_of
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.grid.tile import Site, TileDescent, TileLatents, TileSearch
from inrcodec.fit.grid.tiles import COARSEST, Tile, Window, mosaic, tile_config, tiling
from inrcodec.format.stream import Stream
from inrcodec.image.yardstick import Outlook, Yardstick
from inrcodec.net.grid import GridArch
from inrcodec.pixels import Pixels

_TRIES = 3
"""Fits of the last tile at most, which has to come to what is left."""

_SHORT = 0.08
"""Part of its bits that the last tile may have left over: moves can spend them, but could not save them."""

_AIM = 0.97
"""Part of what is left that the last tile aims at."""

_GUESS = 1.5
"""What the price of the networks' fit is multiplied with for the first rehearsal: its latents obeyed the price of the
middle of the fit, when they still moved, and not the one of the end."""

_REHEARSALS, _CLOSE = 2, 0.05
"""Rehearsals at most, and how near to its bits the last of them should come."""

_RESPONSE = 1.2
"""How the price of a tile has to change with its bits: their ratio to this power."""

_NETWORKS_TIME = 0.2
"""Part of the time, where there is a limit, that the networks' fit may take."""

_BISECTIONS = 8

_PARTS = 1000
"""Steps that progress is told in."""

_HASTE = 16
"""Steps of a tile once it is time to come to an end."""

_CORRECTIONS = 6
"""Tries to fill the file by the real coder."""


@dataclass(frozen=True)
class MosaicScene(Scene):
    """Samples of a larger picture.

    Attributes:
        share: their part of its pixels. A bit of the weights serves them all, and counts as much less here.
    """

    share: float = 1.0

    def weighing(self, arch: GridArch) -> tuple[float, ...]:
        """How often a bit of each tensor counts."""
        return (self.share,) * len(arch.tensors())


class TiledSession(GridSession):
    """An encode in tiles; see :func:`inrcodec.encoder.encode_pixels` for the arguments."""

    scene: MosaicScene
    deepest = COARSEST

    @staticmethod
    def restore(state: dict[str, Any]) -> Any:
        """The outcome of a fit from a checkpoint."""
        return TileLatents.from_state(state) if "tile" in state else FittedGrid.from_state(state)

    def settings(self) -> GridConfig:
        """What the fits are to do; that of the networks is short, and starts at a prior."""
        return replace(super().settings(), scratch=math.inf)

    def look(self, device: torch.device) -> None:
        """Put samples of the picture in the form that fits take."""
        sampled = Pixels(mosaic(self.pixels.array), self.pixels.depth)
        scene = Scene.of(sampled, grid_engine(self.options.engine, device.type), device)
        share = sampled.count / self.header.pixels
        self.scene = MosaicScene(scene.samples, scene.engine, scene.yardstick, share)

    @property
    def adjustable(self) -> bool:
        """Whether a fit can be landed on another cap."""
        return False

    def descent(self, arch: Any, config: GridConfig, budget: float | None, seed: int) -> Any:
        """The fit that is due: of the networks, or of a tile."""
        if self._due is not None:
            return self._due(config, seed)
        assert budget is not None
        self.teller.pixels = round(self.scene.share * self.header.pixels)
        return GrowingDescent(
            self.scene, arch, config.pinned(budget), budget * self.scene.share, seed, self._prior(arch, budget)
        )

    def gentler(self, config: GridConfig) -> GridConfig:
        """Settings for another try at a fit that diverged; a tile has nothing but latents that could do so."""
        gentle = super().gentler(config)
        return gentle if self._due is None else replace(gentle, latent_lr=config.latent_lr / 2)

    _due: Callable[[GridConfig, int], TileDescent] | None = None
    _tell: Callable[[TileDescent], None]

    def _watch(self, descent: Any) -> None:
        """Let everybody who listens know how it goes; a log is of the networks' fit."""
        if isinstance(descent, TileDescent):
            self._tell(descent)
        else:
            super()._watch(descent)

    def _outlook(self, bits: float) -> Outlook:
        return self.scene.outlook(bits * self.scene.share)

    def fit(self, cap: int, config: GridConfig | None = None, share: float = 1.0) -> Candidate[FittedGrid]:
        """Fits of networks and tiles; see :meth:`inrcodec.fit.session.Session.fit`."""
        settings = config or self.config
        arch, budget = self._sized(cap)
        networks = self._networks(arch, budget, str(cap), settings, share)
        while (weights := weight_symbols(networks)).kept and sum(weights.tensor_bits()) > budget:
            networks = coarsened(networks)
        search = GridSearch(self.scene, networks)
        elasticity = max(networks.multiplier, CHEAPEST)
        price = elasticity * search.error(search.latents) * self.header.pixels / budget
        left = max(1.0, budget - sum(weights.tensor_bits()))
        tiles = Tiles(self, networks, settings, _GUESS * price, left, str(cap))
        tiles.rehearse(left * self.scene.share)
        tiles.run()
        if self.ending():
            return Candidate.of(self.pixels, tiles.forced(cap), cap, networks)
        return Candidate.of(self.pixels, tiles.filled(cap), cap, networks)

    def priced(
        self, price: float, cap: int | None = None, config: GridConfig | None = None, share: float = 1.0
    ) -> Candidate[FittedGrid]:
        """Fits at a fixed price of bits; see :meth:`inrcodec.fit.session.Session.priced`."""
        settings = replace(config or self.config, price=price)
        arch, budget = self._sized_at(price, cap)
        networks = self._networks(arch, budget, f"price {price}", settings, share)
        tiles = Tiles(self, networks, settings, price, None, f"price {price}")
        tiles.run()
        stream = tiles.stream
        return Candidate.of(self.pixels, stream, len(stream.data), networks)

    def _networks(self, arch: GridArch, budget: float, name: str, config: GridConfig, share: float) -> FittedGrid:
        """The outcome of the fit of the networks."""
        self._due = None
        return self._fitted(arch, budget, name, config, share * _NETWORKS_TIME)

    def tile(
        self, arch: GridArch, name: str, config: GridConfig, share: float,
        due: Callable[[GridConfig, int], TileDescent], tell: Callable[[TileDescent], None],
    ) -> TileLatents:  # fmt: skip
        """The outcome of the fit of a tile.

        Args:
            arch: the architecture.
            name: of the fit, in the journal.
            config: its settings.
            share: part of the time left that it may take.
            due: begins it, with settings and a seed.
            tell: hears how it goes.
        """
        self._due, self._tell = due, tell
        found = cast("TileLatents", self._fitted(arch, 1.0, name, config, share))
        self._due = None
        return found


class Tiles:
    """The tiles of an encode.

    Args:
        session: the encode.
        networks: the outcome of their fit.
        config: settings of that fit.
        price: of bits at first, or for ever: squared error, summed over pixels, that a bit is worth.
        bits: that all latents may take; None for whatever they take at that price.
        name: of the encode, in the journal.

    Attributes:
        rehearsals: pixels that rehearsals have, all of them together.
    """

    def __init__(
        self, session: TiledSession, networks: FittedGrid, config: GridConfig, price: float, bits: float | None,
        name: str,
    ) -> None:  # fmt: skip
        self.session, self.networks, self.name = session, networks, name
        self.arch, header = networks.arch, session.header
        self.weights = weight_symbols(networks)
        side = tile_side(session.options, header.pixels)
        self.tiles = tiling(header.width, header.height, side, 1 << self.arch.coarsest)
        outlays = [Outlay(Yardstick.of(self._part(tile.core)), tile.core.pixels) for tile in self.tiles]
        self.allowance = Allowance(price, bits, outlays)
        self.planes = tuple(np.zeros(shape, np.int32) for shape in self.arch.shapes(header.width, header.height))
        self.config = tile_config(config)
        self.rehearsals = 0 if bits is None else _REHEARSALS * session.scene.width * session.scene.height
        self._begun = time.monotonic()

    @property
    def stream(self) -> Stream:
        """The file as it is."""
        return Stream(self.session.header, self.arch, self.weights, self.planes)

    def rehearse(self, goal: float) -> None:
        """Find the price at which latents of the mosaic, fitted as those of tiles, come to their part of the bits.

        Args:
            goal: that part.
        """
        scene = self.session.scene
        whole = Window(0, scene.height, 0, scene.width)
        assert scene.yardstick is not None
        site, outlay = Site(self.arch, Tile(whole, whole), ()), Outlay(scene.yardstick, whole.pixels)
        planes = tuple(np.zeros(shape, np.int32) for shape in self.arch.shapes(scene.width, scene.height))

        def begin(config: GridConfig, seed: int) -> TileDescent:
            return TileDescent(scene, site, self.networks, planes, config, seed)

        for k in range(_REHEARSALS):
            if self.session.ending():
                return
            price = self.allowance.price()
            found = self._settled(begin, price, f"rehearsal {k}", f"rehearsal {k + 1}", k * whole.pixels, whole.pixels)
            self.allowance.rehearsed(outlay, price, found.bits)
            if abs(found.bits / goal - 1) < _CLOSE:
                return

    def run(self) -> None:
        """Fit all of them."""
        for k in range(len(self.tiles)):
            price = self.allowance.price()
            found = self._fitted(k, price)
            self._site(k).place(found.planes, self.planes)
            self.allowance.pay(price, found.bits)

    def filled(self, cap: int) -> Stream:
        """The file, its last tile such that it takes what is left of a cap.

        Raises:
            TargetError: not even a file without latents fits.
        """
        k, price = len(self.tiles) - 1, self.allowance.last
        site = self._site(k)
        search = self._search(site, price)
        base, before = len(self.stream.data), self._cost(search.planes(search.latents))

        def size(latents: Ints) -> int:
            return base + math.ceil((self._cost(search.planes(latents)) - before) / 8)

        for attempt in range(1, _TRIES):
            own, spare = search.own_bits, 8 * (cap - size(search.latents))
            if 0 <= spare <= _SHORT * own or own + spare <= 0 or self.session.ending():
                break
            price *= (own / (_AIM * (own + spare))) ** _RESPONSE
            site.place(self._fitted(k, price, f" again {attempt}").planes, self.planes)
            search = self._search(site, price)
        start = search.latents
        for _ in range(_CORRECTIONS):
            try:
                search.fill(size, cap)
            except ValueError:  # the other tiles are too large
                break
            site.place(site.core(search.planes(search.latents)), self.planes)
            stream = self.stream
            if len(stream.data) <= cap:
                return stream
            base, search.latents = base + len(stream.data) - size(search.latents), start
        return self.forced(cap)

    def forced(self, cap: int) -> Stream:
        """The file, all latents smaller where they would not fit a cap: crude, but it always gets there.

        Raises:
            TargetError: not even a file without latents fits.
        """
        stream = self.stream

        def scaled(factor: float) -> Stream:
            return replace(stream, latents=tuple(np.rint(plane * factor).astype(np.int32) for plane in self.planes))

        def fits(stream: Stream) -> bool:
            return len(stream.data) <= cap

        if fits(stream):
            return stream
        smaller = scaled(bracket(0.0, 1.0, lambda factor: fits(scaled(factor)), _BISECTIONS)[0])
        if not fits(smaller):
            raise self.session.too_small(cap, self.arch)
        return smaller

    def _fitted(self, k: int, price: float, attempt: str = "") -> TileLatents:
        """The outcome of the fit of a tile at a price."""
        site = self._site(k)

        def begin(config: GridConfig, seed: int) -> TileDescent:
            return TileDescent(self._scene(site.tile), site, self.networks, site.seen(self.planes), config, seed)

        sizes = [tile.seen.pixels for tile in self.tiles]
        before = self.rehearsals + sum(sizes[:k])
        return self._settled(begin, price, f"tile {k}{attempt}", f"tile {k + 1} of {len(sizes)}", before, sizes[k])

    def _settled(
        self, begin: Callable[[GridConfig, int], TileDescent], price: float, name: str, phase: str, before: int,
        here: int,
    ) -> TileLatents:  # fmt: skip
        """The outcome of a fit of latents at a price.

        Args:
            begin: begins it, with settings and a seed.
            price: squared error, summed over pixels, that a bit is worth.
            name: of the fit, in the journal.
            phase: the same, for whoever watches.
            before: pixels that fits had before it.
            here: pixels that it has itself.
        """
        session, config = self.session, replace(self.config, price=price)
        total = self.rehearsals + sum(tile.seen.pixels for tile in self.tiles)

        def tell(descent: TileDescent) -> None:
            part = (before + descent.progress * here) / total
            eta = (time.monotonic() - self._begun) * (1 - part) / max(part, 1e-6)
            session.teller.pixels = here
            session.teller.tell(phase, round(part * _PARTS), _PARTS, mse=descent.mse, bits=descent.bits, eta=eta)

        if session.ending():  # what is missing of the picture is drawn in haste
            descent = begin(replace(config, steps=_HASTE), session.options.seed)
            advance(descent)
            return descent.fitted()
        share = here / (total - before)
        return session.tile(self.arch, f"{self.name} {name}", config, share, begin, tell)

    def _site(self, k: int) -> Site:
        return Site(self.arch, self.tiles[k], tuple(tile.core for tile in self.tiles[:k]))

    def _search(self, site: Site, price: float) -> TileSearch:
        """The landing of a tile as it is."""
        seen = site.seen(self.planes)
        latents = np.concatenate([plane.ravel() for plane in seen]).astype(np.float32)
        return TileSearch(self._scene(site.tile), replace(self.networks, latents=latents), price, site.own(seen))

    def _cost(self, planes: tuple[Ints, ...]) -> float:
        """Bits of the grids of a part, under the laws of the file."""
        return sum(latent_cost(self.arch, self.weights, planes))

    def _part(self, window: Window) -> Pixels:
        pixels = self.session.pixels
        return Pixels(np.ascontiguousarray(window.of(pixels.array)), pixels.depth)

    def _scene(self, tile: Tile) -> Scene:
        """What is seen around a tile."""
        scene = self.session.scene
        return Scene(samples_of(self._part(tile.seen), scene.samples.device), scene.engine)
