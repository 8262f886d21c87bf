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

XMP_TAG = 0x02BC
"""The TIFF tag."""

EXIF_START = b"Exif\0\0"
"""What Pillow, as JPEG does, puts before EXIF."""

_PLAIN_TAGS = (0x010E, 0x010F, 0x0110, ORIENTATION, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x8298)
_DIRECTORIES = (0x8769, 0x8825)
"""What EXIF 2.3 (tables 4 and 3) has in its first directory that says nothing of how samples are stored; and its two
further directories, of the camera and the place."""

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
    found = {"icc": _profile(image, channels), "exif": exif_bytes(image), "xmp": _xmp(image)}
    return Metadata(**{name: blob if name in wanted else b"" for name, blob in found.items()})


def _profile(image: Image.Image, channels: int) -> bytes:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and profile[16:20] == _SPACES.get(channels) else b""


def exif_of(image: Image.Image) -> Image.Exif:
    """The EXIF of an image, orientation included. A TIFF file has it among what describes the file, which is left out.

    Nothing where it is damaged: that raises nearly anything and must not cost the picture.
    """
    try:
        exif = image.getexif()
        if "exif" in image.info or not hasattr(image, "tag_v2"):
            return exif
        own = Image.Exif()
        own.update({tag: exif[tag] for tag in _PLAIN_TAGS if tag in exif})
        own.update({tag: directory for tag in _DIRECTORIES if (directory := exif.get_ifd(tag))})
    except Exception:  # noqa: BLE001 - see above
        return Image.Exif()
    return own


def copy_of(exif: Image.Exif) -> Image.Exif:
    """EXIF that can be changed while the other stays what it is."""
    copy = Image.Exif()
    copy.load(exif.tobytes())
    return copy


def exif_bytes(image: Image.Image) -> bytes:
    """What the file of an image says, upright, as a TIFF structure; its own bytes where nothing has to be changed."""
    raw = image.info.get("exif")
    try:
        if isinstance(raw, bytes):
            exif = Image.Exif()
            exif.load(raw)
        elif hasattr(image, "tag_v2"):
            exif = exif_of(image)
            raw = exif.tobytes()
        else:
            return b""
        if exif.get(ORIENTATION, 1) != 1:
            exif[ORIENTATION] = 1
            raw = exif.tobytes()
    except Exception:  # noqa: BLE001 - as above
        return b""
    raw = raw.removeprefix(EXIF_START)
    return raw if raw[:4] in _TIFF_STARTS and len(exif) else b""


def _xmp(image: Image.Image) -> bytes:
    packet: Any = image.info.get("xmp", image.info.get("XML:com.adobe.xmp", b""))  # the latter is older Pillows' PNG
    raw = packet.encode() if isinstance(packet, str) else bytes(packet) if isinstance(packet, bytes) else b""
    return upright_xmp(raw)


def upright_xmp(packet: bytes) -> bytes:
    """A packet whose orientation, if it has one, is that of pixels that have been turned."""
    return _TURNED.sub(rb"\g<1>1", packet)


def save_options(metadata: Metadata, fmt: str) -> dict[str, Any]:
    """What Pillow's ``save`` has to be told to write the metadata into a TIFF or WebP file."""
    options: dict[str, Any] = {"icc_profile": metadata.icc} if metadata.icc else {}
    if fmt == "tiff" and (metadata.exif or metadata.xmp):  # XMP is one of its tags
        exif = Image.Exif()
        if metadata.exif:
            exif.load(EXIF_START + metadata.exif)
        if metadata.xmp:
            exif[XMP_TAG] = metadata.xmp
        return options | {"exif": exif}
    blobs = {"exif": EXIF_START + metadata.exif if metadata.exif else b"", "xmp": metadata.xmp}
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
