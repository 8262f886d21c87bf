"""A plane of integers without loss: differences to neighbours, under brotli. Made for opacities, flat for the most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.coding.bytewise import compress_bytes, expand_bytes
from inrcodec.errors import BitstreamError

LEFT, ABOVE = 1, 2
"""Bits of the filter: samples less those to their left; then those less the ones above. Both make PNG-like planes."""

FILTERS = LEFT | ABOVE
_QUICK, _USUAL, _BEST = 5, 9, 11
_LARGE = 1 << 22
"""Bytes from which brotli's best takes too long."""


def write_plane(plane: NDArray[Any]) -> bytes:
    """The plane as one byte that names its filter, the one that compresses best, and a brotli stream.

    Args:
        plane: ``(rows, columns)``, ``uint8`` or ``uint16``.
    """
    tried = {code: _filtered(plane, code) for code in range(FILTERS + 1)}
    best = min(tried, key=lambda code: len(compress_bytes(tried[code], _QUICK)))
    return bytes([best]) + compress_bytes(tried[best], _BEST if plane.nbytes <= _LARGE else _USUAL)


def read_plane(body: bytes, rows: int, columns: int, depth: int) -> NDArray[Any]:
    """The inverse of :func:`write_plane`; takes no more memory than a few planes of this size.

    Raises:
        BitstreamError: unknown filter, or other bytes than those of such a plane.
    """
    if not body or body[0] > FILTERS:
        raise BitstreamError(f"unknown filter {body[0]} of the alpha plane" if body else "the alpha plane is missing")
    kind = np.uint8 if depth == 8 else np.uint16
    raw = expand_bytes(body[1:], rows * columns * depth // 8, "the alpha plane")
    plane = np.frombuffer(raw, ">u1" if depth == 8 else ">u2").astype(kind).reshape(rows, columns)
    for bit, axis in ((ABOVE, 0), (LEFT, 1)):  # sums wrap around as the differences did
        if body[0] & bit:
            np.add.accumulate(plane, axis, dtype=kind, out=plane)
    return plane


def _filtered(plane: NDArray[Any], code: int) -> bytes:
    for bit, axis in ((LEFT, 1), (ABOVE, 0)):
        if code & bit:
            plane = np.diff(plane, axis=axis, prepend=plane.dtype.type(0))
    return plane.astype(">u1" if plane.itemsize == 1 else ">u2").tobytes()
