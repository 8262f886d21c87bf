"""A picture file of any common kind -> `Pixels`, with a remark for everything that was changed on the way."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from inrcodec.errors import ImageError
from inrcodec.image.alpha import flatten, parse_alpha
from inrcodec.image.colour import to_srgb
from inrcodec.image.samples import Samples, read_samples
from inrcodec.pixels import Pixels

READABLE = frozenset(
    ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF", "WEBP")
)
"""Formats that are loaded. An allow-list, because Pillow hands some of the others (EPS) to an outside program."""

_ORIENTATION = 0x0112  # the EXIF tag


@dataclass(frozen=True)
class LoadedImage:
    """A picture as the encoder wants it.

    Attributes:
        pixels: ``(height, width, 1 or 3)`` samples in sRGB (or plain gray), upright, without alpha.
        notes: one line for each thing that was changed or left behind, for people to read.
    """

    pixels: Pixels
    notes: tuple[str, ...] = ()


def load_image(
    source: str | os.PathLike[str] | bytes, *, alpha: str = "drop", depth: Literal["auto", 8, 16] = "auto"
) -> LoadedImage:
    """Read a picture.

    Gray stays one channel; palettes, CMYK and YCbCr become RGB; the EXIF orientation is applied, a colour profile is
    converted to sRGB, and every other piece of metadata is dropped.

    Args:
        source: path of the file, or its bytes.
        alpha: ``"drop"`` keeps the colours and forgets the opacity; ``"#rrggbb"`` composites over that colour.
        depth: bits per sample of the result; ``"auto"`` keeps 16 where the file has it.

    Returns:
        The pixels, ``uint8`` or ``uint16`` of shape ``(height, width, 1 or 3)``, and the remarks.

    Raises:
        ImageError: the file is missing, empty, damaged, too large or not a picture; the message is one line.
        ValueError: ``alpha`` is neither "drop" nor a colour.
    """
    background = parse_alpha(alpha)
    name, data = _read(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on EXIF, palettes and size; ours are in the notes
            samples, notes = _open(data)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not a picture in a format this program reads, or damaged") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{name}: the picture is too large") from None
    except MemoryError:
        raise ImageError(f"{name}: not enough memory for the picture") from None
    except Exception as error:  # damaged files make Pillow's plugins raise nearly anything
        raise ImageError(f"{name}: cannot read the picture: {_one_line(error)}") from error
    samples, alpha_notes = flatten(samples, background)
    samples = _with_depth(samples, depth)
    pixels = Pixels(np.ascontiguousarray(samples.array), samples.depth)
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


def _open(data: bytes) -> tuple[Samples, list[str]]:
    """Decode, turn upright, convert to sRGB. Pillow may raise anything here."""
    notes: list[str] = []
    with Image.open(io.BytesIO(data)) as image:
        if image.format not in READABLE:
            raise ImageError(f"pictures in {image.format} format are not supported")
        if getattr(image, "n_frames", 1) > 1:
            notes.append(f"first of {getattr(image, 'n_frames', 1)} frames only")
        if image.format == "PNG":
            _check_png(data)
        image.load()
        metadata = _metadata_bytes(image)
        samples, remarks = read_samples(image, data)
        notes += remarks
        samples, remarks = to_srgb(samples, image)
        notes += remarks
        orientation = _orientation(image)
        if orientation != 1:
            samples = _upright(samples, orientation)
            notes.append("EXIF orientation applied")
    if metadata:
        notes.append(f"metadata dropped ({metadata} bytes)")
    return samples, notes


def _check_png(data: bytes) -> None:
    """Compare the checksums of all chunks; while loading, Pillow skips those of the pixels."""
    with Image.open(io.BytesIO(data)) as image:
        image.verify()


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8; anything unreadable counts as upright."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF raises nearly anything and must not cost the picture
        return 1
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


def _metadata_bytes(image: Image.Image) -> int:
    """Bytes of profile, EXIF, XMP, comments and text that will not be in the coded file."""
    blobs = [image.info.get(key) for key in ("icc_profile", "exif", "xmp", "comment", "photoshop")]
    blobs += list(getattr(image, "text", {}).values())
    return sum(len(blob) for blob in blobs if isinstance(blob, bytes | str))


def _with_depth(samples: Samples, depth: Literal["auto", 8, 16]) -> Samples:
    """Rescale samples to another bit depth; 255 and 65535 stay white."""
    if depth in ("auto", samples.depth):
        return samples
    if depth == 16:
        return Samples(samples.array.astype(np.uint16) * np.uint16(257), 16)
    return Samples(((samples.array.astype(np.uint32) + 128) // 257).astype(np.uint8), 8)


def _one_line(error: BaseException) -> str:
    """The first line of an error's text, or its kind where it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
