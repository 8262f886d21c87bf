"""The frozen description of a modulated SIREN: latent grids, their context model, upsampling, synthesiser.

Integer latents ``y_o`` live on grids of octaves ``finest .. coarsest``, octave o having one value for every
``2^o x 2^o`` pixels. They are coded coarse to fine, each under a law that a small network predicts from its causal
neighbours and from coarser grids (the *context model*), and drawn by

    z = all grids, each but the coarsest through a filter of its own, brought to full size by a ladder of learned
        two-fold upsamplings,
    h_1 = sin(w0 (S0 z + b)),  h_2 = sin(w0 (S1 h_1 + b)), ...,   rgb = S.out [h, z] + b,   rgb += R * rgb  (3x3)

so without grids it would be COIN's network, and without sines a linear multiresolution transform. The recipe's parts
are those of COOL-CHIC (Ladune et al. 2023) and C3 (Kim et al. 2024, section 3); sines instead of ReLU, parents in the
context, deviations from known filters and one entropy model for all weights are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from inrcodec.errors import BitstreamError
from inrcodec.net.arch import TensorSpec

CAUSAL = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-2, -1), (-1, 2), (-2, 1), (0, -3), (-3, 0),
    (-2, -2), (-2, 2),
)  # fmt: skip
"""Causal neighbours ``(rows down, columns right)``, the most telling first; a context takes the first few.

None reaches further right than two columns in the row above, so that all latents with equal ``x + 3 y`` are
independent given those before: a grid of W columns and H rows decodes in ``W + 3 (H - 1)`` steps.
"""

PARENTS = (
    (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 0, -1), (1, -1, 0), (2, 0, 0), (1, 1, 1), (1, -1, -1), (1, 1, -1), (1, -1, 1),
    (3, 0, 0),
)  # fmt: skip
"""Latents of coarser grids ``(octaves up k, rows down, columns right)`` of the one that covers ``(y >> k, x >> k)``."""

SKEW = 3
"""Columns a row waits for the row above it in wavefront order."""

TAPS = 4
"""Numbers of a two-fold upsampling filter: 8 taps, symmetric; and of a grid's own filter: 7 taps, symmetric."""

REACH = TAPS - 1
"""Samples to either side that a grid's own filter sees."""

MAX_OCTAVE = 12
MAX_GRID_WIDTH = 128
MAX_GRID_LAYERS = 4
ACTIVATIONS = ("sine", "relu", "gelu")


@dataclass(frozen=True)
class GridArch:
    """A modulated SIREN.

    Attributes:
        finest: octave of the finest grid; 0 has a latent for every pixel.
        coarsest: octave of the coarsest grid.
        neighbours: causal neighbours in the context, 1 to 14.
        parents: latents of coarser grids in the context, 0 to 11.
        context: hidden widths of the context model (ReLU), input side first; may be empty (linear prediction).
        hidden: hidden widths of the synthesiser, input side first; may be empty.
        activation: of the synthesiser, ``sine``, ``relu`` or ``gelu``.
        w0: frequency of the sines, in eighths.
        residuals: linear 3x3 layers after the synthesiser, 0 to 2.
        outputs: channels of the picture, 1 or 3.
        filtered: whether grids, but for the coarsest, go through filters of their own before they join the ladder: the
            pre-concatenation filters of Cool-chic 5.0.
    """

    finest: int = 0
    coarsest: int = 6
    neighbours: int = 12
    parents: int = 6
    context: tuple[int, ...] = (16, 16)
    hidden: tuple[int, ...] = (32, 32)
    activation: str = "sine"
    w0: int = 32
    residuals: int = 1
    outputs: int = 3
    filtered: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.finest <= self.coarsest <= MAX_OCTAVE:
            raise BitstreamError(f"grids run from octave 0 to {MAX_OCTAVE}, not {self.finest} to {self.coarsest}")
        if not (1 <= self.neighbours <= len(CAUSAL) and 0 <= self.parents <= len(PARENTS)):
            raise BitstreamError(f"a context of {self.neighbours} neighbours and {self.parents} parents is unknown")
        for widths in (self.context, self.hidden):
            if len(widths) > MAX_GRID_LAYERS or not all(1 <= w <= MAX_GRID_WIDTH for w in widths):
                raise BitstreamError(f"hidden widths of a grid network are out of bounds: {widths}")
        if self.activation not in ACTIVATIONS or not 1 <= self.w0 <= 255:
            raise BitstreamError(f"no activation {self.activation} at {self.w0} eighths")
        if not 0 <= self.residuals <= 2 or self.outputs not in (1, 3):
            raise BitstreamError(f"{self.residuals} residual layers of {self.outputs} channels are out of bounds")

    @property
    def grids(self) -> int:
        """Number of latent grids."""
        return self.coarsest - self.finest + 1

    @property
    def filters(self) -> int:
        """Number of grids with a filter of their own: the finest ones."""
        return self.grids - 1 if self.filtered else 0

    @property
    def planes(self) -> int:
        """Grids in the stream; see :mod:`inrcodec.net.layered` for more of them than there are octaves."""
        return self.grids

    def plane_shapes(self, width: int, height: int) -> tuple[tuple[int, int], ...]:
        """``(rows, columns)`` of the grids in the stream."""
        return self.shapes(width, height)

    def context_inputs(self, plane: int) -> int:  # noqa: ARG002 - those of refinements differ
        """Values in the context of a latent of a plane."""
        return self.inputs

    def context_tensors(self, plane: int) -> tuple[str, int]:
        """First letter of the tensors of a plane's context model, and its row of their biases."""
        return "C", plane

    @property
    def octaves(self) -> range:
        """Octaves in coding order: coarsest first."""
        return range(self.coarsest, self.finest - 1, -1)

    @property
    def inputs(self) -> int:
        """Values in the context of a latent."""
        return self.neighbours + self.parents

    @property
    def params(self) -> int:
        """Weights, biases and filter taps."""
        return sum(spec.size for spec in self.tensors())

    def shapes(self, width: int, height: int) -> tuple[tuple[int, int], ...]:
        """``(rows, columns)`` of every grid, coarsest first, for a picture of ``width x height``."""
        return tuple((-(-height >> o), -(-width >> o)) for o in self.octaves)

    def latents(self, width: int, height: int) -> int:
        """Latents of all grids together."""
        return sum(rows * columns for rows, columns in self.shapes(width, height))

    def context_fan(self) -> Iterator[tuple[int, int]]:
        """(inputs, outputs) of the context model's layers; the last also sees the context itself (a linear skip)."""
        widths = (self.inputs, *self.context)
        yield from pairwise(widths)
        yield (widths[-1] + self.inputs if self.context else self.inputs, 2)

    def synthesis_fan(self) -> Iterator[tuple[int, int]]:
        """(inputs, outputs) of the synthesiser's layers; the last also sees the upsampled grids themselves."""
        widths = (self.grids, *self.hidden)
        yield from pairwise(widths)
        yield (widths[-1] + self.grids if self.hidden else self.grids, self.outputs)

    def tensors(self) -> tuple[TensorSpec, ...]:
        """The coded tensors, in file order.

        - ``C0 .. C.out``: matrices of the context model, ``(outputs, inputs)``; inputs are the causal neighbours, then
          the parents. Rows of ``C.out`` are the position and the log-scale of the Laplace law; its columns are the
          last hidden layer, then the context.
        - ``C.bias``: biases of the context model for every grid, ``(grids, sum of widths + 2)``, coarsest grid first.
        - ``S0 .. S.out``: matrices of the synthesiser; inputs of ``S0`` are the grids, coarsest first; columns of
          ``S.out`` are the last hidden layer, then the grids.
        - ``S.bias``: ``(sum of widths + outputs,)``.
        - ``U``: ``(coarsest, 4)`` for the rungs of the ladder, from the coarsest: what is added to the bicubic taps.
        - ``V``: ``(grids - 1, 4)``, the filters of the grids' own, where there are any: what is added to the identity.
        - ``R0, R1``: 3x3 layers ``(outputs, inputs, 3, 3)``.
        """
        context = list(self.context_fan())
        synthesis = list(self.synthesis_fan())
        names = [*(f"C{k}" for k in range(len(self.context))), "C.out"]
        specs = [TensorSpec(name, (b, a)) for name, (a, b) in zip(names, context, strict=True)]
        specs.append(TensorSpec("C.bias", (self.grids, sum(self.context) + 2)))
        names = [*(f"S{k}" for k in range(len(self.hidden))), "S.out"]
        specs += [TensorSpec(name, (b, a)) for name, (a, b) in zip(names, synthesis, strict=True)]
        specs.append(TensorSpec("S.bias", (sum(self.hidden) + self.outputs,)))
        if self.coarsest:
            specs.append(TensorSpec("U", (self.coarsest, TAPS)))
        if self.filters:
            specs.append(TensorSpec("V", (self.filters, TAPS)))
        specs += [TensorSpec(f"R{k}", (self.outputs, self.outputs, 3, 3)) for k in range(self.residuals)]
        return tuple(specs)

    def __str__(self) -> str:
        context, hidden = ("+".join(map(str, widths)) or "0" for widths in (self.context, self.hidden))
        own = "f" if self.filtered else ""
        return f"grid{self.finest}-{self.coarsest}{own}:{hidden}:{self.inputs}>{context}"
