"""The measurements behind :mod:`benchmarks.engine`, each run in a process of its own and answered in JSON.

Threads are the reason: OpenBLAS reads their number when it loads, and OpenMP's threads, once started, spin for a
while after every loop and would take cores from whatever is measured next.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan, isqrt, nan, pi, sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inrcodec.fit.engine import fused, reference
from inrcodec.fit.engine.layers import Layer, siren
from inrcodec.net.coords import axes, grid

BURST = 0.2
"""Seconds that a measurement takes at least."""

SUBSET = 20_000
"""Pixels on which gradients are compared with float64."""

Step = Callable[[], Tensor]


def steps(nets: list[str], pixels: int, repeats: int, threads: int, *, compiled: bool) -> dict[str, Any]:
    """Times, operations and errors of every net; and what a large matrix product reaches.

    Args:
        nets: see :func:`network`.
        pixels: of the picture.
        repeats: rounds.
        threads: for all implementations.
        compiled: whether ``torch.compile`` takes part.
    """
    torch.set_num_threads(threads)
    compiled = compiled and load_compiler()
    peaks, found = [sgemm()], []
    for name in nets:
        found.append(step_of(name, pixels, repeats, threads, compiled=compiled))
        peaks.append(sgemm())
        say(f"{name}, threads {threads}: sgemm {peaks[-1]:.1f} GFLOP/s")
    return {"nets": found, "sgemm_gflops": max(peaks)}


def step_of(name: str, pixels: int, repeats: int, threads: int, *, compiled: bool) -> dict[str, Any]:
    """Times, operations and errors of one net; see :func:`steps`."""
    case = Case.of(name, pixels)
    net = textbook(case)
    loss = case.loss(net)
    turns: dict[str, tuple[Step, int]] = {
        "textbook": (case.step(net, loss), reference.take_threads(threads)),
        "eager": (case.flat_step(reference.mse), reference.take_threads(threads)),
    }
    compile_s = nan
    if compiled:
        # Without a reset the second net would be compiled for any width: slower code than it deserves.
        torch.compiler.reset()
        graph = case.step(net, torch.compile(loss))
        compile_s = first_call(graph)
        if not isnan(compile_s):
            turns["compile"] = graph, reference.take_threads(threads)
    turns["ours"] = case.flat_step(fused.mse), fused.take_threads(threads)
    ms: dict[str, list[float]] = {who: [] for who in turns}
    for turn in range(repeats):
        for who, (step, torch_threads) in turns.items():
            torch.set_num_threads(torch_threads)
            step()  # after the others' turns: caches, pages and threads as this one left them
            ms[who].append(burst(step))
        say(f"{name}, threads {threads}, round {turn}: " + ", ".join(f"{who} {ms[who][-1]:.2f} ms" for who in turns))
    torch.set_num_threads(threads)
    return {
        "net": name,
        "weights": weights(case.layers),
        "flops": pixels * flops(case.layers),
        "ms": ms,
        "compile_s": compile_s,
        **errors(case.subset(SUBSET)),
    }


def size(net: str, pixels: int, repeats: int, threads: int) -> dict[str, Any]:
    """Times and memory of our step on one picture.

    Args:
        net: see :func:`network`.
        pixels: of the picture.
        repeats: measurements.
        threads: for the kernels.
    """
    torch.set_num_threads(fused.take_threads(threads))
    Case.of(net, 1024).flat_step(fused.mse)()  # loads the kernels
    case = Case.of(net, pixels)
    data_mb = peak_mb()
    step = case.flat_step(fused.mse)
    step()
    ms = [burst(step) for _ in range(repeats)]
    say(f"{net}, threads {threads}, {pixels:,} pixels: " + ", ".join(f"{took:.2f} ms" for took in ms))
    return {"net": net, "pixels": pixels, "ms": ms, "data_mb": data_mb, "peak_mb": peak_mb()}


@dataclass(frozen=True)
class Case:
    """A network at its start and a picture of noise.

    Attributes:
        layers: the network.
        x: ``(pixels, inputs)``.
        y: ``(pixels, outputs)`` in [0, 1].
        flat: ``(weights,)`` as SIREN starts: ``U(-1/n, 1/n)`` in the first layer of n inputs, then
            ``U(-sqrt(6/n)/w0, sqrt(6/n)/w0)``, biases like their matrices (as in COIN).
    """

    layers: tuple[Layer, ...]
    x: Tensor
    y: Tensor
    flat: Tensor

    @classmethod
    def of(cls, name: str, pixels: int) -> Case:
        """The case of a net's name; always the same."""
        rng = np.random.default_rng(0)
        layers = network(name)
        scales = [1 / layers[0].inputs, *(sqrt(6 / layer.inputs) / layers[0].frequency for layer in layers[1:])]
        sizes = [layer.inputs * layer.outputs for layer in layers] + [layer.outputs for layer in layers]
        flat = np.concatenate([rng.uniform(-s, s, n) for s, n in zip([*scales, *scales], sizes, strict=True)])
        x = torch.from_numpy(inputs(name, layers, pixels, rng))
        y = np.empty((pixels, layers[-1].outputs), np.float32)
        for start in range(0, pixels, 1 << 16):  # by parts: the bytes should not count as memory of the step
            y[start : start + (1 << 16)] = rng.integers(0, 256, y[start : start + (1 << 16)].shape, np.uint8)
        y /= 255
        return cls(layers, x, torch.from_numpy(y), torch.from_numpy(flat.astype(np.float32)))

    def subset(self, pixels: int) -> Case:
        """Some of the pixels, evenly spread."""
        index = torch.linspace(0, len(self.x) - 1, min(pixels, len(self.x)), dtype=torch.float64).round().long()
        return Case(self.layers, self.x[index], self.y[index], self.flat)

    def double(self) -> Case:
        """The same numbers in float64."""
        return Case(self.layers, self.x.double(), self.y.double(), self.flat.double())

    def loss(self, net: nn.Module) -> Step:
        """The mean squared error as it is usually written."""

        def loss() -> Tensor:
            error: Tensor = ((net(self.x) - self.y) ** 2).mean()
            return error

        return loss

    def step(self, net: nn.Module, loss: Step) -> Step:
        """A step of a net in torch, whose result is the loss."""

        def step() -> Tensor:
            net.zero_grad()
            error = loss()
            error.backward()
            return error

        return step

    def flat_step(self, mse: Callable[[tuple[Layer, ...], Tensor, Tensor, Tensor], Tensor]) -> Step:
        """A step of one of our engines, whose result is the gradient."""

        def step() -> Tensor:
            flat = self.flat.detach().requires_grad_()
            mse(self.layers, self.x, flat, self.y).backward()
            assert flat.grad is not None
            return flat.grad

        return step


def network(name: str) -> tuple[Layer, ...]:
    """The layers of a net's name, with three outputs.

    ``5x20`` is a SIREN of five hidden layers of 20 on two coordinates, ``nerf 4x64`` has the sines and cosines of 16
    octaves beside them and sines of frequency 1, ``mlp 8-24-24-3`` is a small net of eight inputs and frequency 4.
    """
    kind, _, shape = name.rpartition(" ")
    if kind == "mlp":
        first, *hidden, last = map(int, shape.split("-"))
        return siren(hidden, last, inputs=first, frequency=4.0)
    depth, width = map(int, shape.split("x"))
    hidden = [width] * depth
    return siren(hidden, 3, inputs=66, frequency=1.0) if kind == "nerf" else siren(hidden, 3)


def inputs(name: str, layers: tuple[Layer, ...], pixels: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """What a net sees of the pixels, made once since it depends on no weights: ``(pixels, inputs)``."""
    if name.startswith("mlp"):
        return rng.uniform(-1, 1, (pixels, layers[0].inputs)).astype(np.float32)
    height = max(1, isqrt(2 * pixels // 3))
    width = -(-pixels // height)
    coords = grid(*axes(width, height, width, height))[:pixels]
    if not name.startswith("nerf"):
        return coords
    phases = (pi * 2.0 ** np.arange(16))[:, None] * coords.astype(np.float64)[:, None, :]
    phases = phases.reshape(pixels, -1)
    return np.concatenate([coords, np.sin(phases), np.cos(phases)], 1, dtype=np.float32)


def textbook(case: Case) -> nn.Module:
    """The net as SIREN's and COIN's code have it: a matrix and a vector for each layer, w0 times every feature."""
    net = nn.Sequential(*(_textbook_layer(layer) for layer in case.layers))
    parts = case.flat.split([*(p.numel() for p in net.parameters() if p.ndim == 2), *(o.outputs for o in case.layers)])
    for k, parameter in enumerate(_in_flat_order(net)):
        parameter.data = parts[k].view_as(parameter).clone()
    return net


class Sine(nn.Module):
    """SIREN's activation."""

    def __init__(self, w0: float) -> None:
        super().__init__()
        self.w0 = w0

    def forward(self, z: Tensor) -> Tensor:
        """The sine of w0 times every feature."""
        return torch.sin(self.w0 * z)


def _textbook_layer(layer: Layer) -> nn.Module:
    linear = nn.Linear(layer.inputs, layer.outputs)
    return nn.Sequential(linear, Sine(layer.frequency)) if layer.activation == "sine" else linear


def _in_flat_order(net: nn.Module) -> list[nn.Parameter]:
    """Matrices, then biases, as in our flat vectors."""
    parameters = list(net.parameters())
    return [p for p in parameters if p.ndim == 2] + [p for p in parameters if p.ndim == 1]


def errors(case: Case) -> dict[str, float]:
    """Relative errors of gradients against float64: ours, ours in the worst tensor, and float32 torch's."""

    def gradients(of: Case) -> list[Tensor]:
        net = textbook(of)
        of.step(net, of.loss(net))()
        return [p.grad.reshape(-1) for p in _in_flat_order(net) if p.grad is not None]

    exact = gradients(case.double())
    ours = case.flat_step(fused.mse)().double()
    parts = ours.split([len(part) for part in exact])
    return {
        "grad_error": _relative(ours, torch.cat(exact)),
        "grad_worst": max(map(_relative, parts, exact)),
        "textbook_error": _relative(torch.cat(gradients(case)).double(), torch.cat(exact)),
    }


def _relative(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


def weights(layers: tuple[Layer, ...]) -> int:
    """How many weights and biases a net has."""
    return sum((layer.inputs + 1) * layer.outputs for layer in layers)


def flops(layers: tuple[Layer, ...]) -> int:
    """Operations of a step for one pixel: three products of two for each weight, two of them in the first layer."""
    return sum((6 if k else 4) * layer.inputs * layer.outputs for k, layer in enumerate(layers))


def load_compiler() -> bool:
    """Load ``torch.compile``, which should not count for the first net; whether it can be used here."""
    x = torch.ones(64, requires_grad=True)

    def step() -> Tensor:
        value: Tensor = torch.compile(lambda: torch.sin(x).sum())()
        value.backward()
        return value

    return not isnan(first_call(step))


def first_call(step: Step) -> float:
    """Seconds that a compiled step takes when it is called first; nan if it cannot be compiled."""
    start = time.perf_counter()
    try:
        step()
    except (RuntimeError, ImportError, OSError) as error:
        say(f"torch.compile fails: {error}")
        return nan
    return time.perf_counter() - start


def sgemm() -> float:
    """GFLOP/s of the better of numpy and torch at 2048 x 2048 float32 products."""
    a = np.random.default_rng(0).random((2048, 2048), np.float32)
    product = np.empty_like(a)
    tensor, result = torch.from_numpy(a), torch.from_numpy(product)
    calls: tuple[Callable[[], object], ...] = (
        lambda: np.matmul(a, a, out=product),
        lambda: torch.matmul(tensor, tensor, out=result),
    )
    best = float("inf")
    for call in calls:
        for _ in range(3):
            start = time.perf_counter()
            call()
            best = min(best, time.perf_counter() - start)
    return 2 * 2048**3 / best / 1e9


def burst(step: Step) -> float:
    """Milliseconds a step takes, over as many as fill ``BURST`` seconds."""
    count, start = 0, time.perf_counter()
    while True:
        step()
        count += 1
        took = time.perf_counter() - start
        if took >= BURST:
            return 1000 * took / count


def peak_mb() -> float:
    """The most memory this process has had, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6


def say(text: str) -> None:
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)
