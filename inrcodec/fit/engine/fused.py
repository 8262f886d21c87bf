"""The fused kernels as torch sees them: two differentiable functions of inputs and one flat vector of weights.

Pixels are cut into slots, and every slot's sums of gradients are kept apart and added in order, so results depend on
how many pixels there are but not on how many threads work or which of them is first.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from inrcodec.fit.engine.kernel import LOSS, OUTPUTS, PULLBACK, sweep
from inrcodec.fit.engine.layers import Layer
from inrcodec.fit.engine.plan import Plan, plan

TILE = 128
"""Pixels a tile: enough to pay for a weight gradient's last sums, few enough that 10 layers of 64 stay in 1 MB."""

_SLOT_TILES, _MAX_SLOTS = 4, 16
"""Tiles that are worth a slot of their own, and slots at most."""

_threads = 1

_NOTHING = np.empty(0, np.float32)
_memory = threading.local()
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def warm_up() -> None:
    """Load the kernels, or compile them where they are not in the cache yet (several seconds)."""
    layers = (Layer(1, 1),)
    mse(layers, torch.zeros(1, 1), torch.zeros(2), torch.zeros(1, 1))


def threads() -> int:
    """How many threads the kernels use now."""
    return _threads


def take_threads(count: int) -> int:
    """Use ``count`` threads from now on (one, until this is called); torch is left with one."""
    global _threads  # noqa: PLW0603 - like torch.set_num_threads
    _threads = count
    return 1


def _buffer(size: int) -> NDArray[np.float32]:
    """Working memory of this thread, at the start of a cache line."""
    held: NDArray[np.float32] | None = getattr(_memory, "buffer", None)
    if held is None or len(held) < size:
        block = np.empty(size + 16, np.float32)
        shift = -(block.ctypes.data // 4) % 16
        held = _memory.buffer = block[shift : shift + size]
    return held


def _pool(helpers: int) -> ThreadPoolExecutor:
    """Threads beside the calling one; made anew in a forked process, where the old ones are gone."""
    key = os.getpid(), helpers
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(helpers, thread_name_prefix="inrcodec-fit")
    return _pools[key]


def each(count: int, work: Callable[[int], None]) -> None:
    """``work`` of 0 .. count - 1, by as many threads as the engine uses; whoever is free takes the next piece.

    Args:
        count: how many pieces.
        work: what is done with each; pieces write to places of their own, so that their order does not matter.
    """
    turn = itertools.count()  # its next() is one step under the interpreter's lock: no two workers get one piece

    def some() -> None:
        while (k := next(turn)) < count:
            work(k)

    helpers = min(_threads, count) - 1
    others = [_pool(helpers).submit(some) for _ in range(helpers)] if helpers > 0 else []
    some()
    for other in others:
        other.result()


def _flat(array: Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = array.detach().contiguous().numpy().reshape(-1)
    return values


def _run(
    task: int, layout: Plan, x: NDArray[np.float32], y: NDArray[np.float32], flat: Tensor, pixels: int, *, pull: bool
) -> tuple[float, Tensor | None, NDArray[np.float32], NDArray[np.float32]]:
    """All pixels through :func:`sweep`.

    Returns:
        Summed squared error, gradient of the weights (None of outputs alone), outputs and input gradients, flat.
    """
    w = layout.scaled(_flat(flat))
    inputs, outputs = layout.layers[0].inputs, layout.layers[-1].outputs
    tiles = -(-pixels // layout.tile)
    slots = max(1, min(_MAX_SLOTS, tiles // _SLOT_TILES))
    starts = [min(pixels, layout.tile * (tiles * k // slots)) for k in range(slots + 1)]
    sums = np.zeros((slots, 0 if task == OUTPUTS else layout.gradient_size), np.float32)
    out = np.empty(pixels * outputs if task == OUTPUTS else 0, np.float32)
    dx = np.empty(pixels * inputs if pull else 0, np.float32)
    errors = [0.0] * slots

    def work(k: int) -> None:
        errors[k] = sweep(
            task, starts[k], starts[k + 1], layout.tile, x, y, w, layout.widths, layout.kinds, layout.w_at,
            layout.b_at, layout.h_at, layout.z_at, _buffer(layout.buffer_size), sums[k], out, dx,
        )  # fmt: skip

    each(slots, work)
    gradient = None if task == OUTPUTS else torch.from_numpy(layout.gather(sums))
    return sum(errors), gradient, out, dx


class _Outputs(torch.autograd.Function):
    """The net's outputs; its backward goes through the net again rather than keep activations."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, flat: Tensor, layout: Plan) -> Tensor:
        ctx.layout = layout
        ctx.save_for_backward(x, flat)
        out = _run(OUTPUTS, layout, _flat(x), _NOTHING, flat, len(x), pull=False)[2]
        return torch.from_numpy(out).view(len(x), layout.layers[-1].outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, flat = ctx.saved_tensors
        pull = ctx.needs_input_grad[0]
        _, gradient, _, dx = _run(PULLBACK, ctx.layout, _flat(x), _flat(upstream[0]), flat, len(x), pull=pull)
        return torch.from_numpy(dx).view_as(x) if pull else None, gradient, None


class _MeanSquaredError(torch.autograd.Function):
    """The mean squared error, its gradients found on the way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, flat: Tensor, y: Tensor, layout: Plan) -> Tensor:
        pull = ctx.needs_input_grad[0]
        total, gradient, _, dx = _run(LOSS, layout, _flat(x), _flat(y), flat, len(x), pull=pull)
        assert gradient is not None
        ctx.count, ctx.pull = y.numel(), pull
        ctx.save_for_backward(gradient, torch.from_numpy(dx).view_as(x) if pull else torch.empty(0))
        return torch.tensor(total / y.numel(), dtype=torch.float32)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        gradient, dx = ctx.saved_tensors
        factor = upstream[0] / ctx.count
        return dx * factor if ctx.pull else None, gradient * factor, None, None


def _check(layers: tuple[Layer, ...], x: Tensor, flat: Tensor) -> Plan:
    layout = plan(layers, TILE)
    if x.dtype != torch.float32 or flat.dtype != torch.float32:
        raise TypeError(f"the kernels take float32, not {x.dtype} and {flat.dtype}")
    if x.ndim != 2 or x.shape[1] != layers[0].inputs:
        raise ValueError(f"inputs have shape (pixels, {layers[0].inputs}), not {tuple(x.shape)}")
    if flat.shape != (layout.weights,):
        raise ValueError(f"this net has {layout.weights} weights, not {tuple(flat.shape)}")
    return layout


def outputs(layers: tuple[Layer, ...], x: Tensor, flat: Tensor) -> Tensor:
    """Outputs of a coordinate network, differentiable in ``x`` and ``flat``.

    Args:
        layers: the network.
        x: ``(pixels, inputs)`` float32.
        flat: ``(weights,)`` float32, matrices layer by layer, then biases.

    Returns:
        ``(pixels, outputs)``.
    """
    return _Outputs.apply(x, flat, _check(layers, x, flat))  # type: ignore[no-any-return, no-untyped-call]


def mse(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of a network's outputs against ``y``, a scalar differentiable in ``x`` and ``flat``.

    Args:
        layers: the network.
        x: ``(pixels, inputs)`` float32.
        flat: ``(weights,)`` float32.
        y: ``(pixels, outputs)`` float32.
    """
    layout = _check(layers, x, flat)
    if y.dtype != torch.float32:
        raise TypeError(f"the kernels take float32, not {y.dtype}")
    if len(x) == 0:
        raise ValueError("no pixels have no mean")
    if y.shape != (len(x), layers[-1].outputs):
        raise ValueError(f"samples have shape ({len(x)}, {layers[-1].outputs}), not {tuple(y.shape)}")
    return _MeanSquaredError.apply(x, flat, y, layout)  # type: ignore[no-any-return, no-untyped-call]


def mse_stack(layers: tuple[Layer, ...], x: Tensor, flat: Tensor, y: Tensor) -> Tensor:
    """Mean squared errors of several networks of one shape at the same inputs, ``(networks,)``.

    Args:
        layers: the network.
        x: ``(pixels, inputs)`` float32.
        flat: ``(networks, weights)`` float32.
        y: ``(networks, pixels, outputs)`` float32.
    """
    return torch.stack([mse(layers, x, *pair) for pair in zip(flat.unbind(), y.unbind(), strict=True)])
