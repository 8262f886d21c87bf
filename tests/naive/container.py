"""The header and the sections: FORMAT.md, "Header", "Features" and "Sections"."""

from __future__ import annotations

from dataclasses import dataclass

MAGIC = bytes([0x89, 0x49, 0x4E, 0x52, 0x0D, 0x0A, 0x1A, 0x0A])
SIREN, LAWS, SYMBOLS, HALVES, GRID, BROTLI, LAYERS, ALPHA, METADATA = range(1, 10)
SETS = (
    {SIREN, LAWS, SYMBOLS},
    {SIREN, LAWS, BROTLI},
    {SIREN, HALVES},
    {LAWS, SYMBOLS, GRID},
    {LAWS, SYMBOLS, GRID, LAYERS},
)


class RefusedError(Exception):
    """The file breaks a MUST."""


def must(holds: bool, rule: str) -> None:
    if not holds:
        raise RefusedError(rule)


class Bytes:
    """Bytes read one after another."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        must(self.at + count <= len(self.data), "every byte is there")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        value, shift = 0, 0
        while True:
            must(shift < 35, "a varint has at most 5 bytes")
            byte = self.byte()
            value += byte % 128 << shift
            if byte < 128:
                must(byte > 0 or shift == 0, "the last byte of a varint is not 0")
                return value
            shift += 7

    def end(self) -> None:
        must(self.at == len(self.data), "nothing follows")


@dataclass(frozen=True)
class File:
    width: int
    height: int
    channels: int
    depth: int
    sections: dict[int, bytes]
    alpha: bool = False


def crc32(data: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)  # 04C11DB7, reflected
    return register ^ 0xFFFFFFFF


def read(data: bytes) -> File:
    source = Bytes(data)
    must(source.take(8) == MAGIC, "the magic")
    must(source.byte() == 1, "the version")
    features = source.byte()
    must(features < 8, "unknown features are 0")
    width, height = source.varint(), source.varint()
    must(min(width, height) >= 1, "a picture has pixels")
    lengths: list[tuple[int, int]] = []
    count = source.byte()
    must(count <= 16, "at most 16 sections")
    for _ in range(count):
        tag = source.byte()
        lengths.append((tag, source.varint()))
    tags = [tag for tag, _ in lengths]
    must(tags == sorted(set(tags)), "tags ascend")
    must(set(tags) - {ALPHA, METADATA} in SETS, "the sections go together")
    must((ALPHA in tags) == bool(features & 4), "ALPHA is there as its bit says")
    crc_at = source.at
    crc = int.from_bytes(source.take(4), "big")
    must(crc == crc32(data[:crc_at] + data[crc_at + 4 :]), "the CRC")
    sections = {tag: source.take(length) for tag, length in lengths}
    source.end()
    channels, depth = 1 if features & 1 else 3, 16 if features & 2 else 8
    return File(width, height, channels, depth, sections, bool(features & 4))
