"""A small PNG writer for 16-bit samples, which Pillow writes in gray only."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
_UP = 2  # the filter type: each byte minus the one above


def png16_bytes(array: NDArray[Any]) -> bytes:
    """A PNG file of 16-bit samples.

    Args:
        array: ``(height, width, channels)`` ``uint16`` samples: gray, gray and alpha, RGB, or RGB and alpha.
    """
    height, width, channels = array.shape
    rows = array.astype(">u2").reshape(height, -1).view(np.uint8)
    above = np.zeros_like(rows)
    above[1:] = rows[:-1]
    lines = np.empty((height, rows.shape[1] + 1), dtype=np.uint8)
    lines[:, 0] = _UP
    lines[:, 1:] = rows - above  # bytes wrap around, as PNG wants
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPE[channels], 0, 0, 0)
    return _SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes())) + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    """Length, kind, body and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
