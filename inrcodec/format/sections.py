"""Section bodies: the network's description and the entropy laws of its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from inrcodec.coding.law import Law
from inrcodec.errors import BitstreamError, UnsupportedVersion
from inrcodec.format.varint import Reader, varint
from inrcodec.limits import MAX_DEPTH, MAX_WIDTH
from inrcodec.net.activations import ACTIVATE
from inrcodec.net.arch import Arch
from inrcodec.net.encoding import ENCODINGS, PLAIN, Encoding
from inrcodec.net.grid import ACTIVATIONS, GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.net.prior import NO_PRIOR, check_prior

_ACTIVATIONS = tuple(ACTIVATE)
LAW_BYTES = 5


def write_siren(arch: Arch) -> bytes:
    """Describe a SIREN: activation, input encoding, the two w0, then its hidden widths as runs."""
    runs = [(len(list(run)), width) for width, run in groupby(arch.hidden)]
    encoding = arch.encoding
    body = bytes([_ACTIVATIONS.index(arch.activation), ENCODINGS.index(encoding.kind)])
    if encoding.kind != "none":
        body += bytes([encoding.frequencies]) + varint(encoding.hundredths) + varint(encoding.seed)
    body += bytes([arch.w0_first, arch.w0, len(runs)])
    return body + b"".join(bytes([count]) + varint(width) for count, width in runs)


def read_siren(body: bytes, outputs: int, offset: int = 0) -> Arch:
    """The inverse of :func:`write_siren`.

    Args:
        body: the section.
        outputs: channels of the picture, from the header.
        offset: where in the file the section lies, for messages.

    Raises:
        BitstreamError: the section is malformed or the network over the format's bounds.
    """
    reader = Reader(body, name="network description", origin=offset)
    activation, encoding = reader.byte("activation"), reader.byte("input encoding")
    if activation >= len(_ACTIVATIONS) or encoding >= len(ENCODINGS):
        raise UnsupportedVersion(f"unknown activation {activation} or input encoding {encoding} (byte {reader.last})")
    inputs = PLAIN
    if encoding:
        numbers = reader.byte("frequencies"), reader.varint("scale"), reader.varint("seed")
        inputs = Encoding(ENCODINGS[encoding], *numbers)
    w0_first, w0 = reader.byte("w0 of the first layer"), reader.byte("w0")
    hidden: list[int] = []
    for _ in range(reader.byte("number of runs")):
        count, width = reader.byte("run length"), reader.varint("width")
        if count == 0 or len(hidden) + count > MAX_DEPTH or not 1 <= width <= MAX_WIDTH:
            raise BitstreamError(f"a run of {count} layers of {width} neurons is out of bounds (byte {reader.last})")
        if hidden and hidden[-1] == width:
            raise BitstreamError(f"neighbouring runs of equal width (byte {reader.last})")
        hidden += [width] * count
    reader.done()
    return Arch(tuple(hidden), outputs, w0_first, w0, _ACTIVATIONS[activation], inputs)


@dataclass(frozen=True)
class GridHead:
    """What the GRID section says.

    Attributes:
        arch: the network.
        coded: for every grid, coarsest first, whether its latents are in the stream; those of the others are zero.
        prior: what the weights are added to.
    """

    arch: GridArch
    coded: tuple[bool, ...]
    prior: int = NO_PRIOR


_FILTERED = 4
"""Bit that stands for filters of the grids' own, beside the number of 3x3 layers."""


def write_grid(head: GridHead) -> bytes:
    """Describe a modulated SIREN in 7 bytes, one more for each hidden layer, and one for every eight grids."""
    arch = head.arch
    body = [
        head.prior,
        arch.finest << 4 | arch.coarsest,
        arch.neighbours << 4 | arch.parents,
        ACTIVATIONS.index(arch.activation) << 4 | _FILTERED * arch.filtered | arch.residuals,
        arch.w0,
        len(arch.context) << 4 | len(arch.hidden),
        *arch.context,
        *arch.hidden,
    ]
    return bytes(body) + _write_flags(head.coded)


def read_grid(body: bytes, outputs: int, offset: int = 0) -> GridHead:
    """The inverse of :func:`write_grid`.

    Args:
        body: the section.
        outputs: channels of the picture, from the header.
        offset: where in the file the section lies, for messages.

    Raises:
        BitstreamError: the section is malformed or the network over the format's bounds.
    """
    reader = Reader(body, name="network description", origin=offset)

    def nibbles(what: str) -> tuple[int, int]:
        return divmod(reader.byte(what), 16)

    prior = reader.byte("prior")
    check_prior(prior)
    finest, coarsest = nibbles("octaves")
    neighbours, parents = nibbles("context")
    activation, layers = nibbles("activation")
    if activation >= len(ACTIVATIONS):
        raise UnsupportedVersion(f"unknown activation {activation} (byte {reader.last})")
    w0 = reader.byte("w0")
    depths = nibbles("number of layers")
    context, hidden = (tuple(reader.take(depth, "widths")) for depth in depths)
    kind = ACTIVATIONS[activation]
    residuals, filtered = layers & ~_FILTERED, bool(layers & _FILTERED)
    arch = GridArch(finest, coarsest, neighbours, parents, context, hidden, kind, w0, residuals, outputs, filtered)
    coded = _read_flags(reader, arch.grids)
    reader.done()
    check_prior(prior, arch)
    return GridHead(arch, coded, prior)


def _write_flags(coded: Sequence[bool]) -> bytes:
    """One bit a grid, the first the lowest."""
    return sum(flag << k for k, flag in enumerate(coded)).to_bytes(-(-len(coded) // 8), "little")


def _read_flags(reader: Reader, count: int) -> tuple[bool, ...]:
    """The inverse of :func:`_write_flags`."""
    flags = int.from_bytes(reader.take(-(-count // 8), "flags of the grids"), "little")
    if flags >> count:
        raise BitstreamError(f"flags of {count} grids have others set (byte {reader.last})")
    return tuple(bool(flags >> k & 1) for k in range(count))


@dataclass(frozen=True)
class LayersHead:
    """What the LAYERS section says.

    Attributes:
        refinements: layers above the base.
        ratio: steps of a layer in one of the layer below.
        scale: layer whose latents are drawn as they are.
        coded: for every grid of the refinements, in coding order, whether its latents are in the stream.
        end: the first wave that is missing of the last grid in the stream; None if it is whole.
    """

    refinements: int
    ratio: int
    scale: int
    coded: tuple[bool, ...]
    end: int | None = None


def write_layers(head: LayersHead) -> bytes:
    """Describe layers in two bytes, one more for every eight grids, and a varint."""
    return bytes([head.refinements << 4 | head.ratio, head.scale]) + _write_flags(head.coded) + varint(head.end or 0)


def read_layers(body: bytes, base: GridArch, offset: int = 0) -> LayersHead:
    """The inverse of :func:`write_layers`.

    Args:
        body: the section.
        base: the network it belongs to.
        offset: where in the file the section lies, for messages.

    Raises:
        BitstreamError: the section is malformed.
    """
    reader = Reader(body, name="description of layers", origin=offset)
    refinements, ratio = divmod(reader.byte("layers"), 16)
    scale = reader.byte("scale")
    LayeredArch.over(base, refinements, ratio, scale)  # which knows its bounds
    coded = _read_flags(reader, refinements * base.grids)
    end = reader.varint("waves") or None
    reader.done()
    if not refinements and end is None and not scale:
        raise BitstreamError("there are no layers")
    return LayersHead(refinements, ratio, scale, coded, end)


def write_laws(laws: tuple[Law, ...]) -> bytes:
    """Five bytes a tensor: step, reach, zero, decay, bend."""
    return b"".join(bytes([law.step, law.reach, law.zero, law.decay, law.bend]) for law in laws)


def read_laws(body: bytes, tensors: int) -> tuple[Law, ...]:
    """The inverse of :func:`write_laws`.

    Raises:
        BitstreamError: wrong length, or an integer out of its range.
    """
    if len(body) != LAW_BYTES * tensors:
        raise BitstreamError(f"{tensors} tensors take {LAW_BYTES * tensors} bytes of laws, not {len(body)}")
    return tuple(_law(body[LAW_BYTES * tensor : LAW_BYTES * (tensor + 1)], tensor) for tensor in range(tensors))


def _law(integers: bytes, tensor: int) -> Law:
    try:
        return Law(*integers)
    except BitstreamError as error:
        raise BitstreamError(f"tensor {tensor}: {error}") from error
