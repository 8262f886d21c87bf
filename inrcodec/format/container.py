"""The container of version 1: a header of at most 32 bytes for a plain file, then sections without holes.

    magic 8 | version 1 | features 1 | width varint | height varint | sections 1 |
    (tag 1, length varint) x sections | CRC-32 4 | section bodies

Reading goes magic, version, features, sizes against limits, lengths against the file's length, CRC; only then is a
section looked at. The CRC covers every byte of the file but its own four.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from inrcodec.errors import BadMagic, BitstreamError, ChecksumMismatch, Truncated, UnsupportedVersion
from inrcodec.format.varint import MAX_VARINT_BYTES, Reader, varint
from inrcodec.limits import MAX_SECTIONS, Limits

MAGIC = b"\x89INR\r\n\x1a\n"
"""As PNG's: the high bit catches seven-bit transfers, the line ends catch text mode, ^Z stops a DOS ``type``."""

VERSION = 1
GRAY = 0x01
"""Feature bit: one channel instead of three."""
DEEP = 0x02
"""Feature bit: 16 bits a sample instead of 8."""
ALPHA = 0x04
"""Feature bit: an opacity beside the colours, in the section of that name."""
KNOWN_FEATURES = GRAY | DEEP | ALPHA
CRC_BYTES = 4
MAX_HEADER_BYTES = len(MAGIC) + 3 + 2 * MAX_VARINT_BYTES + MAX_SECTIONS * (1 + MAX_VARINT_BYTES) + CRC_BYTES
"""No header is longer, so that so many bytes are enough for :func:`read_head`."""

INRIMAGE = b"#INRIMAGE-4#{"
"""The older owner of the ``.inr`` ending: volumes for medical imaging."""


class Tag(IntEnum):
    """What a section holds. Tags ascend in a file; unknown ones are refused."""

    SIREN = 1
    LAWS = 2
    SYMBOLS = 3
    HALVES = 4
    GRID = 5
    BROTLI = 6
    LAYERS = 7
    ALPHA = 8
    METADATA = 9


@dataclass(frozen=True)
class Header:
    """The picture a file stands for.

    Attributes:
        width: columns, at least 1.
        height: rows, at least 1.
        channels: of colour, 1 or 3.
        depth: bits a sample, 8 or 16.
        alpha: whether there is an opacity beside them.
    """

    width: int
    height: int
    channels: int = 3
    depth: int = 8
    alpha: bool = False

    @property
    def pixels(self) -> int:
        """Pixels of the picture."""
        return self.width * self.height

    @property
    def features(self) -> int:
        """The feature byte."""
        return (GRAY if self.channels == 1 else 0) | (DEEP if self.depth == 16 else 0) | (ALPHA if self.alpha else 0)


@dataclass(frozen=True)
class Head:
    """What the beginning of a file says of the rest, of which nothing is known yet.

    Attributes:
        header: the picture's size and kind.
        lengths: bytes of the sections' bodies by tag, in file order.
        crc_at: where the checksum stands; the bodies follow it.
    """

    header: Header
    lengths: Mapping[Tag, int]
    crc_at: int

    @property
    def file_bytes(self) -> int:
        """Bytes the whole file must have."""
        return self.crc_at + CRC_BYTES + sum(self.lengths.values())


@dataclass(frozen=True)
class Container:
    """A parsed file.

    Attributes:
        header: the picture's size and kind.
        sections: bodies by tag, in file order.
        offsets: first byte of each body.
        header_bytes: bytes before the first body, CRC included.
    """

    header: Header
    sections: Mapping[Tag, bytes]
    offsets: Mapping[Tag, int] = field(default_factory=dict)
    header_bytes: int = 0


def write(header: Header, sections: Mapping[Tag, bytes]) -> bytes:
    """Lay out a file.

    Args:
        header: the picture.
        sections: bodies by tag, the tags ascending.

    Returns:
        The whole file.
    """
    table = b"".join(bytes([tag]) + varint(len(body)) for tag, body in sections.items())
    head = MAGIC + bytes([VERSION, header.features]) + varint(header.width) + varint(header.height)
    head += bytes([len(sections)]) + table
    bodies = b"".join(sections.values())
    return head + zlib.crc32(bodies, zlib.crc32(head)).to_bytes(CRC_BYTES, "big") + bodies


def header_size(header: Header, lengths: Mapping[Tag, int]) -> int:
    """Bytes before the first section body for bodies of the given lengths."""
    sizes = len(varint(header.width)) + len(varint(header.height))
    return len(MAGIC) + 3 + sizes + sum(1 + len(varint(n)) for n in lengths.values()) + CRC_BYTES


def _check_magic(data: bytes) -> None:
    if data[: len(MAGIC)] == MAGIC:
        return
    if data[: len(INRIMAGE)] == INRIMAGE:
        raise BadMagic("this is an INRIMAGE-4 volume (another format with the ending .inr), not an inrcodec file")
    if len(data) < len(MAGIC) and MAGIC.startswith(data):
        raise Truncated(f"the file ends after {len(data)} bytes, inside the magic number")
    if data[:1] == b"\x09" and data[1:4] == b"INR":
        raise BadMagic("not an inrcodec file: the high bit of the magic was stripped (a seven-bit transfer?)")
    if data[:4] == MAGIC[:4]:
        raise BadMagic("not an inrcodec file, or its line ends were converted (a text-mode transfer?)")
    raise BadMagic("not an inrcodec file (wrong magic number)")


def read(data: bytes, limits: Limits | None = None) -> Container:
    """Parse and check a file; nothing is allocated beyond slices of ``data``.

    Args:
        data: the whole file, any bytes at all.
        limits: what the decoder agrees to; the default ones if left out.

    Raises:
        BadMagic, UnsupportedVersion, Truncated, ChecksumMismatch, LimitError: as their names say.
        BitstreamError: the header contradicts itself.
    """
    head = read_head(data, limits)
    reader = Reader(data, head.crc_at)
    crc = int.from_bytes(reader.take(CRC_BYTES, "checksum"), "big")
    declared = head.file_bytes
    if declared != len(data):
        problem = "ends early" if declared > len(data) else "goes on too long"
        raise Truncated(f"the file {problem}: its header declares {declared} bytes, it has {len(data)}")
    if zlib.crc32(data[reader.position :], zlib.crc32(data[: head.crc_at])) != crc:
        raise ChecksumMismatch("the checksum does not match: the file is damaged")
    header_bytes = reader.position
    offsets, sections = {}, {}
    for tag, length in head.lengths.items():
        offsets[tag] = reader.position
        sections[tag] = reader.take(length, f"section {tag.name}")
    return Container(head.header, sections, offsets, header_bytes)


def read_head(data: bytes, limits: Limits | None = None) -> Head:
    """Parse the beginning of a file, which may be damaged all the same: neither length nor checksum is looked at.

    Args:
        data: at least the first :data:`MAX_HEADER_BYTES` of the file, or all of a shorter one.
        limits: what the decoder agrees to; the default ones if left out.

    Raises:
        BadMagic, UnsupportedVersion, Truncated, LimitError: as their names say.
        BitstreamError: the header contradicts itself.
    """
    limits = limits or Limits()
    _check_magic(data)
    reader = Reader(data, len(MAGIC))
    version = reader.byte("version")
    if version != VERSION:
        raise UnsupportedVersion(f"format version {version}; this decoder knows version {VERSION} (byte {reader.last})")
    features = reader.byte("features")
    if features & ~KNOWN_FEATURES:
        raise UnsupportedVersion(
            f"unknown feature bits 0x{features & ~KNOWN_FEATURES:02x} (byte {reader.last}); a newer inrcodec wrote this"
        )
    sides_at = reader.position
    width, height = reader.varint("width"), reader.varint("height")
    if not (width and height):
        raise BitstreamError(f"a picture of {width}x{height} pixels is empty (bytes {sides_at} to {reader.last})")
    limits.check_size(width, height)
    lengths = _section_table(reader)
    channels, depth = (1 if features & GRAY else 3), (16 if features & DEEP else 8)
    header = Header(width, height, channels, depth, bool(features & ALPHA))
    return Head(header, lengths, reader.position)


def _section_table(reader: Reader) -> dict[Tag, int]:
    count = reader.byte("number of sections")
    if count > MAX_SECTIONS:
        raise BitstreamError(f"{count} sections; a file has at most {MAX_SECTIONS} (byte {reader.last})")
    table: dict[Tag, int] = {}
    for _ in range(count):
        code = reader.byte("section tag")
        try:
            tag = Tag(code)
        except ValueError:
            raise UnsupportedVersion(f"unknown section {code} at byte {reader.last}") from None
        if table and tag <= max(table):
            raise BitstreamError(f"section {tag.name} is repeated or out of order (byte {reader.last})")
        table[tag] = reader.varint(f"length of section {tag.name}")
    return table
