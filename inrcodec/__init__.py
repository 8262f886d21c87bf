"""inrcodec: overfit a sparse SIREN to one picture and keep it in a file of the size that was asked for.

    data = inrcodec.encode("photo.png", bpp=0.3)
    pixels = inrcodec.decode(data)          # (height, width, 3) uint8
    inrcodec.probe(data).bpp                # at most 0.3

Importing this package is light; torch is loaded by the first ``encode`` and never by ``decode``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inrcodec.errors import (
    BadMagic,
    BitstreamError,
    ChecksumMismatch,
    ImageError,
    InrError,
    LimitError,
    TargetError,
    Truncated,
    UnsupportedVersion,
)

if TYPE_CHECKING:
    from inrcodec.api import decode, encode, probe

__version__ = "0.1.0"

__all__ = [
    "BadMagic",
    "BitstreamError",
    "ChecksumMismatch",
    "ImageError",
    "InrError",
    "LimitError",
    "TargetError",
    "Truncated",
    "UnsupportedVersion",
    "__version__",
    "decode",
    "encode",
    "probe",
]


def __getattr__(name: str) -> Any:
    if name in ("decode", "encode", "probe"):
        from inrcodec import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
