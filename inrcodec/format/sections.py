"""Section bodies: the network's description and the entropy laws of its tensors."""

from __future__ import annotations

from itertools import groupby

from inrcodec.coding.law import Law
from inrcodec.errors import BitstreamError, UnsupportedVersion
from inrcodec.format.varint import Reader, varint
from inrcodec.limits import MAX_DEPTH, MAX_WIDTH
from inrcodec.net.arch import Arch

SINE = 0
"""Activation code of sin(w0 x)."""
PLAIN = 0
"""Input-encoding code of bare coordinates."""
LAW_BYTES = 5


def write_siren(arch: Arch) -> bytes:
    """Describe a SIREN: activation, input encoding, the two w0, then its hidden widths as runs."""
    runs = [(len(list(run)), width) for width, run in groupby(arch.hidden)]
    body = bytes([SINE, PLAIN, arch.w0_first, arch.w0, len(runs)])
    return body + b"".join(bytes([count]) + varint(width) for count, width in runs)


def read_siren(body: bytes, outputs: int) -> Arch:
    """The inverse of :func:`write_siren`.

    Args:
        body: the section.
        outputs: channels of the picture, from the header.

    Raises:
        BitstreamError: the section is malformed or the network over the format's bounds.
    """
    reader = Reader(body, name="network description")
    activation, encoding = reader.byte("activation"), reader.byte("input encoding")
    if activation != SINE or encoding != PLAIN:
        raise UnsupportedVersion(f"unknown activation {activation} or input encoding {encoding}")
    w0_first, w0 = reader.byte("w0 of the first layer"), reader.byte("w0")
    hidden: list[int] = []
    for _ in range(reader.byte("number of runs")):
        count, width = reader.byte("run length"), reader.varint("width")
        if count == 0 or len(hidden) + count > MAX_DEPTH or not 1 <= width <= MAX_WIDTH:
            raise BitstreamError(f"a run of {count} layers of {width} neurons is out of bounds")
        if hidden and hidden[-1] == width:
            raise BitstreamError("neighbouring runs of equal width")
        hidden += [width] * count
    reader.done()
    return Arch(tuple(hidden), outputs, w0_first, w0)


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
    return tuple(Law(*body[i : i + LAW_BYTES]) for i in range(0, len(body), LAW_BYTES))
