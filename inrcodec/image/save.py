"""`Pixels` -> PNG, PPM/PGM, TIFF or WebP, all lossless."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, features

from inrcodec.atomic import atomic_write
from inrcodec.errors import ImageError
from inrcodec.image.png16 import png16_bytes
from inrcodec.pixels import Pixels

_ENDINGS = {"png": "png", "ppm": "ppm", "pnm": "ppm", "pgm": "pgm", "tif": "tiff", "tiff": "tiff", "webp": "webp"}

FORMATS = ("png", "ppm", "pgm", "tiff", "webp")
"""The formats that can be written."""


def format_of(path: str | os.PathLike[str]) -> str:
    """The format a file's ending asks for.

    Raises:
        ImageError: the ending is none of png, ppm, pnm, pgm, tif, tiff, webp.
    """
    ending = Path(path).suffix.lower().lstrip(".")
    if ending not in _ENDINGS:
        raise ImageError(f"{os.fspath(path)}: the ending names no format that can be written ({', '.join(_ENDINGS)})")
    return _ENDINGS[ending]


def picture_bytes(pixels: Pixels, fmt: str) -> bytes:
    """The picture as a file of the given format, one of `FORMATS`.

    Args:
        pixels: gray or RGB, 8 or 16 bits. PNG, PPM and PGM take both depths, TIFF takes 16 bits in gray only, WebP
            takes 8 bits only; PGM takes gray only, and PPM and WebP write gray as three equal channels.
        fmt: the format.

    Raises:
        ImageError: the format cannot hold these pixels.
    """
    if fmt not in FORMATS:
        raise ImageError(f"cannot write {fmt} pictures (only {', '.join(FORMATS)})")
    if fmt in ("ppm", "pgm"):
        return _netpbm_bytes(pixels, fmt)
    if pixels.depth == 16 and (fmt == "webp" or (fmt == "tiff" and pixels.channels == 3)):
        kind = "16-bit" if fmt == "webp" else "16-bit colour"
        raise ImageError(f"{kind} pictures cannot be written as {fmt}: use png or ppm, or depth 8")
    if pixels.depth == 16 and fmt == "png":
        return png16_bytes(pixels.array)
    array = pixels.array[:, :, 0] if pixels.channels == 1 else pixels.array
    image = Image.fromarray(np.ascontiguousarray(array))
    buffer = io.BytesIO()
    try:
        if fmt == "webp":
            image.convert("RGB").save(buffer, "WEBP", lossless=True)
        elif fmt == "tiff":
            image.save(buffer, "TIFF", compression="tiff_deflate" if features.check("libtiff") else None)
        else:
            image.save(buffer, "PNG")
    except (OSError, ValueError) as error:  # for one, WebP ends at 16383 pixels a side
        raise ImageError(f"cannot write the picture as {fmt}: {error}") from error
    return buffer.getvalue()


def save_image(pixels: Pixels, dest: str | os.PathLike[str] | BinaryIO, fmt: str | None = None) -> None:
    """Write a picture to a file (whole or not at all, replacing what is there) or to a binary stream.

    Args:
        pixels: the picture.
        dest: path or stream open for writing bytes.
        fmt: one of `FORMATS`; by default what the path's ending says, and PNG for a stream.

    Raises:
        ImageError: unknown format, or one that cannot hold these pixels.
        OSError: the file cannot be written.
    """
    if isinstance(dest, str | os.PathLike):
        atomic_write(Path(dest), picture_bytes(pixels, fmt or format_of(dest)), overwrite=True)
    else:
        dest.write(picture_bytes(pixels, fmt or "png"))


def _netpbm_bytes(pixels: Pixels, fmt: str) -> bytes:
    """PGM (P5) or PPM (P6); 16-bit samples are big-endian."""
    array = pixels.array
    if fmt == "pgm" and pixels.channels != 1:
        raise ImageError("a colour picture cannot be written as pgm: use ppm")
    if fmt == "ppm" and pixels.channels == 1:
        array = np.repeat(array, 3, axis=2)
    header = f"{'P5' if fmt == 'pgm' else 'P6'}\n{pixels.width} {pixels.height}\n{pixels.peak}\n"
    return header.encode() + array.astype(">u2" if pixels.depth == 16 else np.uint8).tobytes()
