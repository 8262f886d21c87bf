"""Colour profile, EXIF and XMP: taken out of the files of pictures, and put into others."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection
from dataclasses import fields
from typing import Any

from PIL import Image

from inrcodec.image.png16 import chunk
from inrcodec.pixels import Metadata

NAMES = tuple(field.name for field in fields(Metadata))
"""What can be kept."""

ORIENTATION = 0x0112
"""The EXIF tag."""

_XMP = 0x02BC
"""The TIFF tag."""

_EXIF_START = b"Exif\0\0"
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_SPACES = {1: b"GRAY", 3: b"RGB "}
_TURNED = re.compile(rb"""(tiff:Orientation=["']|<tiff:Orientation>)[0-9]""")


def parse_metadata(text: str) -> frozenset[str]:
    """Read the choice: ``"none"``, ``"all"``, or names like ``"icc,exif"``.

    Raises:
        ValueError: none of them.
    """
    if text in ("none", "all"):
        return frozenset(NAMES if text == "all" else ())
    names = [part.strip() for part in text.split(",")]
    if unknown := [name for name in names if name not in NAMES]:
        raise ValueError(f"metadata is none, all, or some of {','.join(NAMES)}, not {unknown[0]!r}")
    return frozenset(names)


def take_metadata(image: Image.Image, wanted: Collection[str], channels: int) -> Metadata:
    """What a picture's file says, of what is wanted.

    The orientation is reset to upright, because pixels are turned; a profile is taken only where it is one for such
    samples.

    Args:
        image: the picture, loaded.
        wanted: some of `NAMES`.
        channels: of the samples that are kept, 1 or 3.
    """
    found = {"icc": _profile(image, channels), "exif": _exif(image), "xmp": _xmp(image)}
    return Metadata(**{name: blob if name in wanted else b"" for name, blob in found.items()})


def _profile(image: Image.Image, channels: int) -> bytes:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and profile[16:20] == _SPACES.get(channels) else b""


def _exif(image: Image.Image) -> bytes:
    raw = image.info.get("exif")
    if not isinstance(raw, bytes):
        return b""
    try:
        exif = image.getexif()
        if exif.get(ORIENTATION, 1) != 1:
            exif[ORIENTATION] = 1
            raw = exif.tobytes()
    except Exception:  # noqa: BLE001 - damaged EXIF raises nearly anything and must not cost the picture
        return b""
    raw = raw.removeprefix(_EXIF_START)
    return raw if raw[:4] in _TIFF_STARTS and len(exif) else b""


def _xmp(image: Image.Image) -> bytes:
    packet: Any = image.info.get("xmp", image.info.get("XML:com.adobe.xmp", b""))  # the latter is older Pillows' PNG
    raw = packet.encode() if isinstance(packet, str) else bytes(packet) if isinstance(packet, bytes) else b""
    return _TURNED.sub(rb"\g<1>1", raw)


def save_options(metadata: Metadata, fmt: str) -> dict[str, Any]:
    """What Pillow's ``save`` has to be told to write the metadata into a TIFF or WebP file."""
    options: dict[str, Any] = {"icc_profile": metadata.icc} if metadata.icc else {}
    if fmt == "tiff" and (metadata.exif or metadata.xmp):  # XMP is one of its tags
        exif = Image.Exif()
        if metadata.exif:
            exif.load(_EXIF_START + metadata.exif)
        if metadata.xmp:
            exif[_XMP] = metadata.xmp
        return options | {"exif": exif}
    blobs = {"exif": _EXIF_START + metadata.exif if metadata.exif else b"", "xmp": metadata.xmp}
    return options | {name: blob for name, blob in blobs.items() if blob}


def png_chunks(metadata: Metadata) -> bytes:
    """The metadata as chunks of a PNG file, for the place behind its header."""
    chunks = b""
    if metadata.icc:
        chunks += chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc))
    if metadata.exif:
        chunks += chunk(b"eXIf", metadata.exif)
    if metadata.xmp:
        chunks += chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
    return chunks
