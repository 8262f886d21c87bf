"""The reference engine through ``torch.compile``: fewer and larger kernels for a GPU, or for a long fit on the CPU.

Errors are compiled, one program for every network and shape that is asked for often; plain outputs, which a fit needs
a few times only, are not. Where the compiler does not work (it wants a C++ compiler, or triton) the reference goes on.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from inrcodec.fit.engine import reference
from inrcodec.fit.engine.layers import Layer
from inrcodec.fit.engine.reference import outputs, take_threads, threads, warm_up

PAYS = 50
"""Calls of one shape after which it is worth the seconds a compilation takes."""

_Error = Callable[[tuple[Layer, ...], Tensor, Tensor, Tensor], Tensor]
_Program = Callable[[Tensor, Tensor, Tensor], Tensor]


class _Compiler:
    """Programs by network and shape, and whether there is any point in asking for more."""

    def __init__(self) -> None:
        self.calls: Counter[object] = Counter()
        self.programs: dict[object, _Program] = {}
        self.broken = False

    def run(self, function: _Error, layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> Tensor:
        """What ``function`` gives, compiled where that pays and works."""
        key = function, layers, y.shape, y.device, flat.requires_grad
        if key in self.programs:
            return self.programs[key](x, flat, y)
        self.calls[key] += 1
        if self.calls[key] > PAYS and not self.broken:
            try:
                self.programs[key] = _compiled(function, layers, x, flat, y)
            except Exception as error:  # noqa: BLE001 - there is no end to what a compiler can raise
                self.broken = True
                warnings.warn(f"torch.compile does not work here, going on without: {error}", stacklevel=4)
        return function(layers, x, flat, y)


def _compiled(function: _Error, layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> _Program:
    """The program, tried out forward and backward."""
    program: _Program = torch.compile(partial(function, layers), dynamic=False)
    error = program(x, flat, y).sum()
    if error.requires_grad:
        torch.autograd.grad(error, flat)
    return program


_compiler = _Compiler()


def mse(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of a network's outputs; see :func:`inrcodec.fit.engine.fused.mse`."""
    return _compiler.run(reference.mse, layers, x, flat, y)


def mse_stack(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> Tensor:
    """Mean squared errors of several networks of one shape; see :func:`inrcodec.fit.engine.fused.mse_stack`."""
    return _compiler.run(reference.mse_stack, layers, x, flat, y)


__all__ = ["mse", "mse_stack", "outputs", "take_threads", "threads", "warm_up"]
