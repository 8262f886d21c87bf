"""A coordinate network, layer by layer: what both engines are told to compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ACTIVATIONS = ("linear", "sine", "relu", "gelu", "gauss")
"""Names of the activations, in the order of the kernels' codes."""


@dataclass(frozen=True)
class Layer:
    """One layer: ``activation(frequency (W x + b))``.

    Attributes:
        inputs: features in.
        outputs: features out.
        activation: one of ``ACTIVATIONS``.
        frequency: SIREN's w0.
    """

    inputs: int
    outputs: int
    activation: str = "sine"
    frequency: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a layer nobody can compute.

        Raises:
            ValueError: an unknown activation, or no features.
        """
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"no activation {self.activation!r}; there are {', '.join(ACTIVATIONS)}")
        if self.inputs < 1 or self.outputs < 1:
            raise ValueError(f"a layer needs features, not {self.inputs} and {self.outputs}")


def siren(hidden: Sequence[int], outputs: int, *, inputs: int = 2, frequency: float = 30.0) -> tuple[Layer, ...]:
    """The layers of a SIREN: sines of one frequency, a linear layer at the end (Sitzmann et al. 2020, section 3)."""
    widths = [inputs, *hidden]
    body = (Layer(a, b, "sine", frequency) for a, b in zip(widths, hidden, strict=False))
    return (*body, Layer(widths[-1], outputs, "linear"))
