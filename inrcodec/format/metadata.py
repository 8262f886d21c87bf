"""The METADATA section: a table of what there is, then all of it under brotli."""

from __future__ import annotations

from inrcodec.coding.bytewise import compress_bytes, expand_bytes
from inrcodec.errors import BitstreamError, UnsupportedVersion
from inrcodec.format.varint import Reader, varint
from inrcodec.limits import Limits
from inrcodec.pixels import Metadata

KINDS = ("icc", "exif", "xmp")
"""Names of the kinds, which count from 1: ICC profile, EXIF (a TIFF structure), XMP packet (XML)."""


def write_metadata(metadata: Metadata) -> bytes:
    """The section; there must be something to say."""
    blobs = [(code, getattr(metadata, name)) for code, name in enumerate(KINDS, 1) if getattr(metadata, name)]
    table = b"".join(bytes([code]) + varint(len(blob)) for code, blob in blobs)
    return bytes([len(blobs)]) + table + compress_bytes(b"".join(blob for _, blob in blobs))


def metadata_sizes(body: bytes, limits: Limits) -> dict[str, int]:
    """Names and bytes of what a section holds, by its table alone.

    Raises:
        BitstreamError: the table is malformed, or there is more than the limits allow.
    """
    return _table(Reader(body, name="metadata section"), limits)


def read_metadata(body: bytes, limits: Limits) -> Metadata:
    """The inverse of :func:`write_metadata`. Never expands further than the table says.

    Raises:
        BitstreamError: the section is malformed, or holds more than the limits allow.
    """
    reader = Reader(body, name="metadata section")
    sizes = _table(reader, limits)
    raw, at, blobs = expand_bytes(body[reader.position :], sum(sizes.values()), "metadata"), 0, {}
    for name, size in sizes.items():
        blobs[name] = raw[at : at + size]
        at += size
    return Metadata(**blobs)


def _table(reader: Reader, limits: Limits) -> dict[str, int]:
    count = reader.byte("number of entries")
    sizes: dict[str, int] = {}
    last = 0
    for _ in range(count):
        code = reader.byte("kind of metadata")
        if code > len(KINDS):
            raise UnsupportedVersion(f"unknown kind {code} of metadata")
        size = reader.varint("length of metadata")
        if code <= last or not size:
            raise BitstreamError("entries of metadata are empty, repeated or out of order")
        sizes[KINDS[code - 1]] = size
        last = code
    if not sizes:
        raise BitstreamError("a metadata section without entries")
    limits.check_metadata(sum(sizes.values()))
    return sizes
