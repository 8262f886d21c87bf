"""Weights with gates and quantisation steps, whatever the network they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inrcodec.coding.law import step_code, step_size
from inrcodec.fit import gates, softround
from inrcodec.limits import MAX_SYMBOL
from inrcodec.net.arch import Network

_Number = TypeVar("_Number", np.int32, np.float32)


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
        log_alpha: ``(..., gates)``, locations of the gates; None where there are none (any more).
        mask: ``(..., weights)``, what is left of purged gates.
        tensor_of: ``(weights,)``, the tensor each weight belongs to.
        neurons: ``(2, weights)``, the gates of the neurons that each weight comes from and leads to, where gates are of
            neurons; the number of gates stands for what has none. None where every weight has its own.
        gate_kind: ``median``, ``sample`` or ``none``.
    """

    weights: nn.Parameter
    log_step: nn.Parameter
    log_alpha: nn.Parameter | None
    mask: Tensor | None
    tensor_of: Tensor
    neurons: Tensor | None
    gate_kind: str

    def __init__(self, arch: Network) -> None:
        super().__init__()
        self.sizes = [spec.size for spec in arch.tensors()]
        owner = torch.repeat_interleave(torch.arange(len(self.sizes)), torch.tensor(self.sizes))
        self.register_buffer("tensor_of", owner, persistent=False)
        self.register_buffer("neurons", None, persistent=False)

    def draw(self, source: Callable[..., Tensor]) -> Tensor:
        """Random numbers in the shape of the weights, made on the CPU: the same ones whatever the device.

        Args:
            source: ``torch.rand`` or ``torch.randn``.
        """
        raise NotImplementedError

    def steps(self) -> Tensor:
        """The quantisation step of every weight, ``(..., weights)``."""
        return torch.exp(self.log_step)[..., self.tensor_of]

    def gate(self, *, sample: bool = False) -> Tensor | None:
        """Gates of every weight, or None where there are none (any more)."""
        if self.log_alpha is None:
            return self.mask
        if sample and self.gate_kind == "sample":
            gate = gates.sampled_gate(self.log_alpha, self.draw(torch.rand)[..., : self.log_alpha.shape[-1]])
        else:
            gate = gates.median_gate(self.log_alpha)
        if self.neurons is None:
            return gate
        source, sink = self._of_neurons(gate)
        return source * (sink > 0)  # a neuron is what it hands on; what leads to a closed one does not matter

    def _of_neurons(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """What gates have, at the neurons that weights come from and lead to; 1 where there is no gate."""
        assert self.neurons is not None
        known = torch.cat([values, torch.ones_like(values[..., :1])], -1)
        return known[..., self.neurons[0]], known[..., self.neurons[1]]

    def gated(self, *, sample: bool = False) -> Tensor:
        """Weights times their gates, ``(..., weights)``."""
        gate = self.gate(sample=sample)
        return self.weights if gate is None else self.weights * gate

    def open_probability(self) -> Tensor | None:
        """Probability of an open gate for every weight; None without gates."""
        if self.log_alpha is None:
            return None
        chance = gates.open_probability(self.log_alpha)
        if self.neurons is None:
            return chance
        source, sink = self._of_neurons(chance)
        return source * sink

    def levels(self, *, sample: bool = False) -> Tensor:
        """Gated weights in units of their steps, not rounded, ``(..., weights)``."""
        return self.gated(sample=sample) / self.steps()

    def effective(self, levels: Tensor, relaxation: Relaxation) -> Tensor:
        """Weights as the net uses them, ``(..., weights)``."""
        if relaxation.kind == "soft":
            noise = relaxation.sigma * self.draw(torch.randn)
            levels = softround.noisy_soft_round(levels, relaxation.temperature, noise)
            if self.mask is not None:
                levels = levels * self.mask  # what was pruned makes no noise
        elif relaxation.kind == "hard":
            levels = softround.hard_round(levels)
        return levels * self.steps()

    @torch.no_grad()
    def purge(self) -> None:
        """Multiply the median gates into the weights; from here on closed gates are zeros that stay zero."""
        if self.log_alpha is None:
            return
        gate = self.gate()
        assert gate is not None
        self.weights.mul_(gate)
        self.mask = (gate > 0).to(gate.dtype)
        self.log_alpha = None

    @torch.no_grad()
    def prune(self, kept: Tensor) -> None:
        """Keep these weights, ``(..., weights)`` of bools, and no others from here on."""
        self.mask = kept.to(self.weights)
        self.weights.mul_(self.mask)

    @torch.no_grad()
    def snap_steps(self) -> None:
        """Move every step to the nearest one a file can carry."""
        codes = [step_code(step) for step in torch.exp(self.log_step).cpu().tolist()]
        self.log_step.copy_(torch.log(torch.tensor([step_size(c) for c in codes])))


def as_tensors(arch: Network, flat: NDArray[_Number]) -> tuple[NDArray[_Number], ...]:
    """One net's flat weights, or levels, cut into its tensors."""
    specs = arch.tensors()
    parts = np.split(flat, np.cumsum([spec.size for spec in specs])[:-1])
    return tuple(part.reshape(spec.shape) for part, spec in zip(parts, specs, strict=True))


@torch.no_grad()
def hard_levels(model: GatedWeights) -> NDArray[np.float32]:
    """Levels at the median gates, rounded and clipped to the largest symbol, ``(..., weights)``."""
    levels: NDArray[np.float32] = model.levels().round().clamp(-MAX_SYMBOL, MAX_SYMBOL).cpu().numpy()
    return levels


def as_symbols(arch: Network, levels: NDArray[np.float32]) -> list[NDArray[np.int32]]:
    """The levels of one net as tensors: what a file would hold now."""
    return list(as_tensors(arch, levels.astype(np.int32)))
