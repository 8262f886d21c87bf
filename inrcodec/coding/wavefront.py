"""Latents to a range-coder stream and back, each under the law its context gives it.

Grids go coarsest first. Within a grid, the latents with equal ``x + 3 y`` make a wave: none is in another's context, so
a wave is coded in one call a round (see :mod:`inrcodec.coding.laplace`), its top row first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.coding.laplace import LawReader, codes, costs, table
from inrcodec.coding.neighbourhood import Gather, Neighbourhood, wave_count, wave_of, wave_order
from inrcodec.coding.rangecoder import Reader, Writer
from inrcodec.coding.symbols import Symbols
from inrcodec.errors import BitstreamError
from inrcodec.net.context import MAX_LATENT, ContextModel, Evaluator
from inrcodec.net.grid import GridArch

STRIP = 1 << 13
"""Latents whose laws are computed together when all are known, and indices coded together."""

PIECE = 1 << 17
"""Latents that are coded or counted together: a large grid then takes little more memory than its laws."""

Latents = Sequence[NDArray[np.integer[Any]]]
"""One array ``(rows, columns)`` a grid, coarsest first."""

Int = NDArray[np.int32]


def read_latents(
    reader: Reader, model: ContextModel, before: Latents, shape: tuple[int, int], end: int | None = None
) -> Int:
    """Decode the next grid.

    Args:
        reader: the stream.
        model: the context model.
        before: the grids decoded before it.
        shape: its rows and columns; the caller has bounded them.
        end: the first wave ``x + 3 y`` that is not in the stream, whose latents and all later ones are 0.

    Returns:
        The latents; of a refinement, what it adds to the layer below.

    Raises:
        BitstreamError: the coder rejects the stream, or a latent is out of bounds.
    """
    field, plane = Neighbourhood(model.arch, before, shape), len(before)
    ready: dict[int, tuple[Gather, Evaluator, LawReader]] = {}
    for count, places in field.steps(end):
        if count not in ready:  # waves grow and shrink by one every three steps; in between two lengths take turns
            if len(ready) == 2:
                del ready[next(iter(ready))]
            ready[count] = field.gather(count), model.at(plane, count), LawReader(reader, count)
        gather, evaluator, laws = ready[count]
        gather.read(places, evaluator.context)
        gather.write(places, laws.read(*evaluator.run()))
    latents = field.plane.astype(np.int32)
    if int(np.abs(latents).max()) > MAX_LATENT:
        raise BitstreamError(f"a latent is over {MAX_LATENT}")
    if end is None:
        return latents - field.below
    return np.where(wave_of(shape) < end, latents - field.below, np.int32(0))


def grid_laws(model: ContextModel, before: Latents, latents: NDArray[np.integer[Any]]) -> tuple[Int, Int, Int]:
    """The laws of a grid whose latents are known, in raster order.

    Args:
        model: the context model.
        before: the grids before it in the stream.
        latents: the grid.

    Returns:
        What the laws are of, positions in 64ths of a symbol plus 32, and indices of scales, flat. For a refinement that
        is what its layer comes to.
    """
    shape = rows, columns = latents.shape
    field, plane = Neighbourhood(model.arch, before, shape), len(before)
    sums = latents + field.below
    field.plane[:] = sums
    centred, scale = np.empty(latents.size, np.int32), np.empty(latents.size, np.int32)
    deep = max(1, STRIP // columns)
    waiting = 0
    for top in range(0, rows, deep):
        bottom = min(top + deep, rows)
        if bottom - top != waiting:
            waiting = bottom - top
            evaluator = model.at(plane, waiting * columns)
        field.strip(top, bottom, evaluator.context)
        piece = slice(top * columns, bottom * columns)
        centred[piece], scale[piece] = evaluator.run()
    return sums.reshape(-1).astype(np.int32), centred, scale


def write_latents(
    writer: Writer,
    model: ContextModel,
    before: Latents,
    latents: NDArray[np.integer[Any]],
    end: int | None = None,
) -> None:
    """Code the next grid; the inverse of :func:`read_latents`."""
    symbols, centred, scale = grid_laws(model, before, latents)
    shape = latents.shape[0], latents.shape[1]
    total = wave_count(shape) if end is None else min(end, wave_count(shape))
    deep = max(1, PIECE // min(shape))
    for first in range(0, total, deep):
        order, waves = wave_order(shape, range(first, min(first + deep, total)))
        rows, indices, places, rounds = codes(symbols[order], centred[order], scale[order])
        if rounds.any():
            sending = np.lexsort((rounds, waves[places]))  # both sorts are stable
            rows, indices = rows[sending], indices[sending]
        for start in range(0, len(rows), STRIP):
            piece = slice(start, start + STRIP)
            writer.rows(indices[piece], table()[rows[piece]])


def latent_cost(
    arch: GridArch, weights: Symbols | Mapping[str, NDArray[np.floating[Any]]], latents: Latents
) -> tuple[float, ...]:
    """Bits of every grid under the very laws of the file; a grid of zeros is left out and takes none.

    Args:
        arch: the architecture.
        weights: the context model's tensors, as symbols or as the floats they stand for.
        latents: all grids.
    """
    model = ContextModel(arch, weights.exact() if isinstance(weights, Symbols) else weights)
    return tuple(grid_cost(model, latents[:plane], grid) for plane, grid in enumerate(latents))


def grid_cost(model: ContextModel, before: Latents, latents: NDArray[np.integer[Any]]) -> float:
    """Bits of one grid; see :func:`latent_cost`."""
    if not latents.any():
        return 0.0
    (symbols, centred, scale), total = grid_laws(model, before, latents), 0.0
    for start in range(0, len(symbols), PIECE):
        piece = slice(start, start + PIECE)
        rows, indices, _, _ = codes(symbols[piece], centred[piece], scale[piece])
        total += float(costs()[rows, indices].sum())
    return total
