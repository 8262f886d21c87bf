"""A whole file as one frozen value: the picture's header, its network, the weights in either form, the latents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inrcodec.coding import bytewise
from inrcodec.coding.rangecoder import Reader, Writer
from inrcodec.coding.symbols import Symbols, Tensors, halves_decode, halves_encode
from inrcodec.coding.wavefront import read_latents, write_latents
from inrcodec.errors import BitstreamError
from inrcodec.format.container import Container, Header, Tag, header_size, read, write
from inrcodec.format.sections import (
    LAW_BYTES,
    GridHead,
    read_grid,
    read_laws,
    read_siren,
    write_grid,
    write_laws,
    write_siren,
)
from inrcodec.limits import Limits
from inrcodec.net.arch import Arch
from inrcodec.net.context import MAX_LATENT, ContextModel
from inrcodec.net.grid import GridArch

_SIRENS = ({Tag.SIREN, Tag.LAWS, Tag.SYMBOLS}, {Tag.SIREN, Tag.HALVES}, {Tag.SIREN, Tag.LAWS, Tag.BROTLI})
"""Sections that a network alone comes in."""

Latents = tuple[NDArray[np.int32], ...]


@dataclass(frozen=True)
class Stream:
    """What a file says.

    Attributes:
        header: size and kind of the picture.
        arch: the network.
        weights: quantised symbols, or half floats by tensor name (COIN's accounting; a SIREN only).
        latents: of a :class:`GridArch`, one array ``(rows, columns)`` a grid, coarsest first, magnitudes at most 4095;
            those of the finest grids may be missing if they were not asked for.
        coder: of symbols: ``arithmetic``, or ``brotli`` for comparison (a SIREN only).
    """

    header: Header
    arch: Arch | GridArch
    weights: Symbols | Tensors
    latents: Latents | None = None
    coder: str = "arithmetic"

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Float weights by name, as every decoder computes them."""
        return self.weights.dequantize() if isinstance(self.weights, Symbols) else dict(self.weights)


def pack(stream: Stream) -> bytes:
    """Symbols or halves to the bytes of a file.

    Raises:
        TypeError: half floats for a network with latents.
        ValueError: latents that do not fit the picture, or are out of their bounds.
    """
    if isinstance(stream.arch, GridArch):
        return _pack_grid(stream, stream.arch)
    sections = {Tag.SIREN: write_siren(stream.arch)}
    if isinstance(stream.weights, Symbols):
        sections[Tag.LAWS] = write_laws(stream.weights.laws)
        if stream.coder == "brotli":
            sections[Tag.BROTLI] = bytewise.compress(stream.weights)
        else:
            sections[Tag.SYMBOLS] = stream.weights.encode()
    else:
        sections[Tag.HALVES] = halves_encode(stream.arch, stream.weights)
    return write(stream.header, sections)


def _pack_grid(stream: Stream, arch: GridArch) -> bytes:
    weights, latents = stream.weights, stream.latents or ()
    if not isinstance(weights, Symbols):
        raise TypeError("the weights of a grid network are symbols, not half floats")
    if tuple(plane.shape for plane in latents) != arch.shapes(stream.header.width, stream.header.height):
        raise ValueError(f"latents of shapes {[plane.shape for plane in latents]} are not this picture's grids")
    if any(int(np.abs(plane).max()) > MAX_LATENT for plane in latents):
        raise ValueError(f"a latent is over {MAX_LATENT}")
    head = GridHead(arch, tuple(bool(plane.any()) for plane in latents), weights.prior)
    writer, model = Writer(), ContextModel(arch, weights.exact())
    weights.write(writer)
    for grid, plane in enumerate(latents):
        if head.coded[grid]:
            write_latents(writer, model, latents[:grid], plane)
    sections = {Tag.LAWS: write_laws(weights.laws), Tag.SYMBOLS: writer.finish(), Tag.GRID: write_grid(head)}
    return write(stream.header, sections)


def overhead(header: Header, arch: Arch | GridArch, payload: int, *, halves: bool = False) -> int:
    """Bytes of a file besides its weights and latents, for a payload of about ``payload`` bytes."""
    if isinstance(arch, GridArch):
        described = {Tag.GRID: len(write_grid(GridHead(arch, (False,) * arch.grids)))}
    else:
        described = {Tag.SIREN: len(write_siren(arch))}
    described |= {} if halves else {Tag.LAWS: LAW_BYTES * len(arch.tensors())}
    lengths = described | {Tag.HALVES if halves else Tag.SYMBOLS: payload}
    return header_size(header, lengths) + sum(described.values())


def unpack(data: bytes, limits: Limits | None = None) -> Stream:
    """Bytes of a file to what they say, entropy-decoded.

    Raises:
        BitstreamError: for anything wrong with the bytes (see :func:`inrcodec.format.container.read`).
    """
    limits = limits or Limits()
    return extract(read(data, limits), limits)


def extract(container: Container, limits: Limits, octave: int = 0) -> Stream:
    """What a parsed container says.

    Args:
        container: the file.
        limits: what the decoder agrees to.
        octave: grids finer than this one are not decoded.

    Raises:
        BitstreamError: as :func:`unpack`.
    """
    arch = describe(container, limits)
    sections = container.sections
    if isinstance(arch, GridArch):
        return _extract_grid(container, limits, octave)
    if Tag.HALVES in sections:
        return Stream(container.header, arch, halves_decode(sections[Tag.HALVES], arch))
    laws = read_laws(sections[Tag.LAWS], len(arch.tensors()))
    if Tag.BROTLI in sections:
        return Stream(container.header, arch, bytewise.expand(sections[Tag.BROTLI], arch, laws), coder="brotli")
    return Stream(container.header, arch, Symbols.decode(sections[Tag.SYMBOLS], arch, laws))


def _extract_grid(container: Container, limits: Limits, octave: int) -> Stream:
    header, sections = container.header, container.sections
    head = read_grid(sections[Tag.GRID], header.channels)
    arch = head.arch
    wanted = arch.coarsest - max(octave, arch.finest) + 1 if octave <= arch.coarsest else 1
    shapes = arch.shapes(header.width, header.height)[:wanted]
    coded = sum(rows * columns for flag, (rows, columns) in zip(head.coded, shapes, strict=False) if flag)
    limits.check_latents(coded)
    limits.check_work(coded, arch.params)
    laws = read_laws(sections[Tag.LAWS], len(arch.tensors()))
    reader = Reader(sections[Tag.SYMBOLS], strict=wanted == arch.grids)
    weights = Symbols.read(reader, arch, laws, head.prior)
    model = ContextModel(arch, weights.exact())
    latents: list[NDArray[np.int32]] = []
    for flag, shape in zip(head.coded, shapes, strict=False):
        latents.append(read_latents(reader, model, latents, shape) if flag else _zeros(shape))
        if flag and not latents[-1].any():
            raise BitstreamError("a grid of zeros is coded")
    if wanted == arch.grids:
        reader.finish()
    return Stream(header, arch, weights, tuple(latents))


def _zeros(shape: tuple[int, int]) -> NDArray[np.int32]:
    """Zeros that take no memory."""
    return np.broadcast_to(np.int32(0), shape)


def describe(container: Container, limits: Limits) -> Arch | GridArch:
    """The network of a parsed container, checked against the limits before any weight is touched.

    Raises:
        BitstreamError: sections are missing, contradict each other, or ask for too much.
    """
    present, channels = set(container.sections), container.header.channels
    arch: Arch | GridArch
    if present == {Tag.LAWS, Tag.SYMBOLS, Tag.GRID}:
        arch = read_grid(container.sections[Tag.GRID], channels).arch
    elif present in _SIRENS:
        arch = read_siren(container.sections[Tag.SIREN], channels)
    else:
        names = ", ".join(sorted(tag.name for tag in present)) or "none"
        raise BitstreamError(f"sections do not make a picture: {names}")
    limits.check_params(arch.params)
    return arch
