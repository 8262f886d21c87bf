"""Symbols as bytes under brotli (RFC 7932): what a general compressor makes of them, for comparison.

Struempler et al. 2022 (section 3.3) offer it beside their arithmetic coder.
"""

from __future__ import annotations

import brotli
import numpy as np

from inrcodec.coding.law import Law
from inrcodec.coding.symbols import Symbols
from inrcodec.errors import BitstreamError
from inrcodec.net.arch import Network

_ONE_BYTE = 127
"""Largest magnitude of tensors whose symbols take a byte; those of others take two."""

_PIECE = 1 << 20
"""Bytes expanded at a time: brotli may give about twice what it is asked for."""


def sizes(arch: Network, laws: tuple[Law, ...]) -> tuple[int, ...]:
    """Bytes of each tensor before compression."""
    return tuple(
        spec.size * (0 if law.largest == 0 else 1 if law.largest <= _ONE_BYTE else 2)
        for spec, law in zip(arch.tensors(), laws, strict=True)
    )


def compress(symbols: Symbols) -> bytes:
    """All symbols as signed bytes, or pairs of bytes, high one first, tensor after tensor, compressed."""
    parts = [
        value.astype(">i1" if law.largest <= _ONE_BYTE else ">i2").tobytes() if law.largest else b""
        for law, value in zip(symbols.laws, symbols.values, strict=True)
    ]
    return compress_bytes(b"".join(parts))


def expand(payload: bytes, arch: Network, laws: tuple[Law, ...]) -> Symbols:
    """The inverse of :func:`compress`. Never expands much further than the symbols go.

    Raises:
        BitstreamError: the payload is not of that form.
    """
    lengths = sizes(arch, laws)
    raw = expand_bytes(payload, sum(lengths), "the weights")
    values, at = [], 0
    for law, spec, length in zip(laws, arch.tensors(), lengths, strict=True):
        kind = ">i1" if length == spec.size else ">i2"
        part = np.frombuffer(raw[at : at + length], kind) if length else np.zeros(spec.size)
        if length and int(np.abs(part.astype(np.int32)).max()) > law.largest:
            raise BitstreamError(f"a symbol of {spec.name} is over its law's {law.largest}")
        values.append(part.astype(np.int32).reshape(spec.shape))
        at += length
    return Symbols(arch, laws, tuple(values))


def compress_bytes(raw: bytes, quality: int = 11) -> bytes:
    """Any bytes, compressed."""
    packed: bytes = brotli.compress(raw, quality=quality)
    return packed


def expand_bytes(payload: bytes, length: int, what: str) -> bytes:
    """The inverse of :func:`compress_bytes`. Stops, and refuses, where there is more than there should be.

    Args:
        payload: one brotli stream.
        length: bytes that it has to hold.
        what: is in it, for the message.

    Raises:
        BitstreamError: it is damaged, does not hold so many, or more follows it.
    """
    decompressor, raw, more = brotli.Decompressor(), bytearray(), payload
    try:
        while True:
            piece = decompressor.process(more, output_buffer_limit=min(_PIECE, length + 1 - len(raw)))
            raw += piece
            more = b""
            if not piece or len(raw) > length or decompressor.is_finished():
                break
    except brotli.error:
        raise BitstreamError(f"the brotli stream of {what} is damaged") from None
    if len(raw) != length or not decompressor.is_finished():
        raise BitstreamError(f"the brotli stream does not hold the {length} bytes of {what}")
    return bytes(raw)
