"""What goes beside the colours: FORMAT.md, "ALPHA" and "METADATA"."""

from __future__ import annotations

import brotli
import numpy as np
from numpy.typing import NDArray

from tests.naive.container import ALPHA, METADATA, Bytes, File, must, read

CONSTANT, LOSSLESS, LOSSY = range(3)


def nested(file: File) -> bytes | None:
    """The file inside the section, if its kind is that."""
    body = file.sections[ALPHA]
    must(len(body) > 0 and body[0] <= LOSSY, "a kind of opacity")
    if body[0] != LOSSY:
        return None
    inner = read(body[1:])
    same = (inner.width, inner.height, inner.depth) == (file.width, file.height, file.depth)
    must(same and inner.channels == 1 and not inner.alpha and METADATA not in inner.sections, "a plane of the picture")
    return body[1:]


def plane(file: File) -> NDArray[np.int64]:
    """An opacity that no network draws, ``(height, width)``."""
    source = Bytes(file.sections[ALPHA])
    size, count = file.depth // 8, file.width * file.height
    if source.byte() == CONSTANT:
        value = int.from_bytes(source.take(size), "big")
        source.end()
        return np.full((file.height, file.width), value, np.int64)
    bits = source.byte()
    must(bits <= 3, "a filter")
    expanded = brotli.decompress(source.take(len(source.data) - 2))
    must(len(expanded) == size * count, "a value for every pixel")
    z = [int.from_bytes(expanded[k : k + size], "big") for k in range(0, len(expanded), size)]
    levels = np.array(z, np.int64).reshape(file.height, file.width)
    if bits & 2:  # differences to above
        levels = np.cumsum(levels, axis=0) % 2**file.depth
    if bits & 1:  # and to the left
        levels = np.cumsum(levels, axis=1) % 2**file.depth
    return levels


def metadata(file: File) -> dict[int, bytes]:
    """Entries by kind."""
    if METADATA not in file.sections:
        return {}
    source = Bytes(file.sections[METADATA])
    count = source.byte()
    must(1 <= count <= 3, "1 to 3 entries")
    table = [(source.byte(), source.varint()) for _ in range(count)]
    kinds = [kind for kind, _ in table]
    must(kinds == sorted(set(kinds)) and set(kinds) <= {1, 2, 3}, "kinds ascend")
    must(all(length >= 1 for _, length in table), "no entry is empty")
    expanded = Bytes(brotli.decompress(source.take(len(source.data) - source.at)))
    entries = {kind: expanded.take(length) for kind, length in table}
    expanded.end()
    return entries
