"""`Pixels` -> PNG, PPM/PGM, TIFF or WebP, all lossless."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, features

from inrcodec.atomic import atomic_write
from inrcodec.errors import ImageError, one_line
from inrcodec.image.metadata import png_chunks, save_options
from inrcodec.image.png16 import png16_bytes
from inrcodec.pixels import Metadata, Pixels

_ENDINGS = {"png": "png", "ppm": "ppm", "pnm": "ppm", "pgm": "pgm", "tif": "tiff", "tiff": "tiff", "webp": "webp"}

_PNG_HEADER = 33
"""Bytes of signature and IHDR."""

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
    """The picture as a file of the given format, one of `FORMATS`, with its alpha and metadata.

    Args:
        pixels: gray or RGB, 8 or 16 bits. PNG, PPM and PGM take both depths, TIFF takes 16 bits in opaque gray only,
            WebP takes 8 bits only; PGM takes gray only, and PPM and WebP write gray as three equal channels.
        fmt: the format; what it has no room for is left out (see `losses`).

    Raises:
        ImageError: the format cannot hold these pixels.
    """
    if fmt not in FORMATS:
        raise ImageError(f"cannot write {fmt} pictures (only {', '.join(FORMATS)})")
    if fmt in ("ppm", "pgm"):
        return _netpbm_bytes(pixels, fmt)
    if pixels.depth == 16 and (fmt == "webp" or (fmt == "tiff" and pixels.samples.shape[2] > 1)):
        kind = "16-bit" if fmt == "webp" else "16-bit colour" if pixels.channels == 3 else "16-bit transparent"
        raise ImageError(f"{kind} pictures cannot be written as {fmt}: use png or ppm, or depth 8")
    if pixels.depth == 16 and fmt == "png":
        return _with_chunks(png16_bytes(pixels.samples), pixels.metadata)
    array = pixels.samples
    image = Image.fromarray(np.ascontiguousarray(array[:, :, 0] if array.shape[2] == 1 else array))
    buffer = io.BytesIO()
    if fmt == "png":
        image.save(buffer, "PNG")
        return _with_chunks(buffer.getvalue(), pixels.metadata)
    try:
        options = save_options(pixels.metadata, fmt)
        if fmt == "webp":  # exact: with the colours under transparent pixels
            image = image.convert("RGB" if pixels.alpha is None else "RGBA")
            image.save(buffer, "WEBP", lossless=True, exact=True, **options)
        else:
            plain = "exif" in options or not features.check("libtiff")  # which cannot write EXIF's inner directories
            compression = None if plain else "tiff_deflate"
            image.save(buffer, "TIFF", compression=compression, **options)
    except Exception as error:  # for one, WebP ends at 16383 pixels a side; and EXIF may be damaged
        raise ImageError(f"cannot write the picture as {fmt}: {one_line(error)}") from error
    return buffer.getvalue()


def losses(pixels: Pixels, fmt: str) -> tuple[str, ...]:
    """What a format has no room for, one remark each."""
    if fmt not in ("ppm", "pgm"):
        return ()
    lost = ("alpha", pixels.alpha is not None), ("metadata", bool(pixels.metadata))
    return tuple(f"{name} dropped ({fmt} has no room for it: use png)" for name, there in lost if there)


def _with_chunks(png: bytes, metadata: Metadata) -> bytes:
    """A PNG file with metadata behind its header."""
    return png[:_PNG_HEADER] + png_chunks(metadata) + png[_PNG_HEADER:]


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
