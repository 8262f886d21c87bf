"""What a decode costs, from descriptions alone, so that it can be judged before anything is allocated.

Work is counted in multiply-adds of a matrix product in float32. What NumPy does besides is charged at what it takes in
their place; figures were measured on two cores of a cloud machine, where 2^35 of them take about a second and a half at
the most. They are estimates for limits, no promise: a decoder of other making has other costs.
"""

from __future__ import annotations

from collections.abc import Sequence

from inrcodec.net.arch import Arch
from inrcodec.net.canvas import strip_rows
from inrcodec.net.grid import SKEW, GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.net.resample import Window, source_of

PIXEL = 1600
"""A pixel that is drawn: coordinates, copies, rounding. More than it takes in time, so that it bounds memory too."""

LAYER = 50
"""A layer, for each pixel."""

NEURON = {"gelu": 350}
"""An activation, where it takes longer than ``SINE``."""

SINE = 24

ANGLE = 300
"""An angle of an input encoding, with its sine and cosine."""

RUNG = 250
"""A sample of a grid that is brought to its octave."""

FILTER = 500
"""A sample of a grid that goes through its own filter."""

TAP = 30
"""A weight of a 3x3 layer, for each pixel."""

MARGIN = 3
"""Samples of the picture that a strip looks beyond its own, 3x3 layers aside."""

RESAMPLED = 60
"""A sample that is averaged or interpolated along one side, for each channel."""

WEIGHT = 1 << 14
"""A weight that is decoded. No network has many more of them than its file has bits."""

LATENT = 6000
"""A latent that is decoded, context model aside."""

INPUT, MULTIPLY, CONTEXT_NEURON = 60, 2, 40
"""An input, a weight (in float64) and a neuron of the context model."""

WAVE, WAVE_LAYER = 650_000, 60_000
"""A call of the wavefront, and what each hidden layer of the context model adds to it."""

PLANE = 20
"""A latent in a layer of a grid, added up to what is drawn."""


def siren_work(arch: Arch, pixels: int) -> int:
    """Work of drawing so many pixels of a network alone."""
    encoding = arch.encoding
    angles = (encoding.inputs - (2 if encoding.keeps else 0)) // 2
    neurons = NEURON.get(arch.activation, SINE) * sum(arch.hidden)
    return pixels * (PIXEL + arch.params + LAYER * (arch.depth + 1) + neurons + ANGLE * angles)


def latents_work(arch: GridArch, shapes: Sequence[tuple[int, int]], coded: Sequence[bool]) -> int:
    """Work of decoding latents.

    Args:
        arch: the architecture.
        shapes: rows and columns of the grids that are wanted, in stream order.
        coded: whether a grid is in the stream.
    """
    total = 0
    for plane, ((rows, columns), flag) in enumerate(zip(shapes, coded, strict=False)):
        if flag:
            inputs, widths = arch.context_inputs(plane), arch.context
            weights = sum(a * b for a, b in zip((inputs, *widths), widths, strict=False))
            weights += 2 * (inputs + sum(widths[-1:]))
            each = LATENT + INPUT * inputs + MULTIPLY * weights + CONTEXT_NEURON * sum(widths)
            waves = min(rows * columns, columns + SKEW * (rows - 1))
            total += rows * columns * each + waves * (WAVE + WAVE_LAYER * len(widths))
    return total


def canvas_work(
    arch: GridArch, coded: tuple[int, int], drawn: tuple[int, int], window: Window, live: Sequence[bool]
) -> int:
    """Work of drawing a window from latents.

    Args:
        arch: the architecture.
        coded: columns and rows of the coded picture.
        drawn: columns and rows of the whole drawing.
        window: what is wanted of it.
        live: for every grid, coarsest first, whether any latent of it is not zero.
    """
    pixels = window[2] * window[3]
    if not any(live):  # the same colour everywhere
        return pixels * PIXEL
    _, _, columns, rows = source_of(coded, drawn, window)
    resampling = 0
    if coded != drawn:  # along one side and then the other
        sides = columns * rows + window[3] * columns + pixels
        resampling = pixels * PIXEL + RESAMPLED * arch.outputs * sides
    margin = MARGIN + arch.residuals
    wide, high = min(coded[0], columns + 2 * margin), rows + 2 * margin * -(-rows // strip_rows(columns))
    weights = sum(a * b for a, b in arch.synthesis_fan())
    neurons = NEURON.get(arch.activation, SINE) * sum(arch.hidden)
    each = PIXEL + weights + neurons + LAYER * (len(arch.hidden) + 1) + TAP * 9 * arch.outputs**2 * arch.residuals
    own = zip(arch.octaves, live, strict=True) if arch.filters else []
    filters = sum(FILTER * -(-wide >> octave) * -(-high >> octave) for octave, flag in own if flag)
    return resampling + wide * high * (each + sum(live) * RUNG) + filters


def adding_work(arch: GridArch, shapes: Sequence[tuple[int, int]]) -> int:
    """Work of adding layers up, if there are any, for grids of the given shapes in stream order."""
    return PLANE * sum(rows * columns for rows, columns in shapes) if isinstance(arch, LayeredArch) else 0


def whole_work(arch: Arch | GridArch, width: int, height: int) -> int:
    """Work of decoding a picture of ``width x height`` at its own size, with all of its grids coded."""
    weights = WEIGHT * arch.params
    if not isinstance(arch, GridArch):
        return weights + siren_work(arch, width * height)
    shapes, size = arch.plane_shapes(width, height), (width, height)
    coding = latents_work(arch, shapes, (True,) * arch.planes) + adding_work(arch, shapes)
    return weights + coding + canvas_work(arch, size, size, (0, 0, width, height), (True,) * arch.grids)
