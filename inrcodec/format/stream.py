"""A whole file as one frozen value: the picture's header, its network, and the weights in either form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inrcodec.coding.symbols import Symbols, Tensors, halves_decode, halves_encode
from inrcodec.errors import BitstreamError
from inrcodec.format.container import Container, Header, Tag, header_size, read, write
from inrcodec.format.sections import LAW_BYTES, read_laws, read_siren, write_laws, write_siren
from inrcodec.limits import Limits
from inrcodec.net.arch import Arch


@dataclass(frozen=True)
class Stream:
    """What a file says.

    Attributes:
        header: size and kind of the picture.
        arch: the network.
        weights: quantised symbols, or half floats by tensor name (COIN's accounting).
    """

    header: Header
    arch: Arch
    weights: Symbols | Tensors

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Float weights by name, as every decoder computes them."""
        return self.weights.dequantize() if isinstance(self.weights, Symbols) else dict(self.weights)


def pack(stream: Stream) -> bytes:
    """Symbols or halves to the bytes of a file."""
    sections = {Tag.SIREN: write_siren(stream.arch)}
    if isinstance(stream.weights, Symbols):
        sections[Tag.LAWS] = write_laws(stream.weights.laws)
        sections[Tag.SYMBOLS] = stream.weights.encode()
    else:
        sections[Tag.HALVES] = halves_encode(stream.arch, stream.weights)
    return write(stream.header, sections)


def overhead(header: Header, arch: Arch, payload: int, *, halves: bool = False) -> int:
    """Bytes of a file besides its weights, for a payload of about ``payload`` bytes."""
    lengths = {Tag.SIREN: len(write_siren(arch))}
    if halves:
        lengths[Tag.HALVES] = payload
        return header_size(header, lengths) + lengths[Tag.SIREN]
    lengths |= {Tag.LAWS: LAW_BYTES * len(arch.tensors()), Tag.SYMBOLS: payload}
    return header_size(header, lengths) + lengths[Tag.SIREN] + lengths[Tag.LAWS]


def unpack(data: bytes, limits: Limits | None = None) -> Stream:
    """Bytes of a file to what they say, entropy-decoded.

    Raises:
        BitstreamError: for anything wrong with the bytes (see :func:`inrcodec.format.container.read`).
    """
    limits = limits or Limits()
    container = read(data, limits)
    arch = describe(container, limits)
    sections = container.sections
    if Tag.HALVES in sections:
        return Stream(container.header, arch, halves_decode(sections[Tag.HALVES], arch))
    laws = read_laws(sections[Tag.LAWS], len(arch.tensors()))
    return Stream(container.header, arch, Symbols.decode(sections[Tag.SYMBOLS], arch, laws))


def describe(container: Container, limits: Limits) -> Arch:
    """The network of a parsed container, checked against the limits before any weight is touched.

    Raises:
        BitstreamError: sections are missing, contradict each other, or ask for too much.
    """
    present = set(container.sections)
    if present not in ({Tag.SIREN, Tag.LAWS, Tag.SYMBOLS}, {Tag.SIREN, Tag.HALVES}):
        names = ", ".join(sorted(tag.name for tag in present)) or "none"
        raise BitstreamError(f"sections do not make a picture: {names}")
    arch = read_siren(container.sections[Tag.SIREN], container.header.channels)
    limits.check_params(arch.params)
    return arch
