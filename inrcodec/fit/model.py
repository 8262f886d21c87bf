"""The sparse SIREN as torch sees it: gated weights and the net they make."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inrcodec.fit import gates
from inrcodec.fit.engine import Engine, Layer, reference
from inrcodec.fit.gated import GatedWeights, as_symbols, hard_levels
from inrcodec.fit.inputs import Inputs
from inrcodec.net.arch import Arch


class SirenWeights(GatedWeights):
    """The weights of one SIREN, or of several with a leading axis on every tensor, and what runs them.

    Args:
        arch: the network.
        engine: what computes it and its gradients.
    """

    def __init__(self, arch: Arch, engine: Engine) -> None:
        super().__init__(arch)
        self.arch, self.engine = arch, engine
        self.layers = hidden_layers(arch)
        self.inputs = Inputs(arch.encoding)

    def mse(self, coords: Tensor, flat: Tensor, samples: Tensor) -> Tensor:
        """Mean squared error of every net at ``coords`` ``(n, 2)`` against ``samples`` ``(..., n, outputs)``.

        It is differentiable in ``flat``.
        """
        raise NotImplementedError


class SparseSiren(SirenWeights):
    """A SIREN whose effective weights are ``step * round(weight * gate / step)``.

    All weights are one flat parameter ``weights``, in file order. Steps are 1 until somebody sets ``log_step`` (see
    :func:`inrcodec.fit.curvature.allocate_steps`).

    Args:
        arch: the network.
        mean: mean colour, ``(outputs,)``; the output bias starts there.
        gate_kind: ``median``, ``sample`` or ``none``.
        structured: gates of hidden neurons, not of weights.
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
        structured: bool = False,
        droprate: float = 0.05,
        seed: int = 0,
        engine: Engine = reference,
    ) -> None:
        super().__init__(arch, engine)
        self.gate_kind = gate_kind
        self.generator = torch.Generator().manual_seed(seed % 2**63)
        initial = initial_tensors(arch, mean, self.generator)
        self.weights = nn.Parameter(torch.cat([tensor.reshape(-1) for tensor in initial]))
        self.log_step = nn.Parameter(torch.zeros(len(self.sizes)))
        self.log_alpha = None
        self.mask = None
        if gate_kind != "none":
            count = sum(arch.hidden) if structured else sum(self.sizes)
            self.log_alpha = nn.Parameter(gates.initial_log_alpha(count, droprate, self.generator))
            self.neurons = neurons_of(arch) if structured else None
            start = self.gate()
            assert start is not None
            with torch.no_grad():
                self.weights.div_(start)

    def draw(self, source: Callable[..., Tensor]) -> Tensor:
        """Random numbers from this net's own generator."""
        return source(self.weights.shape, generator=self.generator).to(self.weights, non_blocking=True)

    def forward(self, coords: Tensor, flat: Tensor) -> Tensor:
        """Samples of the net with the given flat weights; ``coords`` ``(n, 2)`` to ``(n, outputs)``."""
        return self.engine.outputs(self.layers, self.inputs(coords), flat)

    def mse(self, coords: Tensor, flat: Tensor, samples: Tensor) -> Tensor:
        """Mean squared error against ``samples`` ``(n, outputs)``, differentiable in ``flat``."""
        return self.engine.mse(self.layers, self.inputs(coords), flat, samples)


def neurons_of(arch: Arch) -> Tensor:
    """The hidden neurons that every weight comes from and leads to, ``(2, weights)``, input side first.

    Inputs, outputs and the sources of biases, which are no hidden neurons, have the number of those.
    """
    none = sum(arch.hidden)
    ends = np.cumsum((0, *arch.hidden))
    neurons = [np.full(arch.encoding.inputs, none), *(np.arange(a, b) for a, b in pairwise(ends))]
    neurons.append(np.full(arch.outputs, none))
    matrices = [np.meshgrid(source, sink) for source, sink in pairwise(neurons)]  # (outputs, inputs) each
    sources, sinks = ([pair[k].ravel() for pair in matrices] for k in (0, 1))
    biases = np.concatenate(neurons[1:])
    return torch.from_numpy(
        np.stack([np.concatenate([*sources, np.full_like(biases, none)]), np.concatenate([*sinks, biases])])
    )


def hidden_layers(arch: Arch) -> tuple[Layer, ...]:
    """An architecture in the engines' words."""
    *hidden, (inputs, outputs) = arch.fan()
    body = (Layer(a, b, arch.activation, float(arch.frequency(k))) for k, (a, b) in enumerate(hidden))
    return (*body, Layer(inputs, outputs, "linear"))


def initial_tensors(arch: Arch, mean: Tensor, generator: torch.Generator) -> list[Tensor]:
    """COIN's initialisation: first layer U(+-1/in), others U(+-sqrt(6/in)/w0), biases in the range of their weights.

    Activations that are not periodic take every matrix from U(+-sqrt(6/in)/w0) (He et al. 2015, section 2.2) and the
    biases from U(+-sqrt(1/in)/w0).

    Args:
        arch: the network.
        mean: start of the output bias, ``(outputs,)``.
        generator: source of randomness.

    Returns:
        Tensors in the order of :meth:`Arch.tensors`.
    """
    matrices, biases = [], []
    for k, (inputs, outputs) in enumerate(arch.fan()):
        bound = math.sqrt(6.0 / inputs) / (arch.frequency(k) if k < arch.depth else arch.w0)
        if arch.activation == "sine":
            bound = 1.0 / inputs if k == 0 else bound
        around = bound if arch.activation == "sine" else bound / math.sqrt(6.0)
        matrices.append((torch.rand(outputs, inputs, generator=generator) * 2 - 1) * bound)
        biases.append((torch.rand(outputs, generator=generator) * 2 - 1) * around)
    return [*matrices, torch.cat(biases[:-1]), mean.clone()]


def hard_symbols(model: SparseSiren) -> list[NDArray[np.int32]]:
    """What a file would hold now, see :func:`hard_levels`."""
    return as_symbols(model.arch, hard_levels(model))
