"""Files that are nearly sound: mutated in one place or a few, then framed again with a right checksum.

Without that, nearly every mutation would end at the checksum, and nothing behind it would ever be tried.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence

MAGIC = b"\x89INR\r\n\x1a\n"
EDGES = (0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 129, 143, 144, 254, 255)
"""Bytes that are often at the edge of something."""

Parts = tuple[bytes, list[tuple[int, bytes]]]
"""Everything from the version to the height, and the sections."""

Mutate = Callable[[bytes, random.Random], bytes]


def parts_of(data: bytes) -> Parts | None:
    """A file taken apart as far as that can be done; None if it cannot."""
    try:
        at = len(MAGIC) + 2
        for _ in range(2):
            at = _varint(data, at)[1]
        start, count = data[len(MAGIC) : at], data[at]
        table, at = [], at + 1
        for _ in range(count):
            tag = data[at]
            length, at = _varint(data, at + 1)
            table.append((tag, length))
        at += 4
        sections = []
        for tag, length in table:
            sections.append((tag, data[at : at + length]))
            at += length
    except IndexError:
        return None
    return start, sections


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128 or shift > 35:
            return value, at


def _spelt(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def framed(parts: Parts) -> bytes:
    """The file of such parts, lengths and checksum right."""
    start, sections = parts
    head = MAGIC + start + bytes([len(sections) & 255])
    head += b"".join(bytes([tag]) + _spelt(len(body)) for tag, body in sections)
    bodies = b"".join(body for _, body in sections)
    return head + zlib.crc32(bodies, zlib.crc32(head)).to_bytes(4, "big") + bodies


def repaired(data: bytes) -> bytes:
    """With a checksum that is right where the header's own lengths say it is."""
    try:
        at = len(MAGIC) + 2
        for _ in range(2):
            at = _varint(data, at)[1]
        count, at = data[at], at + 1
        for _ in range(count):
            at = _varint(data, at + 1)[1]
    except IndexError:
        return data
    head, body = data[:at], data[at + 4 :]
    return head + zlib.crc32(body, zlib.crc32(head)).to_bytes(4, "big") + body


def scrambled(data: bytes, rng: random.Random) -> bytes:
    """A few bytes set, flipped, lost, doubled or made up."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(out) + 1)
        how = rng.randrange(6)
        if how == 0 or at == len(out):
            out[at:at] = rng.randbytes(rng.choice((1, 1, 2, 9)))
        elif how == 1:
            del out[at : at + rng.choice((1, 1, 2, 9))]
        elif how == 2:
            out[at] ^= 1 << rng.randrange(8)
        elif how == 3:
            out[at] = rng.choice(EDGES)
        elif how == 4:
            out[at] = rng.randrange(256)
        else:
            out[at:at] = out[at : at + rng.choice((1, 4, 16))]
    return bytes(out)


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes] = (), scramble: Mutate = scrambled) -> bytes:
    """Another file like this one.

    Args:
        data: the file, sound or not.
        rng: decides everything.
        others: files whose sections may take the place of its own.
        scramble: what mutates bytes.
    """
    parts = parts_of(data)
    how = rng.randrange(10)
    if parts is None or not parts[1] or how == 0:  # lengths stay as they are, or are hit themselves
        return repaired(MAGIC + scramble(data[len(MAGIC) :], rng))
    start, sections = parts
    at = rng.randrange(len(sections))
    if how == 1:
        start = scramble(start, rng)
    elif how == 2:  # another picture of the same network
        start = start[:2] + _spelt(_side(rng)) + _spelt(_side(rng))
    elif how == 3 and others:
        stranger = parts_of(rng.choice(others))
        if stranger and stranger[1]:
            sections[at] = rng.choice(stranger[1])
    elif how == 4:
        sections[at] = rng.randrange(10), sections[at][1]
    elif how == 5:
        sections[at] = sections[at][0], sections[at][1][: rng.randrange(len(sections[at][1]) + 1)]
    else:
        sections[at] = sections[at][0], scramble(sections[at][1], rng)
    return framed((start, sections))


def _side(rng: random.Random) -> int:
    return max(1, round(2 ** rng.uniform(0, rng.choice((3, 8, 17)))))
