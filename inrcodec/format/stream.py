"""A whole file as one frozen value: the picture's header, its network, the weights in either form, the latents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from inrcodec.coding import bytewise
from inrcodec.coding.law import Law
from inrcodec.coding.neighbourhood import wave_count, wave_of
from inrcodec.coding.rangecoder import Reader, Writer
from inrcodec.coding.symbols import Symbols, Tensors, halves_decode, halves_encode
from inrcodec.coding.wavefront import read_latents, write_latents
from inrcodec.errors import BitstreamError
from inrcodec.format.alpha import read_alpha
from inrcodec.format.container import Container, Header, Tag, header_size, read, write
from inrcodec.format.extras import Extras
from inrcodec.format.metadata import metadata_sizes
from inrcodec.format.sections import (
    LAW_BYTES,
    GridHead,
    LayersHead,
    read_grid,
    read_laws,
    read_layers,
    read_siren,
    write_grid,
    write_laws,
    write_layers,
    write_siren,
)
from inrcodec.limits import Limits
from inrcodec.net.arch import Arch
from inrcodec.net.context import MAX_LATENT, ContextModel
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch, total
from inrcodec.net.work import WEIGHT, adding_work, latents_work

_SIRENS = ({Tag.SIREN, Tag.LAWS, Tag.SYMBOLS}, {Tag.SIREN, Tag.HALVES}, {Tag.SIREN, Tag.LAWS, Tag.BROTLI})
"""Sections that a network alone comes in."""

_GRIDS = ({Tag.LAWS, Tag.SYMBOLS, Tag.GRID}, {Tag.LAWS, Tag.SYMBOLS, Tag.GRID, Tag.LAYERS})
"""Sections that a network with latents comes in."""

Latents = tuple[NDArray[np.int32], ...]


@dataclass(frozen=True)
class Stream:
    """What a file says.

    Attributes:
        header: size and kind of the picture.
        arch: the network.
        weights: quantised symbols, or half floats by tensor name (COIN's accounting; a SIREN only).
        latents: of a :class:`GridArch`, one array ``(rows, columns)`` a grid, coarsest first, magnitudes at most 4095.
            Refinements follow, layer by layer.
        coder: of symbols: ``arithmetic``, or ``brotli`` for comparison (a SIREN only).
        end: of a :class:`LayeredArch` that was cut: the first wave that is missing of the last grid in the stream.
        extras: opacity and metadata, as the file has them.
    """

    header: Header
    arch: Arch | GridArch
    weights: Symbols | Tensors
    latents: Latents | None = None
    coder: str = "arithmetic"
    end: int | None = None
    extras: Extras = field(default_factory=Extras)

    @cached_property
    def data(self) -> bytes:
        """The bytes of the file. They are packed once, so latents must not change any more; see :func:`pack`."""
        return pack(self)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Float weights by name, as every decoder computes them."""
        return self.weights.dequantize() if isinstance(self.weights, Symbols) else dict(self.weights)


def pack(stream: Stream) -> bytes:
    """Symbols or halves to the bytes of a file.

    Raises:
        TypeError: half floats for a network with latents.
        ValueError: latents that do not fit the picture or the cut, or are out of their bounds.
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
    return write(stream.header, sections | stream.extras.sections)


def _pack_grid(stream: Stream, arch: GridArch) -> bytes:
    weights, latents = stream.weights, stream.latents or ()
    if not isinstance(weights, Symbols):
        raise TypeError("the weights of a grid network are symbols, not half floats")
    if tuple(plane.shape for plane in latents) != arch.plane_shapes(stream.header.width, stream.header.height):
        raise ValueError(f"latents of shapes {[plane.shape for plane in latents]} are not this picture's grids")
    if any(_too_large(arch, latents, plane) for plane in range(arch.planes)):
        raise ValueError(f"a latent is over {MAX_LATENT}")
    coded = tuple(bool(plane.any()) for plane in latents)
    last = max((plane for plane, flag in enumerate(coded) if flag), default=0)
    if stream.end is not None and _beyond(latents[last], stream.end):
        raise ValueError(f"there are latents beyond wave {stream.end}, where the stream is to end")
    writer, model = Writer(), ContextModel(arch, weights.exact())
    weights.write(writer)
    for plane, flag in enumerate(coded):
        if flag:
            write_latents(writer, model, latents[:plane], latents[plane], stream.end if plane == last else None)
    sections = {Tag.LAWS: write_laws(weights.laws), Tag.SYMBOLS: writer.finish()}
    sections |= _describe_grid(GridHead(arch, coded, weights.prior), stream.end)
    return write(stream.header, sections | stream.extras.sections)


def _describe_grid(head: GridHead, end: int | None = None) -> dict[Tag, bytes]:
    """The sections that say what the latents and their networks are; flags are those of all layers."""
    arch, coded = head.arch, head.coded
    if not isinstance(arch, LayeredArch):
        return {Tag.GRID: write_grid(head)}
    layers = LayersHead(arch.refinements, arch.ratio, arch.scale, coded[arch.grids :], end)
    base = GridHead(arch.base, coded[: arch.grids], head.prior)
    return {Tag.GRID: write_grid(base), Tag.LAYERS: write_layers(layers)}


def _too_large(arch: GridArch, latents: Sequence[NDArray[np.int32]], plane: int) -> bool:
    """Whether a grid, alone or on top of those below it, is out of bounds."""
    sums = total(arch, latents, plane) if isinstance(arch, LayeredArch) else latents[plane]
    return max(int(np.abs(latents[plane]).max()), int(np.abs(sums).max())) > MAX_LATENT


def _beyond(plane: NDArray[np.int32], end: int) -> bool:
    """Whether a grid has latents in or behind a wave."""
    return bool(plane[wave_of(plane.shape) >= end].any())


def overhead(header: Header, arch: Arch | GridArch, payload: int, *, halves: bool = False) -> int:
    """Bytes of a file besides its weights and latents, for a payload of about ``payload`` bytes."""
    if isinstance(arch, GridArch):
        sections = _describe_grid(GridHead(arch, (False,) * arch.planes))
        described = {tag: len(body) for tag, body in sections.items()}
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
    limits = (limits or Limits()).of_file(len(data))
    return extract(read(data, limits), limits)


def extract(container: Container, limits: Limits) -> Stream:
    """What a parsed container says.

    Args:
        container: the file.
        limits: what the decoder agrees to.

    Raises:
        BitstreamError: as :func:`unpack`.
    """
    arch = describe(container, limits)
    limits.check_work(coding_work(container))
    stream = _extract_grid(container, limits) if isinstance(arch, GridArch) else _extract_siren(container, arch)
    return replace(stream, extras=Extras(container.sections.get(Tag.ALPHA), container.sections.get(Tag.METADATA)))


def _extract_siren(container: Container, arch: Arch) -> Stream:
    header, sections = container.header, container.sections
    if Tag.HALVES in sections:
        with _inside(container, Tag.HALVES):
            return Stream(header, arch, halves_decode(sections[Tag.HALVES], arch))
    laws = _laws(container, arch)
    if Tag.BROTLI in sections:
        with _inside(container, Tag.BROTLI):
            return Stream(header, arch, bytewise.expand(sections[Tag.BROTLI], arch, laws), coder="brotli")
    with _inside(container, Tag.SYMBOLS):
        return Stream(header, arch, Symbols.decode(sections[Tag.SYMBOLS], arch, laws))


def _extract_grid(container: Container, limits: Limits) -> Stream:
    header = container.header
    head, end = _grid_head(container)
    arch = head.arch
    shapes = arch.plane_shapes(header.width, header.height)
    limits.check_latents(sum(rows * columns for flag, (rows, columns) in zip(head.coded, shapes, strict=True) if flag))
    last = max((plane for plane, flag in enumerate(head.coded) if flag), default=0)
    if end is not None and not (head.coded[last] and end < wave_count(shapes[last])):
        with _inside(container, Tag.LAYERS):
            raise BitstreamError(f"no grid ends before wave {end}")
    laws = _laws(container, arch)
    with _inside(container, Tag.SYMBOLS):
        reader = Reader(container.sections[Tag.SYMBOLS], strict=True)
        weights = Symbols.read(reader, arch, laws, head.prior)
        model = ContextModel(arch, weights.exact())
        latents: list[NDArray[np.int32]] = []
        for plane, (flag, shape) in enumerate(zip(head.coded, shapes, strict=True)):
            here = end if plane == last else None
            latents.append(read_latents(reader, model, latents, shape, here) if flag else _zeros(shape))
            if flag and not latents[-1].any():
                raise BitstreamError(f"a grid of zeros is coded: grid {plane} of the stream")
            said = any(head.coded[plane % arch.grids : plane + 1 : arch.grids])  # a missing grid is as those below
            if said and _too_large(arch, latents, plane):
                raise BitstreamError(f"a latent is over {MAX_LATENT}, in grid {plane} of the stream")
        reader.finish()
    return Stream(header, arch, weights, tuple(latents), end=end)


def coding_work(container: Container) -> int:
    """Work of decoding what a container says; see :mod:`inrcodec.net.work` and :func:`extract`.

    The container is one that :func:`describe` has found to be a picture.
    """
    if Tag.GRID not in container.sections:
        return WEIGHT * _siren(container).params
    head, _ = _grid_head(container)
    shapes = head.arch.plane_shapes(container.header.width, container.header.height)
    return WEIGHT * head.arch.params + latents_work(head.arch, shapes, head.coded) + adding_work(head.arch, shapes)


def live_grids(container: Container) -> tuple[bool, ...]:
    """For every octave of a file with latents, coarsest first, whether any latent of it is in the stream."""
    head, _ = _grid_head(container)
    return tuple(any(head.coded[grid :: head.arch.grids]) for grid in range(head.arch.grids))


def _grid_head(container: Container) -> tuple[GridHead, int | None]:
    """What GRID and LAYERS say together, and the first wave that is missing of the last grid, if one is."""
    with _inside(container, Tag.GRID):
        head = read_grid(container.sections[Tag.GRID], container.header.channels, container.offsets.get(Tag.GRID, 0))
    if Tag.LAYERS not in container.sections:
        return head, None
    with _inside(container, Tag.LAYERS):
        layers = read_layers(container.sections[Tag.LAYERS], head.arch, container.offsets.get(Tag.LAYERS, 0))
        arch = LayeredArch.over(head.arch, layers.refinements, layers.ratio, layers.scale)
    return GridHead(arch, head.coded + layers.coded, head.prior), layers.end


def _siren(container: Container) -> Arch:
    """The network alone that a container describes."""
    body, offset = container.sections[Tag.SIREN], container.offsets.get(Tag.SIREN, 0)
    with _inside(container, Tag.SIREN):
        return read_siren(body, container.header.channels, offset)


def _laws(container: Container, arch: Arch | GridArch) -> tuple[Law, ...]:
    """The entropy laws of all tensors."""
    with _inside(container, Tag.LAWS):
        return read_laws(container.sections[Tag.LAWS], len(arch.tensors()))


@contextmanager
def _inside(container: Container, tag: Tag) -> Iterator[None]:
    """Says of every error of the bitstream which section it is in, and where that lies."""
    try:
        yield
    except BitstreamError as error:
        start, size = container.offsets.get(tag, 0), len(container.sections[tag])
        where = f"bytes {start} to {start + size - 1}" if size else f"empty, at byte {start}"
        raise type(error)(f"{error} (section {tag.name}, {where})") from error


def _zeros(shape: tuple[int, int]) -> NDArray[np.int32]:
    """Zeros that take no memory."""
    return np.broadcast_to(np.int32(0), shape)


def describe(container: Container, limits: Limits) -> Arch | GridArch:
    """The network of a parsed container, checked against the limits before any weight is touched.

    Raises:
        BitstreamError: sections are missing, contradict each other, or ask for too much.
    """
    arch = _network(container)
    limits.check_params(arch.params + _check_extras(container, limits))
    return arch


def _check_extras(container: Container, limits: Limits) -> int:
    """Look at opacity and metadata, unexpanded; returns the weights of a nested network."""
    header, sections = container.header, container.sections
    if header.alpha != (Tag.ALPHA in sections):
        raise BitstreamError("the feature bit of alpha and its section contradict each other")
    if Tag.METADATA in sections:
        with _inside(container, Tag.METADATA):
            metadata_sizes(sections[Tag.METADATA], limits)
    inner = nested(container, limits)
    return 0 if inner is None else describe(inner, limits).params


def nested(container: Container, limits: Limits) -> Container | None:
    """The file inside the ALPHA section, if there is one.

    Raises:
        BitstreamError: the section is malformed.
    """
    if Tag.ALPHA not in container.sections:
        return None
    with _inside(container, Tag.ALPHA):
        return read_alpha(container.sections[Tag.ALPHA], container.header, limits).nested


def _network(container: Container) -> Arch | GridArch:
    """The network of the colours."""
    present = set(container.sections) - {Tag.ALPHA, Tag.METADATA}
    arch: Arch | GridArch
    if present in _GRIDS:
        arch = _grid_head(container)[0].arch
    elif present in _SIRENS:
        arch = _siren(container)
    else:
        names = ", ".join(sorted(tag.name for tag in present)) or "none"
        raise BitstreamError(f"sections do not make a picture: {names}")
    return arch
