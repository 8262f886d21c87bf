"""Unsigned LEB128 integers and a reader that never runs off the end of its bytes."""

from __future__ import annotations

from inrcodec.errors import BitstreamError, Truncated

MAX_VARINT_BYTES = 5
"""35 bits: more than any length or size a file may declare."""


def varint(value: int) -> bytes:
    """Encode ``0 <= value < 2^35``, seven bits to the byte, low bits first, high bit set on all bytes but the last."""
    if not 0 <= value < 1 << (7 * MAX_VARINT_BYTES):
        raise ValueError(f"varint out of range: {value}")
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


class Reader:
    """Walks over bytes, naming what it was reading when they ran out, and where.

    Args:
        data: the bytes.
        position: where to begin.
        name: what they are, for messages.
        origin: where in the file they lie, for messages.
    """

    def __init__(self, data: bytes, position: int = 0, name: str = "file", origin: int = 0) -> None:
        self._data = data
        self._name = name
        self._origin = origin
        self.position = position

    @property
    def last(self) -> int:
        """Where in the file the byte lies that was read last."""
        return self._origin + self.position - 1

    def take(self, count: int, what: str) -> bytes:
        """The next ``count`` bytes.

        Raises:
            Truncated: fewer are left.
        """
        end = self.position + count
        if end > len(self._data):
            raise Truncated(f"the {self._name} ends at byte {self._origin + len(self._data)}, inside the {what}")
        piece = self._data[self.position : end]
        self.position = end
        return piece

    def byte(self, what: str) -> int:
        """The next byte."""
        return self.take(1, what)[0]

    def varint(self, what: str) -> int:
        """The next varint, which must be in its shortest form so that a file has one spelling only.

        Raises:
            BitstreamError: it is too long or padded.
        """
        value = 0
        for index in range(MAX_VARINT_BYTES):
            byte = self.byte(what)
            value |= (byte & 127) << (7 * index)
            if byte < 128:
                if byte == 0 and index:
                    break
                return value
        raise BitstreamError(f"the {what} (byte {self.last}) is not a proper varint")

    def done(self) -> None:
        """Refuse left-over bytes.

        Raises:
            BitstreamError: some are left.
        """
        if self.position != len(self._data):
            raise BitstreamError(
                f"{len(self._data) - self.position} bytes too many in the {self._name}, from byte {self.last + 1} on"
            )
