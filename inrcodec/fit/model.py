"""The sparse SIREN as torch sees it: weights, gates and quantisation steps, and the net they make together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inrcodec.coding.law import step_code, step_size
from inrcodec.fit import gates, softround
from inrcodec.fit.engine import Engine, Layer, reference
from inrcodec.limits import MAX_SYMBOL
from inrcodec.net.arch import Arch


@dataclass(frozen=True)
class Relaxation:
    """How rounding is relaxed at a step of the fit.

    Attributes:
        kind: ``none`` (float weights), ``soft`` (noisy soft-round) or ``hard`` (straight-through).
        temperature: of the soft-round.
        sigma: of the noise, in steps.
    """

    kind: str = "none"
    temperature: float = 0.35
    sigma: float = 0.22


class GatedWeights(nn.Module):
    """Flat weights with gates and quantisation steps: of one net, or of several with a leading axis on every tensor.

    Attributes:
        weights: ``(..., weights)``.
        log_step: ``(..., tensors)``, logarithms of the quantisation steps.
        log_alpha: ``(..., weights)``, locations of the gates; None where there are none (any more).
        mask: ``(..., weights)``, what is left of purged gates.
        tensor_of: ``(weights,)``, the tensor each weight belongs to.
        gate_kind: ``median``, ``sample`` or ``none``.
    """

    weights: nn.Parameter
    log_step: nn.Parameter
    log_alpha: nn.Parameter | None
    mask: Tensor | None
    tensor_of: Tensor
    gate_kind: str

    def __init__(self, arch: Arch, engine: Engine) -> None:
        super().__init__()
        self.arch, self.engine = arch, engine
        self.layers = sine_layers(arch)
        self.sizes = [spec.size for spec in arch.tensors()]
        owner = torch.repeat_interleave(torch.arange(len(self.sizes)), torch.tensor(self.sizes))
        self.register_buffer("tensor_of", owner, persistent=False)

    def draw(self, source: Callable[..., Tensor]) -> Tensor:
        """Random numbers in the shape of the weights, made on the CPU: the same ones whatever the device.

        Args:
            source: ``torch.rand`` or ``torch.randn``.
        """
        raise NotImplementedError

    def mse(self, coords: Tensor, flat: Tensor, samples: Tensor) -> Tensor:
        """Mean squared error of every net against ``samples`` ``(..., n, outputs)``, differentiable in ``flat``."""
        raise NotImplementedError

    def steps(self) -> Tensor:
        """The quantisation step of every weight, ``(..., weights)``."""
        return torch.exp(self.log_step)[..., self.tensor_of]

    def gate(self, *, sample: bool = False) -> Tensor | None:
        """Gates of every weight, or None where there are none (any more)."""
        if self.log_alpha is None:
            return self.mask
        if sample and self.gate_kind == "sample":
            return gates.sampled_gate(self.log_alpha, self.draw(torch.rand))
        return gates.median_gate(self.log_alpha)

    def gated(self, *, sample: bool = False) -> Tensor:
        """Weights times their gates, ``(..., weights)``."""
        gate = self.gate(sample=sample)
        return self.weights if gate is None else self.weights * gate

    def open_probability(self) -> Tensor | None:
        """Probability of an open gate for every weight; None without gates."""
        return None if self.log_alpha is None else gates.open_probability(self.log_alpha)

    def levels(self, *, sample: bool = False) -> Tensor:
        """Gated weights in units of their steps, not rounded, ``(..., weights)``."""
        return self.gated(sample=sample) / self.steps()

    def effective(self, levels: Tensor, relaxation: Relaxation) -> Tensor:
        """Weights as the net uses them, ``(..., weights)``."""
        if relaxation.kind == "soft":
            noise = relaxation.sigma * self.draw(torch.randn)
            levels = softround.noisy_soft_round(levels, relaxation.temperature, noise)
        elif relaxation.kind == "hard":
            levels = softround.hard_round(levels)
        return levels * self.steps()


class SparseSiren(GatedWeights):
    """A SIREN whose effective weights are ``step * round(weight * gate / step)``.

    All weights are one flat parameter ``weights``, in file order. Steps are 1 until somebody sets ``log_step`` (see
    :func:`inrcodec.fit.curvature.allocate_steps`).

    Args:
        arch: the network.
        mean: mean colour, ``(outputs,)``; the output bias starts there.
        gate_kind: ``median``, ``sample`` or ``none``.
        droprate: initial probability of a closed gate; weights start larger by 1 / (1 - droprate) so that the gated
            net starts at the SIREN's scale (L0onie).
        seed: of the initialisation and of all noise.
        engine: what computes the net and its gradients.
    """

    def __init__(
        self,
        arch: Arch,
        mean: Tensor,
        *,
        gate_kind: str = "none",
        droprate: float = 0.05,
        seed: int = 0,
        engine: Engine = reference,
    ) -> None:
        super().__init__(arch, engine)
        self.gate_kind = gate_kind
        self.generator = torch.Generator().manual_seed(seed % 2**63)
        initial = coin_init(arch, mean, self.generator)
        self.weights = nn.Parameter(torch.cat([tensor.reshape(-1) for tensor in initial]))
        self.log_step = nn.Parameter(torch.zeros(len(self.sizes)))
        self.log_alpha = None
        self.mask = None
        if gate_kind != "none":
            start = gates.initial_log_alpha(sum(self.sizes), droprate, self.generator)
            self.log_alpha = nn.Parameter(start)
            with torch.no_grad():
                self.weights.div_(gates.median_gate(start))

    def draw(self, source: Callable[..., Tensor]) -> Tensor:
        """Random numbers from this net's own generator."""
        return source(self.weights.shape, generator=self.generator).to(self.weights, non_blocking=True)

    def forward(self, coords: Tensor, flat: Tensor) -> Tensor:
        """Samples of the net with the given flat weights; ``coords`` ``(n, 2)`` to ``(n, outputs)``."""
        return self.engine.outputs(self.layers, coords, flat)

    def mse(self, coords: Tensor, flat: Tensor, samples: Tensor) -> Tensor:
        """Mean squared error against ``samples`` ``(n, outputs)``, differentiable in ``flat``."""
        return self.engine.mse(self.layers, coords, flat, samples)

    @torch.no_grad()
    def purge(self) -> None:
        """Multiply the median gates into the weights; from here on closed gates are zeros that stay zero."""
        if self.log_alpha is None:
            return
        gate = gates.median_gate(self.log_alpha)
        self.weights.mul_(gate)
        self.mask = (gate > 0).to(gate.dtype)
        self.log_alpha = None

    @torch.no_grad()
    def snap_steps(self) -> None:
        """Move every step to the nearest one a file can carry."""
        codes = [step_code(step) for step in torch.exp(self.log_step).cpu().tolist()]
        self.log_step.copy_(torch.log(torch.tensor([step_size(c) for c in codes])))


def sine_layers(arch: Arch) -> tuple[Layer, ...]:
    """An architecture in the engines' words."""
    *hidden, (inputs, outputs) = arch.fan()
    body = (Layer(a, b, "sine", float(arch.frequency(k))) for k, (a, b) in enumerate(hidden))
    return (*body, Layer(inputs, outputs, "linear"))


def coin_init(arch: Arch, mean: Tensor, generator: torch.Generator) -> list[Tensor]:
    """COIN's initialisation: first layer U(+-1/in), others U(+-sqrt(6/in)/w0), biases in the range of their weights.

    Args:
        arch: the network.
        mean: start of the output bias, ``(outputs,)``.
        generator: source of randomness.

    Returns:
        Tensors in the order of :meth:`Arch.tensors`.
    """
    matrices, biases = [], []
    for k, (inputs, outputs) in enumerate(arch.fan()):
        bound = 1.0 / inputs if k == 0 else math.sqrt(6.0 / inputs) / arch.w0
        matrices.append((torch.rand(outputs, inputs, generator=generator) * 2 - 1) * bound)
        biases.append((torch.rand(outputs, generator=generator) * 2 - 1) * bound)
    return [*matrices, torch.cat(biases[:-1]), mean.clone()]


@torch.no_grad()
def hard_levels(model: GatedWeights) -> NDArray[np.float32]:
    """Levels at the median gates, rounded and clipped to the largest symbol, ``(..., weights)``."""
    levels: NDArray[np.float32] = model.levels().round().clamp(-MAX_SYMBOL, MAX_SYMBOL).cpu().numpy()
    return levels


def as_symbols(arch: Arch, levels: NDArray[np.float32]) -> list[NDArray[np.int32]]:
    """The levels of one net as tensors: what a file would hold now."""
    specs = arch.tensors()
    parts = np.split(levels.astype(np.int32), np.cumsum([spec.size for spec in specs])[:-1])
    return [part.reshape(spec.shape) for part, spec in zip(parts, specs, strict=True)]


def hard_symbols(model: SparseSiren) -> list[NDArray[np.int32]]:
    """What a file would hold now, see :func:`hard_levels`."""
    return as_symbols(model.arch, hard_levels(model))
