"""The fit of a tile: latents alone, at a price, under networks that will soon be what they are in the file.

Latents of other tiles that are decided stay as they are, and the picture around the tile is looked at: what a latent
does beyond its tile counts as much as what it does within. So tiles need no overlap in the file, and have no seams.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inrcodec.fit.descent import Diverged
from inrcodec.fit.grid.config import ORDINARY, GridConfig
from inrcodec.fit.grid.course import falling, rounded, softness
from inrcodec.fit.grid.fitted import FittedGrid
from inrcodec.fit.grid.growth import Growth
from inrcodec.fit.grid.landing import Flags, GridSearch, Ints, weight_symbols
from inrcodec.fit.grid.noise import NoiseBank
from inrcodec.fit.grid.plain import flat_of
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.tiles import Tile, Window, decided
from inrcodec.net.grid import GridArch


@dataclass(frozen=True)
class TileLatents:
    """What has been decided: the latents of a tile, ``(rows, columns)`` a grid, coarsest first.

    Attributes:
        planes: the latents.
        bits: that they take, by the fit's own figures.
        steps: optimiser steps taken.
    """

    planes: tuple[Ints, ...]
    bits: float
    steps: int

    def state(self) -> dict[str, Any]:
        """Plain types and tensors, for a checkpoint; most latents are small."""
        small = max(int(np.abs(plane).max()) for plane in self.planes) < 128
        kind = np.int8 if small else np.int16
        planes = [torch.from_numpy(plane.astype(kind)) for plane in self.planes]
        return {"tile": planes, "bits": self.bits, "steps": self.steps}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TileLatents:
        """The inverse of :meth:`state`."""
        return cls(tuple(plane.numpy().astype(np.int32) for plane in state["tile"]), state["bits"], state["steps"])


@dataclass(frozen=True)
class Site:
    """A tile among the others.

    Attributes:
        arch: the architecture.
        tile: where it is.
        before: cores of the tiles that are decided.
    """

    arch: GridArch
    tile: Tile
    before: tuple[Window, ...]

    def seen(self, planes: tuple[Ints, ...]) -> tuple[Ints, ...]:
        """The part of the picture's grids that is looked at."""
        return self._parts(self.tile.seen, planes)

    def core(self, planes: tuple[Ints, ...]) -> tuple[Ints, ...]:
        """Of the grids that are looked at, the part that is decided here."""
        return self._parts(self.tile.core.within(self.tile.seen), planes)

    def place(self, core: tuple[Ints, ...], planes: tuple[Ints, ...]) -> None:
        """Write what was decided into the picture's grids."""
        for part, decided_here in zip(self._parts(self.tile.core, planes), core, strict=True):
            part[:] = decided_here

    def fixed(self, planes: tuple[Ints, ...]) -> Flags:
        """Flat, of the grids that are looked at: which latents are those of tiles that were decided before."""
        windows = [window.within(self.tile.seen) for window in self.before]
        return self._marked(planes, windows)

    def own(self, planes: tuple[Ints, ...]) -> Flags:
        """Flat, of the grids that are looked at: which latents are decided here."""
        return self._marked(planes, [self.tile.core.within(self.tile.seen)])

    def _parts(self, window: Window, planes: tuple[Ints, ...]) -> tuple[Ints, ...]:
        """Views of a part of all grids."""
        return tuple(window.at(octave).of(plane) for octave, plane in zip(self.arch.octaves, planes, strict=True))

    def _marked(self, planes: tuple[Ints, ...], windows: list[Window]) -> Flags:
        marked = [
            decided((plane.shape[0], plane.shape[1]), windows, octave).ravel()
            for octave, plane in zip(self.arch.octaves, planes, strict=True)
        ]
        return np.concatenate(marked)


class TileSearch(GridSearch):
    """The landing of a tile; see :class:`inrcodec.fit.grid.landing.GridSearch`.

    Args:
        scene: the part of the picture that is looked at.
        fitted: networks, and latents of that part.
        price: squared error, summed over pixels, that a bit is worth.
        own: which latents may move.
    """

    def __init__(self, scene: Scene, fitted: FittedGrid, price: float, own: Flags) -> None:
        super().__init__(scene, fitted, own)
        self.price = price

    def _weight(self, mse: float) -> float:  # noqa: ARG002 - the price is given, whatever the error
        return self.price / (self.scene.width * self.scene.height)

    @property
    def own_bits(self) -> float:
        """Bits of the latents that may move."""
        return float(self._own_bits(self.latents)[self.movable].sum())


class TileDescent:
    """The fit of a tile in progress; see :class:`inrcodec.fit.grid.descent.GridDescent`.

    Args:
        scene: the part of the picture that is looked at.
        site: which part that is.
        networks: the outcome of the fit of the networks.
        planes: the grids of that part, as far as they are decided.
        config: settings; its price is what a bit is worth, in squared error summed over pixels.
        seed: of the noise.
    """

    def __init__(
        self, scene: Scene, site: Site, networks: FittedGrid, planes: tuple[Ints, ...], config: GridConfig, seed: int
    ) -> None:
        self.scene, self.site, self.networks, self.config, self.seed = scene, site, networks, config, seed
        self.arch = site.arch
        self.pixels = scene.width * scene.height
        device = scene.samples.device
        symbols = np.concatenate([plane.ravel() for plane in planes])
        self.fixed = torch.from_numpy(symbols.astype(np.float32)).to(device)
        self.free = torch.from_numpy(~site.fixed(planes)).to(device)
        self.own = site.own(planes)
        self.growth = Growth(networks, flat_of(site.arch, weight_symbols(networks).dequantize()).to(device))
        self.latents = nn.Parameter(torch.zeros(len(symbols), device=device))
        self.bank = NoiseBank(len(symbols), seed, device)
        self.adam = torch.optim.Adam([self.latents], lr=config.latent_lr, betas=config.latent_betas)
        self.done, self.time = 0, 0.0
        self.mse = self.bits = math.nan

    @property
    def progress(self) -> float:
        """Part of the fit that is done, 0 to 1: by steps, or by the clock if that is ahead."""
        return max(self.done / self.config.steps, self.time)

    def step(self) -> None:
        """One optimiser step.

        Raises:
            Diverged: it was one too many.
        """
        config, t = self.config, min(1.0, self.progress)
        how, noise = softness(config, t), self.bank.stretch(self.done).clone()
        self.adam.param_groups[0]["lr"] = config.latent_lr * falling(t, config.latent_floor)
        soft = self.scene.engine.relaxed(self.latents, config.gain, how.temperature, how.sigma, noise)
        latents, flat = torch.where(self.free, soft, self.fixed), self.growth.at(t)
        bits = self.scene.bits(self.arch, flat, latents)
        mse = self.scene.mse(self.arch, flat, latents)
        # Adam does not mind how large a loss is, as long as gradients are not as small as what it adds to their roots.
        loss = (mse * self.pixels + config.price * bits) / (config.price * ORDINARY)
        self.latents.grad = torch.autograd.grad(loss, self.latents)[0]
        self.adam.step()
        self.mse, self.bits = float(mse.detach().cpu()), float(bits.detach().cpu())
        if not math.isfinite(self.mse):
            raise Diverged("the error is not finite any more")
        self.done += 1

    def symbols(self) -> Tensor:
        """Latents rounded for real."""
        return torch.where(self.free, rounded(self.latents, self.config.gain), self.fixed)

    def fitted(self) -> TileLatents:
        """Hand on what there is, rounded for the better."""
        fitted = replace(self.networks, latents=self.symbols().cpu().numpy())
        search = TileSearch(self.scene, fitted, self.config.price, self.own)
        if self.progress >= 1:
            search.refine(search.rate, self.config.landing)
        return TileLatents(self.site.core(search.planes(search.latents)), search.own_bits, self.done)

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the rest of the fit, in plain types and tensors."""
        return {"done": self.done, "time": self.time, "latents": self.latents.detach(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict` of a fit of the same tile, settings and seed."""
        self.done, self.time = state["done"], state["time"]
        with torch.no_grad():
            self.latents.copy_(state["latents"])
        self.adam.load_state_dict(state["adam"])
