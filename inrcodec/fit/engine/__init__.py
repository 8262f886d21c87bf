"""What runs a coordinate network over pixels and back: fused kernels where there are any, plain torch anywhere."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from torch import Tensor

from inrcodec.fit.engine import reference
from inrcodec.fit.engine.layers import Layer, siren

ENGINES = ("auto", "numba", "triton", "torch", "compile")
"""Names of the engines; ``auto`` takes the kernels where they work (``numba`` on the CPU, ``triton`` on an NVIDIA GPU),
``compile`` is torch's compiler."""

_KERNELS = {"numba": "fused", "triton": "gpu"}
"""Modules of the engines with kernels of their own."""


class Engine(Protocol):
    """Two functions of inputs and one flat vector of weights; see :mod:`inrcodec.fit.engine.fused`.

    Engines are modules.
    """

    def warm_up(self) -> None:
        """Do now what the first use would otherwise have to."""

    def threads(self) -> int:
        """How many threads it uses now."""

    def take_threads(self, count: int, /) -> int:
        """Use ``count`` threads from now on; returns how many of them torch should have."""

    def outputs(self, layers: tuple[Layer, ...], x: Tensor, flat: Tensor, /) -> Tensor:
        """Outputs ``(pixels, outputs)``."""

    def mse(self, layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor, /) -> Tensor:
        """Mean squared error against ``y``."""

    def mse_stack(self, layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor, /) -> Tensor:
        """Mean squared errors of several networks, against ``y`` each."""


def engine(name: str, device: str = "cpu") -> Engine:
    """The engine of a name.

    Args:
        name: one of ``ENGINES``.
        device: where the fit runs, ``cpu`` or ``cuda``.

    Raises:
        ValueError: there is none of that name, or it cannot run here.
    """
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
    if name == "torch":
        return cast("Engine", reference)
    if name == "compile":
        return cast("Engine", importlib.import_module("inrcodec.fit.engine.compiled"))
    kernels = "numba" if device == "cpu" else "triton"
    if name not in ("auto", kernels):
        raise ValueError(f"the {name} engine does not run on {device}; use --engine {kernels} or torch")
    try:
        return cast("Engine", importlib.import_module(f"inrcodec.fit.engine.{_KERNELS[kernels]}"))
    except (ImportError, OSError) as error:  # llvmlite without a library that loads raises OSError
        if name == "auto":
            return cast("Engine", reference)
        raise ValueError(f"the {kernels} engine cannot be used here: {error}") from None


__all__ = ["ENGINES", "Engine", "Layer", "engine", "reference", "siren"]
