"""The ALPHA section: one number, a plane without loss, or a gray file of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.coding.plane import read_plane, write_plane
from inrcodec.errors import BitstreamError, UnsupportedVersion
from inrcodec.format.container import Container, Header, Tag, read
from inrcodec.format.varint import Reader
from inrcodec.limits import Limits


class Kind(IntEnum):
    """How the opacity is coded; the first byte of the section."""

    CONSTANT = 0
    LOSSLESS = 1
    LOSSY = 2


@dataclass(frozen=True)
class Alpha:
    """What the section says.

    Attributes:
        kind: how it is coded.
        value: of every pixel, if it is a constant.
        packed: the plane, if it is coded without loss.
        nested: the parsed gray file, if it is one.
    """

    kind: Kind
    value: int = 0
    packed: bytes = b""
    nested: Container | None = None

    def plane(self, header: Header) -> NDArray[Any]:
        """The opacity of every pixel, ``(height, width)``, unless it is nested.

        Raises:
            BitstreamError: the plane is damaged.
        """
        assert self.nested is None
        if self.kind is Kind.LOSSLESS:
            return read_plane(self.packed, header.height, header.width, header.depth)
        value = np.uint8(self.value) if header.depth == 8 else np.uint16(self.value)
        return np.broadcast_to(value, (header.height, header.width))


def lossless_alpha(plane: NDArray[Any]) -> bytes:
    """The section for a plane ``(height, width)`` of ``uint8`` or ``uint16``, without loss."""
    if (plane == plane.flat[0]).all():
        return bytes([Kind.CONSTANT]) + int(plane.flat[0]).to_bytes(plane.itemsize, "big")
    return bytes([Kind.LOSSLESS]) + write_plane(plane)


def lossy_alpha(data: bytes) -> bytes:
    """The section for a plane that was coded as a gray file."""
    return bytes([Kind.LOSSY]) + data


def read_alpha(body: bytes, header: Header, limits: Limits) -> Alpha:
    """What a section says. Expands nothing; of a nested file the framing and the CRC are checked.

    Args:
        body: the section.
        header: of the file it is in.
        limits: what the decoder agrees to.

    Raises:
        BitstreamError: it is malformed, or holds a file that is not the gray picture it should be.
    """
    reader = Reader(body, name="alpha section")
    code = reader.byte("kind of alpha")
    if code not in Kind.__members__.values():
        raise UnsupportedVersion(f"unknown kind {code} of alpha")
    kind = Kind(code)
    if kind is Kind.CONSTANT:
        value = int.from_bytes(reader.take(header.depth // 8, "value of alpha"), "big")
        reader.done()
        return Alpha(kind, value=value)
    if kind is Kind.LOSSLESS:
        return Alpha(kind, packed=body[1:])
    nested = read(body[1:], limits)
    if nested.header != replace(header, channels=1, alpha=False) or {Tag.ALPHA, Tag.METADATA} & set(nested.sections):
        raise BitstreamError("the file inside the alpha section is not a gray picture of the same size and depth")
    return Alpha(kind, nested=nested)
