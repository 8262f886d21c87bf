"""The picture as the fit of a modulated SIREN sees it, and the two figures it is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inrcodec.fit.grid.engine import GridEngine
from inrcodec.image.yardstick import Outlook, Yardstick
from inrcodec.net.grid import GridArch
from inrcodec.pixels import Pixels


@dataclass(frozen=True)
class Scene:
    """A picture, or several of one shape.

    Attributes:
        samples: ``(channels, height, width)`` values in [0, 1]; a leading axis for several pictures, which only the
            engine of plain torch knows. Figures then have that axis too.
        engine: what runs networks over it.
        yardstick: what to expect of it, if that was measured.
    """

    samples: Tensor
    engine: GridEngine
    yardstick: Yardstick | None = None

    @classmethod
    def of(cls, pixels: Pixels, engine: GridEngine, device: torch.device | str = "cpu") -> Scene:
        """A picture on the fit's device."""
        return cls(samples_of(pixels, device), engine, Yardstick.of(pixels))

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.samples.shape[-1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.samples.shape[-2])

    def mean(self) -> Tensor:
        """Mean colour, ``(channels,)``, on the CPU."""
        return self.samples.mean((1, 2)).cpu()

    def outlook(self, bits: float) -> Outlook:
        """What to expect for so many bits."""
        if self.yardstick is None:
            return Outlook(float(self.samples.var((1, 2), correction=0).mean().cpu()) / 30 + 1e-6)
        return self.yardstick.at(max(bits, 1.0) / (self.width * self.height))

    @property
    def settled(self) -> frozenset[str]:
        """Names of tensors that are those of the file already, and stay."""
        return frozenset()

    def weighing(self, arch: GridArch) -> tuple[float, ...]:
        """How often a bit of each tensor counts."""
        return (1.0,) * len(arch.tensors())

    def bits(self, arch: GridArch, flat: Tensor, latents: Tensor) -> Tensor:
        """Bits of the latents."""
        return self.engine.latent_bits(arch, self.width, self.height, flat, latents)

    def laws(self, arch: GridArch, flat: Tensor, latents: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Position and log-scale of every latent's law."""
        return self.engine.laws(arch, self.width, self.height, flat, latents)

    def mse(self, arch: GridArch, flat: Tensor, latents: Tensor) -> Tensor:
        """Mean squared error of the picture that is drawn, not clipped."""
        return self.engine.mse(arch, self.drawing(flat), self.drawn(latents), self.samples)

    def drawn(self, latents: Tensor) -> Tensor:
        """What the network sees of latents."""
        return latents

    def drawing(self, flat: Tensor) -> Tensor:
        """The weights that draw, of all weights."""
        return flat


def samples_of(pixels: Pixels, device: torch.device | str) -> Tensor:
    """Samples as fits take them, ``(channels, height, width)`` in [0, 1]."""
    unit = torch.from_numpy(pixels.unit()).view(pixels.height, pixels.width, pixels.channels)
    return unit.permute(2, 0, 1).contiguous().to(device)
