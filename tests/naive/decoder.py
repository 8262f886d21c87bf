"""A second decoder, written from FORMAT.md alone: slow, plain, and without a line of inrcodec.

It says whether the page is enough to read our files, and whether our decoder does what the page says. What is for
speed or against hostile files is left out: it is for files that are known to be small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.naive import container, extras, latents, networks, picture, weights
from tests.naive.container import BROTLI, HALVES, SYMBOLS, File
from tests.naive.rangecoder import Law, RangeDecoder


@dataclass(frozen=True)
class Decoded:
    """What a file says, and the picture.

    Attributes:
        laws: of every tensor, if there are any.
        symbols: of every tensor, flat; None for halves.
        weights: of every tensor, flat.
        planes: latents of every grid of the stream, flat, if there are any.
        levels: of the picture, ``(height, width, channels)``, the opacity behind the colours if there is one.
        metadata: entries by kind.
    """

    laws: list[Law]
    symbols: list[list[int]] | None
    weights: list[list[float]]
    planes: list[list[int]] | None
    levels: NDArray[np.int64]
    metadata: Mapping[int, bytes] = field(default_factory=dict)


def decode(data: bytes) -> Decoded:
    """Decode a small, sound file."""
    file = container.read(data)
    colours = _decode_siren(file) if container.SIREN in file.sections else _decode_grids(file)
    levels = colours.levels
    if file.alpha:
        levels = np.concatenate([levels, _opacity(file)[:, :, None]], axis=2)
    return replace(colours, levels=levels, metadata=extras.metadata(file))


def _opacity(file: File) -> NDArray[np.int64]:
    inner = extras.nested(file)
    return extras.plane(file) if inner is None else decode(inner).levels[:, :, 0]


def _decode_siren(file: File) -> Decoded:
    net = networks.read_siren(file)
    symbols: weights.Symbols | None = None
    laws: list[Law] = []
    if HALVES in file.sections:
        tensors = weights.halves(file, net.shapes)
    else:
        laws = weights.read_laws(file, net.shapes)
        if BROTLI in file.sections:
            symbols = weights.under_brotli(file, net.shapes, laws)
        else:
            symbols = weights.ranged(RangeDecoder(file.sections[SYMBOLS]), net.shapes, laws)
        tensors = weights.steps(symbols, laws)
    levels = picture.levels(picture.draw_siren(file, net, tensors), file.depth)
    return Decoded(laws, None if symbols is None else _flat(symbols), _flat(tensors), None, levels)


def _decode_grids(file: File) -> Decoded:
    grids = networks.read_grids(file)
    laws = weights.read_laws(file, grids.shapes)
    decoder = RangeDecoder(file.sections[SYMBOLS])
    symbols = weights.ranged(decoder, grids.shapes, laws)
    tensors = weights.steps(symbols, laws)
    if grids.prior:
        tensors = weights.on_prior(tensors, grids, file.channels)
    planes, sums = latents.read_all(decoder, grids, tensors, file)
    unit = float(grids.ratio) ** (grids.scale - grids.layers)
    own = dict(tensors)
    for letter in "TXY":
        own |= {name[1:]: own[name[1:]] + part for name, part in tensors.items() if name[0] == letter}
    samples = picture.draw_grids(file, grids, [plane.astype(np.float64) * unit for plane in sums], own)
    flat = [plane.ravel().tolist() for plane in planes]
    return Decoded(laws, _flat(symbols), _flat(tensors), flat, picture.levels(samples, file.depth))


def _flat(tensors: Mapping[str, NDArray[Any]]) -> list[list[Any]]:
    return [part.ravel().tolist() for part in tensors.values()]
