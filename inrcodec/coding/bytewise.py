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
    packed: bytes = brotli.compress(b"".join(parts), quality=11)
    return packed


def expand(payload: bytes, arch: Network, laws: tuple[Law, ...]) -> Symbols:
    """The inverse of :func:`compress`. Never expands much further than the symbols go.

    Raises:
        BitstreamError: the payload is not of that form.
    """
    lengths = sizes(arch, laws)
    raw = _expand(payload, sum(lengths))
    values, at = [], 0
    for law, spec, length in zip(laws, arch.tensors(), lengths, strict=True):
        kind = ">i1" if length == spec.size else ">i2"
        part = np.frombuffer(raw[at : at + length], kind) if length else np.zeros(spec.size)
        if length and int(np.abs(part.astype(np.int32)).max()) > law.largest:
            raise BitstreamError(f"a symbol of {spec.name} is over its law's {law.largest}")
        values.append(part.astype(np.int32).reshape(spec.shape))
        at += length
    return Symbols(arch, laws, tuple(values))


def _expand(payload: bytes, length: int) -> bytes:
    decompressor = brotli.Decompressor()
    try:
        raw = bytes(decompressor.process(payload, output_buffer_limit=length + 1))
        while len(raw) <= length and not decompressor.is_finished():
            more = decompressor.process(b"", output_buffer_limit=length + 1 - len(raw))
            if not more:
                break
            raw += more
    except brotli.error:
        raise BitstreamError("the brotli stream is damaged") from None
    if len(raw) != length or not decompressor.is_finished():
        raise BitstreamError(f"the brotli stream does not hold the {length} bytes of the weights")
    return raw
