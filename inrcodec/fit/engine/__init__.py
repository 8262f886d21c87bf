"""What runs a coordinate network over pixels and back: fused kernels on the CPU, plain torch anywhere."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from torch import Tensor

from inrcodec.fit.engine import reference
from inrcodec.fit.engine.layers import Layer, siren

ENGINES = ("auto", "numba", "torch", "compile")
"""Names of the engines; ``auto`` takes the kernels where they work, ``compile`` is torch's compiler."""


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
        device: where the fit runs, ``cpu`` or ``cuda``; the kernels run on the CPU only.

    Raises:
        ValueError: there is none of that name, or it cannot run here.
    """
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
    if name == "torch" or (name == "auto" and device != "cpu"):
        return cast("Engine", reference)
    if name == "compile":
        return cast("Engine", importlib.import_module("inrcodec.fit.engine.compiled"))
    if device != "cpu":
        raise ValueError(f"the numba engine runs on the CPU, not on {device}; use --engine torch")
    try:
        return cast("Engine", importlib.import_module("inrcodec.fit.engine.fused"))
    except (ImportError, OSError) as error:  # llvmlite without a library that loads raises OSError
        if name == "auto":
            return cast("Engine", reference)
        raise ValueError(f"the numba engine cannot be used here: {error}") from None


__all__ = ["ENGINES", "Engine", "Layer", "engine", "reference", "siren"]
