"""The frozen description of a SIREN: everything a decoder must know about the network but its weights.

A SIREN (Sitzmann et al. 2020, section 3) is a coordinate MLP with sine activations,

    h_0 = (u, v),   h_{k+1} = sin(w0 (W_k h_k + b_k)),   rgb = W_D h_D + b_D.

Tensors are what the file codes: one matrix a layer, all hidden biases as one vector (they play the same part in
every layer and share one entropy law), and the output bias.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inrcodec.errors import BitstreamError
from inrcodec.limits import MAX_DEPTH, MAX_WIDTH

Float = NDArray[np.float32]


@dataclass(frozen=True)
class TensorSpec:
    """Name and shape of one coded tensor."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of weights."""
        return int(np.prod(self.shape))


class Network(Protocol):
    """What the coding of weights knows of an architecture."""

    @property
    def params(self) -> int:
        """All its weights."""

    def tensors(self) -> tuple[TensorSpec, ...]:
        """The coded tensors, in file order."""


@dataclass(frozen=True)
class Arch:
    """A SIREN of given hidden widths.

    Attributes:
        hidden: neurons of each hidden layer, input side first; 1 to 64 layers of 1 to 4096.
        outputs: channels of the picture, 1 or 3.
        w0_first: frequency of the first sine layer, 1 to 255.
        w0: frequency of the other sine layers, 1 to 255.
    """

    hidden: tuple[int, ...]
    outputs: int = 3
    w0_first: int = 30
    w0: int = 30

    def __post_init__(self) -> None:
        if not 1 <= len(self.hidden) <= MAX_DEPTH:
            raise BitstreamError(f"a network has 1 to {MAX_DEPTH} hidden layers, not {len(self.hidden)}")
        if not all(1 <= w <= MAX_WIDTH for w in self.hidden):
            raise BitstreamError(f"hidden widths run from 1 to {MAX_WIDTH}, not {self.hidden}")
        if self.outputs not in (1, 3):
            raise BitstreamError(f"a network has 1 or 3 outputs, not {self.outputs}")
        if not (1 <= self.w0_first <= 255 and 1 <= self.w0 <= 255):
            raise BitstreamError(f"w0 runs from 1 to 255, not {self.w0_first}, {self.w0}")

    @property
    def depth(self) -> int:
        """Hidden layers."""
        return len(self.hidden)

    @property
    def params(self) -> int:
        """Weights and biases."""
        return sum(spec.size for spec in self.tensors())

    def fan(self) -> Iterator[tuple[int, int]]:
        """(inputs, outputs) of every linear layer, the output layer last."""
        widths = (2, *self.hidden, self.outputs)
        yield from pairwise(widths)

    def frequency(self, layer: int) -> int:
        """w0 of hidden layer ``layer`` (0-based)."""
        return self.w0_first if layer == 0 else self.w0

    def tensors(self) -> tuple[TensorSpec, ...]:
        """The coded tensors, in file order."""
        matrices = [TensorSpec(f"W{k}", (outputs, inputs)) for k, (inputs, outputs) in enumerate(self.fan())]
        biases = [TensorSpec("b.hidden", (sum(self.hidden),)), TensorSpec("b.out", (self.outputs,))]
        return (*matrices, *biases)

    def layers(self, tensors: Mapping[str, Float]) -> list[tuple[Float, Float]]:
        """Regroup coded tensors into ``(W, b)`` per linear layer, with w0 multiplied in.

        Args:
            tensors: float arrays by name, of the shapes of :meth:`tensors`.

        Returns:
            ``W`` of shape ``(outputs, inputs)`` and ``b`` of shape ``(outputs,)``, so that a hidden layer is
            ``sin(W h + b)``.
        """
        ends = np.cumsum(self.hidden)[:-1]
        biases = [*np.split(tensors["b.hidden"], ends), tensors["b.out"]]
        scales = [*(np.float32(self.frequency(k)) for k in range(self.depth)), np.float32(1)]
        return [(s * tensors[f"W{k}"], s * b) for k, (s, b) in enumerate(zip(scales, biases, strict=True))]

    def __str__(self) -> str:
        runs = [f"{len(list(run))}x{width}" for width, run in groupby(self.hidden)]
        return "+".join(runs)


def parse_layers(text: str) -> tuple[int, ...]:
    """Read ``DxW`` (``4x64``), runs of it (``3x40+1x20``) or plain widths (``64,48,32``).

    Raises:
        ValueError: the text is none of these.
    """
    try:
        hidden: list[int] = []
        for part in text.lower().replace(",", "+").split("+"):
            depth, _, width = part.rpartition("x")
            hidden += [int(width)] * (int(depth) if depth else 1)
    except ValueError:
        hidden = []
    if not hidden or len(hidden) > MAX_DEPTH or not all(1 <= w <= MAX_WIDTH for w in hidden):
        raise ValueError(f"layers look like 4x64 (depth x width, to {MAX_DEPTH}x{MAX_WIDTH}) or 64,48,32; got {text!r}")
    return tuple(hidden)
