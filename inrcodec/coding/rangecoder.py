"""The one file that imports constriction: a guarded range coder.

constriction 0.5 has sharp edges, all closed here: its Rust panics derive from ``BaseException``; a huge symbol
count aborts the process (callers bound it first); leaving out ``perfect=`` prints to stdout; a one-symbol alphabet
is refused; and almost any bytes decode "successfully", so the container's CRC must be checked before.

Words travel big-endian, and the stream is cut to the shortest that still decodes: the decoder pads it with zeros.
That saves about two bytes, and refusing a longer one leaves no room for bytes that mean nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from inrcodec.coding.law import Law, table
from inrcodec.errors import BitstreamError

_FATAL = (KeyboardInterrupt, SystemExit, MemoryError)

Shape = Sequence[tuple[Law, int]]
"""Law and number of symbols of each tensor."""


def _model(law: Law) -> Any:
    return constriction.stream.model.Categorical(table(law), perfect=False)


def _words(payload: bytes) -> NDArray[np.uint32]:
    padded = payload + bytes(-len(payload) % 4)
    return np.frombuffer(padded, dtype=">u4").astype(np.uint32)


def encode(tensors: Sequence[tuple[Law, NDArray[np.int32]]]) -> bytes:
    """Code tensors one after another into a single stream.

    Args:
        tensors: each tensor's law and its flat symbols, ``|symbol| <= law.largest``.

    Returns:
        The shortest byte string that :func:`decode` turns back into the same symbols.

    Raises:
        ValueError: a symbol lies outside its law's alphabet.
    """
    encoder = constriction.stream.queue.RangeEncoder()
    for law, symbols in tensors:
        if symbols.size and int(np.abs(symbols).max()) > law.largest:
            raise ValueError(f"a symbol is larger than {law.largest}, the largest of its law")
        if law.largest and symbols.size:
            encoder.encode((symbols + law.largest).astype(np.int32), _model(law))
    payload = encoder.get_compressed().astype(">u4").tobytes()
    return _trim(payload, [(law, symbols.size) for law, symbols in tensors], [symbols for _, symbols in tensors])


def _trim(payload: bytes, shape: Shape, symbols: Sequence[NDArray[np.int32]]) -> bytes:
    """The shortest stream of the same symbols.

    The symbols own an interval of the numbers that zero-padded streams spell. If it holds a number of ``cut`` bytes
    at all, it holds the payload's first ``cut`` bytes or their successor; and then one of every greater length too.
    """

    def shortened(cut: int) -> bytes | None:
        prefix = payload[:cut]
        successor = int.from_bytes(prefix, "big") + 1
        candidates = [prefix] if successor >> 8 * cut else [prefix, successor.to_bytes(cut, "big")]
        return next((c for c in candidates if _spells(c, shape, symbols)), None)

    cut = bisect_left(range(len(payload)), True, key=lambda c: shortened(c) is not None)
    return shortened(cut) or b""


def _spells(payload: bytes, shape: Shape, symbols: Sequence[NDArray[np.int32]]) -> bool:
    try:
        found = _decode(payload, shape)
    except BitstreamError:
        return False
    return all(np.array_equal(x, y) for x, y in zip(found, symbols, strict=True))


def _decode(payload: bytes, shape: Shape) -> list[NDArray[np.int32]]:
    try:
        decoder = constriction.stream.queue.RangeDecoder(_words(payload))
        return [
            np.asarray(decoder.decode(_model(law), count), dtype=np.int32) - law.largest
            if law.largest and count
            else np.zeros(count, dtype=np.int32)
            for law, count in shape
        ]
    except BaseException as error:
        if isinstance(error, _FATAL):
            raise
        raise BitstreamError("the entropy-coded weights cannot be decoded") from error


def decode(payload: bytes, shape: Shape) -> list[NDArray[np.int32]]:
    """Decode symbols, tensor after tensor.

    Args:
        payload: the stream.
        shape: law and number of symbols of each tensor; the caller has bounded the numbers.

    Returns:
        One flat ``int32`` array a tensor.

    Raises:
        BitstreamError: the coder rejects the stream, or it would say the same without its last byte.
    """
    symbols = _decode(payload, shape)
    if payload and _spells(payload[:-1], shape, symbols):
        raise BitstreamError("the entropy-coded weights go on too long")
    return symbols
