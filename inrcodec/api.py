"""The Python interface: ``inrcodec.encode``, ``inrcodec.decode``, ``inrcodec.probe``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import NDArray

from inrcodec.decoder import Info, View, decode_pixels
from inrcodec.decoder import probe as _probe
from inrcodec.encoder import EncodeOptions, Progress, Target, encode_pixels
from inrcodec.errors import ImageError
from inrcodec.limits import Limits
from inrcodec.pixels import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo

Picture = Union[str, Path, NDArray[Any], "Image"]
"""A file name, a Pillow image, or an array of uint8 or uint16: ``(h, w)`` or ``(h, w, c)`` with c = 1 (gray), 2 (gray
and alpha), 3 (RGB) or 4 (RGB and alpha)."""


def encode(
    image: Picture,
    *,
    bpp: float | None = None,
    size: int | None = None,
    psnr: float | None = None,
    effort: int = 5,
    method: str = "l0",
    layers: str | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    max_time: float | None = None,
    alpha: str = "keep",
    metadata: str = "none",
    observer: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> bytes:
    """Encode a picture.

    Args:
        image: see :data:`Picture`. Gray stays one channel.
        bpp: hard cap on the file in bits per pixel; 0.3 if no target is given. At most one of bpp, size, psnr.
        size: hard cap on the file in bytes.
        psnr: smallest file whose decoded picture reaches this PSNR, in dB over the colours of all pixels that are not
            fully transparent.
        effort: 1 (seconds) to 9.
        method: ``l0`` (sparse, quantised, entropy-coded) or ``coin`` (dense, 16 bits a weight).
        layers: hidden layers as ``4x64``; chosen from the budget if left out.
        seed: same seed, threads and machine give the same bytes.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: CPU threads; all cores if left out.
        max_time: seconds the encode may take.
        alpha: ``keep`` codes the opacity, within the cap; ``drop`` forgets it; ``#rrggbb`` composites over a colour.
        metadata: of a file or a Pillow image: ``none``, ``all`` or some of ``icc,exif,xmp``, within the cap.
        observer: told about progress a few times a second.
        stop: polled every step; True ends the fit with the best feasible file.

    Returns:
        The bytes of an ``.inr`` file, never more than the cap.

    Raises:
        TargetError: no file meets the target.
        ImageError: the picture cannot be read.
        ValueError: arguments that make no sense.
    """
    given = [(kind, value) for kind, value in (("bpp", bpp), ("bytes", size), ("psnr", psnr)) if value is not None]
    if len(given) > 1:
        raise ValueError("give one of bpp, size and psnr, not several")
    kind, value = given[0] if given else ("bpp", 0.3)
    options = EncodeOptions(
        effort=effort, method=method, layers=layers, seed=seed, device=device, threads=threads, max_time=max_time
    )
    target = Target(kind, float(value))  # type: ignore[arg-type]
    return encode_pixels(_pixels(image, alpha, metadata), target, options, observer=observer, stop=stop).data


def decode(
    data: bytes,
    *,
    scale: float | None = None,
    width: int | None = None,
    height: int | None = None,
    crop: tuple[int, int, int, int] | None = None,
    depth: int | None = None,
    limits: Limits | None = None,
) -> NDArray[Any]:
    """Decode a file.

    Args:
        data: the whole file, any bytes at all.
        scale: draw at this factor of the coded size; at most one of scale, width, height.
        width: draw this many columns, rows in proportion.
        height: draw this many rows, columns in proportion.
        crop: ``(x, y, width, height)`` in pixels of the drawn size; only these are drawn.
        depth: 8 or 16 bits a sample; the file's own if left out.
        limits: what the decode may cost in memory and time.

    Returns:
        ``(h, w, c)`` samples, c = 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha); uint8 at depth 8, uint16
        at depth 16.

    Raises:
        BitstreamError: not a valid file (``LimitError`` if it asks for too much).
        ValueError: a view that makes no sense.
    """
    return decode_pixels(data, View(scale, width, height, crop, depth), limits).samples


def probe(data: bytes, *, limits: Limits | None = None) -> Info:
    """Describe a file without decoding its weights or pixels; checks its framing and its CRC.

    Raises:
        BitstreamError: not a valid file.
    """
    return _probe(data, limits)


def _pixels(image: Picture, alpha: str, metadata: str) -> Pixels:
    from inrcodec.image import load_image, with_alpha

    if isinstance(image, np.ndarray):
        array = image[..., None] if image.ndim == 2 else image
        if array.dtype not in (np.uint8, np.uint16) or array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4):
            raise ValueError(
                f"an array picture is (h, w[, 1 to 4]) of uint8 or uint16, not {image.shape} {image.dtype}"
            )
        return with_alpha(Pixels.of(array, 8 * array.dtype.itemsize), alpha)
    if isinstance(image, (str, Path)):
        return load_image(image, alpha=alpha, metadata=metadata).pixels
    import io

    from inrcodec.image.metadata import XMP_TAG, copy_of, exif_of

    buffer, exif, packet = io.BytesIO(), exif_of(image), image.info.get("xmp")
    lossless = "PNG" if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "TIFF"
    try:
        if lossless == "TIFF" and isinstance(packet, bytes):
            exif = copy_of(exif)
            exif[XMP_TAG] = packet
        image.save(buffer, lossless, exif=exif, pnginfo=_texts(image))
    except (OSError, KeyError, ValueError) as error:
        raise ImageError(f"cannot read a Pillow image of mode {image.mode}: {error}") from error
    return load_image(buffer.getvalue(), alpha=alpha, metadata=metadata).pixels


def _texts(image: Image) -> PngInfo:
    """The XMP packet of an image, which Pillow would not write into a PNG file by itself."""
    from PIL.PngImagePlugin import PngInfo

    texts, packet = PngInfo(), image.info.get("xmp")
    if isinstance(packet, bytes):
        texts.add_itxt("XML:com.adobe.xmp", packet.decode("utf-8", "replace"))
    return texts
