"""The networks of a modulated SIREN as one vector of gated weights: context model, upsampling filters, synthesiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from inrcodec.coding.law import step_code, step_size
from inrcodec.fit import gates
from inrcodec.fit.gated import GatedWeights
from inrcodec.fit.grid.plain import flat_of, tensors_of
from inrcodec.fit.rows import TiedWeights
from inrcodec.fit.soap import Block
from inrcodec.net.arch import TensorSpec
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import CONTEXTS, SYNTHESISERS
from inrcodec.net.prior import NO_PRIOR, base_tensors

NARROW = -4.0
"""Log-scale of the law that latents start with in long fits without a prior.

Wider ones lead to networks that say smooth areas in the finest grid, where three in four latents are not zero. Short
fits do not get away from narrow ones.
"""

_STEP = 2.0**-5
"""Quantisation step that weights are priced with until steps are searched (see :mod:`inrcodec.fit.grid.steps`)."""


class GridNetworks(GatedWeights):
    """All networks of one modulated SIREN; weights are one flat parameter in file order.

    Args:
        arch: the architecture.
        mean: mean colour, ``(outputs,)``; the output bias starts there.
        prior: code of what weights are measured from; they start there, or at random if that is zero.
        gate_kind: ``median``, ``sample`` or ``none``.
        droprate: initial probability of a closed gate.
        seed: of the initialisation and of all noise.
        scale: log-scale of the law that latents start with where there is no prior.

    Attributes:
        base: ``(params,)``, what weights are added to.
    """

    base: Tensor

    def __init__(
        self,
        arch: GridArch,
        mean: Tensor,
        *,
        prior: int = NO_PRIOR,
        gate_kind: str = "none",
        droprate: float = 0.05,
        seed: int = 0,
        scale: float = 0.0,
    ) -> None:
        super().__init__(arch)
        self.arch, self.prior, self.gate_kind = arch, prior, gate_kind
        self.generator = torch.Generator().manual_seed(seed % 2**63)
        base = flat_of(arch, base_tensors(arch, prior))
        self.register_buffer("base", base.float(), persistent=False)
        if prior == NO_PRIOR:
            initial = [initial_tensor(arch, spec, mean, self.generator).reshape(-1) for spec in arch.tensors()]
            self.weights = nn.Parameter(torch.cat(initial))
            with torch.no_grad():
                tensors_of(arch, self.weights)["C.bias"][..., -1] = scale
        else:
            self.weights = nn.Parameter(torch.zeros(len(base)))
        start = math.log(step_size(step_code(_STEP)))
        self.log_step = nn.Parameter(torch.full((len(self.sizes),), start))
        self.log_alpha = None
        self.mask = None
        if gate_kind != "none":
            self.log_alpha = nn.Parameter(gates.initial_log_alpha(sum(self.sizes), droprate, self.generator))

    def draw(self, source: Callable[..., Tensor]) -> Tensor:
        """Random numbers from the networks' own generator."""
        return source(self.weights.shape, generator=self.generator).to(self.weights, non_blocking=True)


class NetworksStack(TiedWeights):
    """Networks of several pictures, tied together.

    Args:
        nets: of one architecture and kind of gates; they may be measured from different priors.

    Attributes:
        base: ``(nets, params)``, what weights are added to.
    """

    base: Tensor

    def __init__(self, nets: Sequence[GridNetworks]) -> None:
        super().__init__(nets[0].arch)
        self.tie(nets)
        self.register_buffer("base", torch.stack([net.base for net in nets]), persistent=False)


def initial_tensor(arch: GridArch, spec: TensorSpec, mean: Tensor, generator: torch.Generator) -> Tensor:
    """Where the fit of a tensor starts.

    The synthesiser starts as a SIREN (Sitzmann et al. 2020, section 3.2) whose output is the mean colour and little
    else; the context model starts with one law for all latents, of scale 1; filters start as what they are added to.

    Args:
        arch: the architecture.
        spec: the tensor.
        mean: mean colour.
        generator: source of randomness.
    """

    def uniform(bound: float) -> Tensor:
        return (torch.rand(spec.shape, generator=generator) * 2 - 1) * bound

    frequency = arch.w0 / 8 if arch.activation == "sine" else 1.0
    inputs = spec.shape[-1]
    if spec.name == "S.bias":
        bias = uniform(1 / frequency)
        bias[-arch.outputs :] = mean
        return bias
    if spec.name == "S.out":
        return uniform(0.2 * math.sqrt(3.0 / inputs))
    if spec.name[0] == "S":
        return uniform(math.sqrt(6.0 / inputs) / frequency)
    if spec.name[0] in CONTEXTS and spec.name[1:] not in (".out", ".bias"):
        return uniform(0.5 * math.sqrt(3.0 / inputs))
    return torch.zeros(spec.shape)


def matrices(arch: GridArch) -> tuple[Block, ...]:
    """Where the matrices lie that an optimiser may treat as such."""
    blocks, at = [], 0
    for spec in arch.tensors():
        if spec.name[0] in CONTEXTS | SYNTHESISERS and len(spec.shape) == 2 and not spec.name.endswith("bias"):
            blocks.append(Block(at, 1, *spec.shape))
        at += spec.size
    return tuple(blocks)
