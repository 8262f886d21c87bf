"""A picture file of any common kind -> `Pixels`, with a remark for everything that was changed on the way."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from inrcodec.errors import ImageError, one_line
from inrcodec.image.alpha import flatten, parse_alpha
from inrcodec.image.colour import to_srgb
from inrcodec.image.metadata import NAMES, ORIENTATION, exif_bytes, exif_of, parse_metadata, take_metadata
from inrcodec.image.samples import Samples, read_samples
from inrcodec.pixels import Metadata, Pixels

READABLE = frozenset(
    ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF", "WEBP")
)
"""Formats that are loaded. An allow-list, because Pillow hands some of the others (EPS) to an outside program."""


@dataclass(frozen=True)
class LoadedImage:
    """A picture as the encoder wants it.

    Attributes:
        pixels: ``(height, width, 1 or 3)`` samples in sRGB (or plain gray, or the space of a profile that is kept),
            upright, with alpha and metadata where they are kept.
        notes: one line for each thing that was changed or left behind, for people to read.
    """

    pixels: Pixels
    notes: tuple[str, ...] = ()


def load_image(
    source: str | os.PathLike[str] | bytes,
    *,
    alpha: str = "keep",
    depth: Literal["auto", 8, 16] = "auto",
    metadata: str = "none",
) -> LoadedImage:
    """Read a picture.

    Gray stays one channel; palettes, CMYK and YCbCr become RGB; the EXIF orientation is applied. A colour profile is
    converted to sRGB, unless it is kept, and metadata is dropped, unless it is kept.

    Args:
        source: path of the file, or its bytes.
        alpha: ``"keep"``; ``"drop"`` keeps the colours and forgets the opacity; ``"#rrggbb"`` composites over that
            colour.
        depth: bits per sample of the result; ``"auto"`` keeps 16 where the file has it.
        metadata: what is kept: ``"none"``, ``"all"``, or some of ``"icc,exif,xmp"``.

    Returns:
        The pixels, ``uint8`` or ``uint16`` of shape ``(height, width, 1 or 3)``, and the remarks.

    Raises:
        ImageError: the file is missing, empty, damaged, too large or not a picture; the message is one line.
        ValueError: ``alpha`` or ``metadata`` is none of these.
    """
    background, wanted = parse_alpha(alpha), parse_metadata(metadata)
    name, data = _read(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on EXIF, palettes and size; ours are in the notes
            samples, kept, notes = _open(data, wanted)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not a picture in a format this program reads, or damaged") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{name}: the picture is too large") from None
    except MemoryError:
        raise ImageError(f"{name}: not enough memory for the picture") from None
    except Exception as error:  # damaged files make Pillow's plugins raise nearly anything
        said = one_line(error) if isinstance(error, OSError | ValueError | SyntaxError) else "it is damaged"
        raise ImageError(f"{name}: cannot read the picture: {said}") from error
    samples, alpha_notes = flatten(samples, background)
    samples = _with_depth(samples, depth)
    opacity = None if samples.alpha is None else np.ascontiguousarray(samples.alpha[:, :, 0])
    pixels = Pixels(np.ascontiguousarray(samples.array), samples.depth, opacity, kept)
    return LoadedImage(pixels, (*notes, *alpha_notes))


def _read(source: str | os.PathLike[str] | bytes) -> tuple[str, bytes]:
    """The name for messages, and the bytes of the file."""
    if isinstance(source, bytes):
        name, data = "picture", source
    else:
        name = os.fspath(source)
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise ImageError(f"{name}: {error.strerror or error}") from error
    if not data:
        raise ImageError(f"{name}: the file is empty")
    return name, data


def _open(data: bytes, wanted: frozenset[str]) -> tuple[Samples, Metadata, list[str]]:
    """Decode, turn upright, convert to sRGB or keep the profile. Pillow may raise anything here."""
    notes: list[str] = []
    with Image.open(io.BytesIO(data)) as image:
        if image.format not in READABLE:
            raise ImageError(f"pictures in {image.format} format are not supported")
        if getattr(image, "n_frames", 1) > 1:
            notes.append(f"first of {getattr(image, 'n_frames', 1)} frames only")
        if image.format == "PNG":
            _check_png(data)
        image.load()
        there, orientation = _metadata_bytes(image), _orientation(image)
        samples, remarks = read_samples(image, data)
        notes += remarks
        kept = take_metadata(image, wanted, samples.array.shape[2])
        if not kept.icc:
            samples, remarks = to_srgb(samples, image)
            notes += remarks
        if orientation != 1:
            samples = _upright(samples, orientation)
            notes.append("EXIF orientation applied")
    sizes = {name: len(getattr(kept, name)) for name in NAMES if getattr(kept, name)}
    if sizes:
        notes.append("metadata kept: " + ", ".join(f"{name} {size} bytes" for name, size in sizes.items()))
    dropped = sum(size for name, size in there.items() if name not in sizes)
    if dropped:
        notes.append(f"metadata dropped ({dropped} bytes)")
    return samples, kept, notes


def _check_png(data: bytes) -> None:
    """Compare the checksums of all chunks; while loading, Pillow skips those of the pixels."""
    with Image.open(io.BytesIO(data)) as image:
        image.verify()


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8; anything unreadable counts as upright."""
    value = exif_of(image).get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(samples: Samples, orientation: int) -> Samples:
    """Undo one of the eight orientations of EXIF (5 to 8 are the transposed ones)."""

    def turn(array: np.ndarray) -> np.ndarray:
        if orientation >= 5:
            array = array.swapaxes(0, 1)
        if orientation in (2, 3, 6, 7):
            array = array[:, ::-1]
        if orientation in (3, 4, 7, 8):
            array = array[::-1]
        return array

    return samples.map(turn)


def _metadata_bytes(image: Image.Image) -> dict[str, int]:
    """Bytes of profile, EXIF, XMP, comments and text, those that can be kept under their names."""
    keys = {"icc": "icc_profile", "exif": "exif", "xmp": "xmp", "comment": "comment", "photoshop": "photoshop"}
    blobs = {name: image.info.get(key) for name, key in keys.items()}
    if blobs["exif"] is None:
        blobs["exif"] = exif_bytes(image) or None
    blobs |= {"xmp" if key.startswith("XML:com.adobe") else f"text {key}": text for key, text in _texts(image).items()}
    return {name: len(blob) for name, blob in blobs.items() if isinstance(blob, bytes | str)}


def _texts(image: Image.Image) -> dict[str, str]:
    """Texts of a PNG file."""
    texts: dict[str, str] = getattr(image, "text", {})
    return texts


def _with_depth(samples: Samples, depth: Literal["auto", 8, 16]) -> Samples:
    """Rescale samples to another bit depth; 255 and 65535 stay white."""
    if depth in ("auto", samples.depth):
        return samples
    if depth == 16:
        return replace(samples.map(lambda array: array.astype(np.uint16) * np.uint16(257)), depth=16)
    return replace(samples.map(lambda array: ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)), depth=8)
