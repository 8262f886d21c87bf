"""The one file that imports constriction: a guarded range coder.

constriction 0.5 has sharp edges, all closed here: its Rust panics derive from ``BaseException``; a huge symbol
count aborts the process (callers bound it first); leaving out ``perfect=`` prints to stdout; a one-symbol alphabet
is refused; and almost any bytes decode "successfully", so the container's CRC must be checked before.

Words travel big-endian, and the stream is cut to the shortest that still decodes: the decoder pads it with zeros.
That saves about two bytes, and refusing a longer one leaves no room for bytes that mean nothing.

Symbols are coded either many under one law (the weights) or each under a row of probabilities of its own (the latents).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from inrcodec.coding.law import Law, table
from inrcodec.errors import BitstreamError

_FATAL = (KeyboardInterrupt, SystemExit, MemoryError)
_REJECTED = "the entropy-coded symbols cannot be decoded"
_ROWS = constriction.stream.model.Categorical(perfect=False)

Shape = Sequence[tuple[Law, int]]
"""Law and number of symbols of each tensor."""


def _model(law: Law) -> Any:
    return constriction.stream.model.Categorical(table(law), perfect=False)


def _words(payload: bytes) -> NDArray[np.uint32]:
    padded = payload + bytes(-len(payload) % 4)
    return np.frombuffer(padded, dtype=">u4").astype(np.uint32)


class Writer:
    """Codes symbols into one stream."""

    def __init__(self) -> None:
        self._encoder = constriction.stream.queue.RangeEncoder()

    def under(self, law: Law, symbols: NDArray[np.int32]) -> None:
        """Code all symbols under one law.

        Args:
            law: the law.
            symbols: flat, ``|symbol| <= law.largest``.

        Raises:
            ValueError: a symbol lies outside the law's alphabet.
        """
        if symbols.size and int(np.abs(symbols).max()) > law.largest:
            raise ValueError(f"a symbol is larger than {law.largest}, the largest of its law")
        if law.largest and symbols.size:
            self._encoder.encode((symbols + law.largest).astype(np.int32), _model(law))

    def rows(self, indices: NDArray[np.int32], probabilities: NDArray[np.float64]) -> None:
        """Code each index under its own row of ``probabilities``, ``(n, alphabet)``; n at least 1."""
        self._encoder.encode(indices, _ROWS, probabilities)

    def finish(self) -> bytes:
        """The shortest byte string that decodes to the symbols.

        They own an interval of the numbers that zero-padded streams spell. If it holds a number of ``cut`` bytes at
        all, it holds the payload's first ``cut`` bytes or their successor; and then one of every greater length too.
        """
        payload: bytes = self._encoder.get_compressed().astype(">u4").tobytes()
        words: int
        words, (lower, span) = self._encoder.pos()
        width = 4 * words + 8  # the interval's bounds to the last bit: words sent, then 64 bits of state
        point = int.from_bytes(payload.ljust(width, b"\0"), "big")
        first = point - (point - lower) % (1 << 64)

        def shortened(cut: int) -> bytes | None:
            below = 8 * (width - cut)
            prefix = point >> below
            if prefix << below >= first:
                return prefix.to_bytes(cut, "big")
            fits = (prefix + 1) << below < first + span and not (prefix + 1) >> 8 * cut
            return (prefix + 1).to_bytes(cut, "big") if fits else None

        cut = bisect_left(range(len(payload)), True, key=lambda c: shortened(c) is not None)
        return shortened(cut) or b""


class Reader:
    """Decodes the symbols of a :class:`Writer`, in the same order.

    Args:
        payload: the stream.
        strict: whether :meth:`finish` will be asked if the stream is the shortest; that costs half as much again.
    """

    def __init__(self, payload: bytes, *, strict: bool = False) -> None:
        with _guarded():
            self._decoder = constriction.stream.queue.RangeDecoder(_words(payload))
        self._length = len(payload)
        self._mirror = Writer() if strict else None

    def under(self, law: Law, count: int) -> NDArray[np.int32]:
        """The next ``count`` symbols under one law; the caller has bounded their number.

        Raises:
            BitstreamError: the coder rejects the stream.
        """
        if not (law.largest and count):
            return np.zeros(count, dtype=np.int32)
        with _guarded():
            symbols = np.asarray(self._decoder.decode(_model(law), count), dtype=np.int32) - law.largest
        if self._mirror:
            self._mirror.under(law, symbols)
        return symbols

    def rows(self, probabilities: NDArray[np.float64]) -> NDArray[np.int32]:
        """The next indices, one for every row of ``probabilities``; at least one row.

        Raises:
            BitstreamError: the coder rejects the stream.
        """
        try:  # not _guarded(): thousands of calls, and a context manager takes as long as the decoding
            indices: NDArray[np.int32] = self._decoder.decode(_ROWS, probabilities)
        except BaseException as error:
            if isinstance(error, _FATAL):
                raise
            raise BitstreamError(_REJECTED) from error
        if self._mirror:
            self._mirror.rows(indices, probabilities)
        return indices

    def finish(self) -> None:
        """Check that nothing follows; only for a strict reader.

        Raises:
            BitstreamError: a shorter stream spells the same symbols.
        """
        if self._mirror and len(self._mirror.finish()) != self._length:
            raise BitstreamError("the entropy-coded data go on too long")


@contextmanager
def _guarded() -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if isinstance(error, _FATAL):
            raise
        raise BitstreamError(_REJECTED) from error


def encode(tensors: Sequence[tuple[Law, NDArray[np.int32]]]) -> bytes:
    """Code tensors one after another into a single stream.

    Args:
        tensors: each tensor's law and its flat symbols, ``|symbol| <= law.largest``.

    Returns:
        The shortest byte string that :func:`decode` turns back into the same symbols.

    Raises:
        ValueError: a symbol lies outside its law's alphabet.
    """
    writer = Writer()
    for law, symbols in tensors:
        writer.under(law, symbols)
    return writer.finish()


def _spells(payload: bytes, shape: Shape, symbols: Sequence[NDArray[np.int32]]) -> bool:
    try:
        found = _decode(payload, shape)
    except BitstreamError:
        return False
    return all(np.array_equal(x, y) for x, y in zip(found, symbols, strict=True))


def _decode(payload: bytes, shape: Shape) -> list[NDArray[np.int32]]:
    reader = Reader(payload)
    return [reader.under(law, count) for law, count in shape]


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
