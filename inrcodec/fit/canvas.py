"""The picture as the fit sees it: coordinates and samples, as tensors on the fit's device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from inrcodec.fit.engine import Engine, reference
from inrcodec.net.coords import axes, grid
from inrcodec.pixels import Pixels

if TYPE_CHECKING:
    from inrcodec.fit.model import SparseSiren

EVALUATE = 8192
"""Pixels evaluated together outside the training step."""


@dataclass(frozen=True)
class Canvas:
    """The picture as the fit sees it.

    Attributes:
        coords: ``(pixels, 2)`` coordinates.
        samples: ``(pixels, channels)`` values in [0, 1].
        engine: what runs networks over it.
    """

    coords: Tensor
    samples: Tensor
    engine: Engine = reference

    @classmethod
    def of(
        cls, pixels: Pixels, device: torch.device | str = "cpu", engine: Engine = reference, downscale: int = 1
    ) -> Canvas:
        """All pixels of a picture in raster order.

        Args:
            pixels: the picture.
            device: where to.
            engine: what runs networks over it.
            downscale: means of squares of so many pixels a side take their place (Struempler et al.'s option); those
                at the right and lower edge are of what there is.
        """
        u, v = axes(pixels.width, pixels.height, pixels.width, pixels.height)
        coords, samples = torch.from_numpy(grid(u, v)), torch.from_numpy(pixels.unit())
        if downscale > 1:
            planes = torch.cat([coords, samples], 1).T.reshape(1, -1, pixels.height, pixels.width)
            means = nn.functional.avg_pool2d(planes, downscale, ceil_mode=True)
            coords, samples = (part.contiguous() for part in means[0].flatten(1).T.split([2, pixels.channels], 1))
        return cls(coords.to(device), samples.to(device), engine)

    @property
    def count(self) -> int:
        """Pixels."""
        return len(self.coords)

    def subset(self, pixels: int) -> Canvas:
        """About ``pixels`` of the pixels, evenly spread, for searches that must be quick."""
        if self.count <= pixels:
            return self
        index = torch.linspace(0, self.count - 1, pixels).round().long().to(self.coords.device)
        return replace(self, coords=self.coords[index], samples=self.samples[index])

    @torch.no_grad()
    def draw(self, model: SparseSiren, flat: Tensor) -> Tensor:
        """What the net draws at the given flat weights, ``(pixels, channels)``, not clipped."""
        parts = range(0, self.count, EVALUATE)
        return torch.cat([model(self.coords[start : start + EVALUATE], flat) for start in parts])

    @torch.no_grad()
    def mse(self, model: SparseSiren, flat: Tensor) -> float:
        """Mean squared error of the net at the given flat weights, its output clipped to [0, 1]."""
        total = torch.zeros((), dtype=torch.float64, device=self.samples.device)
        for start in range(0, self.count, EVALUATE):
            part = slice(start, start + EVALUATE)
            total += (model(self.coords[part], flat).clamp(0, 1) - self.samples[part]).square().sum()
        return float(total.cpu()) / self.samples.numel()
