"""What runs a modulated SIREN and back: fused kernels on the CPU, plain torch anywhere."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inrcodec.fit.engine import ENGINES
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch


class GridEngine(Protocol):
    """Three differentiable functions and a look at the laws; engines are modules."""

    def latent_bits(self, arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor, /) -> Tensor:
        """Bits of all latents, a scalar, from weights ``(params,)`` and latents ``(latents,)``."""

    def refining_bits(
        self, arch: LayeredArch, layer: int, width: int, height: int, flat: Tensor, sums: Tensor, below: Tensor, /
    ) -> Tensor:
        """Bits of a refinement, a scalar, from what its layer comes to, and the one below, each ``(latents,)``."""

    def mse(self, arch: GridArch, flat: Tensor, latents: Tensor, target: Tensor, /) -> Tensor:
        """Mean squared error against ``target`` ``(outputs, height, width)``, a scalar."""

    def relaxed(self, latents: Tensor, gain: float, temperature: float, sigma: float, noise: Tensor, /) -> Tensor:
        """Latents times ``gain``, soft-rounded around noise."""

    def laws(
        self, arch: GridArch, width: int, height: int, flat: Tensor, latents: Tensor, /
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Position and log-scale of every latent's law, each ``(latents,)``, without gradients."""

    def refining_laws(
        self, arch: LayeredArch, layer: int, width: int, height: int, flat: Tensor, sums: Tensor, below: Tensor, /
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The same of what the layer of a refinement comes to."""


def grid_engine(name: str, device: str = "cpu") -> GridEngine:
    """The engine of a name.

    Args:
        name: one of :data:`inrcodec.fit.engine.ENGINES`.
        device: where the fit runs, ``cpu`` or ``cuda``.

    Raises:
        ValueError: there is none of that name, or it cannot run here.
    """
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
    if name in ("compile", "triton"):
        raise ValueError(f"the {name} engine knows no latent grids; use --engine torch")
    if name == "torch" or (name == "auto" and device != "cpu"):
        return cast("GridEngine", importlib.import_module("inrcodec.fit.grid.plain"))
    if device != "cpu":
        raise ValueError(f"the numba engine does not run on {device}; use --engine torch")
    try:
        return cast("GridEngine", importlib.import_module("inrcodec.fit.grid.kernels"))
    except (ImportError, OSError) as error:  # llvmlite without a library that loads raises OSError
        if name == "auto":
            return cast("GridEngine", importlib.import_module("inrcodec.fit.grid.plain"))
        raise ValueError(f"the numba engine cannot be used here: {error}") from None
