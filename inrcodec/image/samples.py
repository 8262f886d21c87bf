"""Pillow's many modes -> arrays of gray or RGB samples, with an opacity beside them where there is one."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inrcodec.errors import ImageError

_DIRECT = frozenset({"L", "RGB", "CMYK"})
_ALPHA = {"LA": "LA", "La": "LA", "RGBA": "RGBA", "RGBa": "RGBA", "PA": "RGBA"}
_OPAQUE = {"1": "L", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}
_PNG_TRUECOLOUR = {2: "RGB;16L", 6: "RGBA;16L"}  # colour type -> raw mode that reads the other byte of each sample
_PNG_GRAY_ALPHA = 4
_PNG_RGBA = 6


@dataclass(frozen=True)
class Samples:
    """A picture on its way in.

    Attributes:
        array: ``(height, width, channels)`` samples; 1 channel is gray, 3 RGB, 4 CMYK (never with alpha).
        depth: bits per sample, 8 or 16.
        alpha: ``(height, width, 1)`` opacity of the same type, or None where everything is opaque.
    """

    array: NDArray[Any]
    depth: int = 8
    alpha: NDArray[Any] | None = None

    def map(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Samples:
        """Apply a change of geometry to the samples and the opacity alike."""
        return replace(self, array=change(self.array), alpha=None if self.alpha is None else change(self.alpha))


def read_samples(image: Image.Image, data: bytes) -> tuple[Samples, list[str]]:
    """Take the samples out of a loaded Pillow picture.

    Args:
        image: the picture, loaded.
        data: the bytes it came from; a 16-bit colour PNG is read from them a second time.

    Returns:
        The samples and remarks on what was lost.

    Raises:
        ImageError: the picture has samples that do not fit in 16 bits.
    """
    mode = image.mode
    if mode == "I" or mode.startswith("I;16"):
        return _wide_gray(image), []
    if mode == "F":
        raise ImageError("floating-point samples are not supported")
    if mode in _ALPHA or "transparency" in image.info:
        gray = mode in ("L", "LA", "La", "1")
        array = np.asarray(image.convert("LA" if gray else "RGBA"))
        samples = Samples(array[:, :, :-1], alpha=array[:, :, -1:])
    elif mode in _DIRECT or mode in _OPAQUE:
        array = np.asarray(image if mode in _DIRECT else image.convert(_OPAQUE[mode]))
        samples = Samples(array.reshape(image.height, image.width, -1))
    else:
        raise ImageError(f"pixels of kind {mode} are not supported")
    return _widened(samples, image, data)


def _wide_gray(image: Image.Image) -> Samples:
    """Gray of 16 bits (or of 32 that happen to hold 16), with the transparent level PNG may name."""
    array = np.asarray(image)
    if array.min() < 0 or array.max() > 65535:
        raise ImageError("gray samples of more than 16 bits are not supported")
    array = array.astype(np.uint16)[:, :, None]
    level = image.info.get("transparency")
    if not isinstance(level, int):
        return Samples(array, 16)
    return Samples(array, 16, np.where(array == level, 0, 65535).astype(np.uint16))


def _widened(samples: Samples, image: Image.Image, data: bytes) -> tuple[Samples, list[str]]:
    """Give a 16-bit colour PNG, which Pillow reads as 8 bits, its low bytes back.

    Pillow keeps the high byte of each sample. Reading the file again with the little-endian raw mode keeps the other
    one. Where that is not possible the picture stays at 8 bits.
    """
    if image.format != "PNG" or len(data) < 26 or data[24] != 16:
        return samples, []
    if data[25] == _PNG_GRAY_ALPHA:
        return _wide_gray_alpha(data), []
    raw_mode = _PNG_TRUECOLOUR.get(data[25])
    if raw_mode is None:
        return samples, ["16-bit samples read as 8 bits"]
    with Image.open(io.BytesIO(data)) as second:
        (codec, box, offset, args), *rest = second.tile
        if rest or args != raw_mode.replace("L", "B"):
            return samples, ["16-bit samples read as 8 bits"]
        second.tile = [(codec, box, offset, raw_mode)]  # type: ignore[list-item]  # old Pillows know plain tuples only
        wide = np.asarray(image).astype(np.uint16) << 8 | np.asarray(second)
    clear = image.info.get("transparency")
    if isinstance(clear, tuple):  # one colour, of 16 bits
        seen = (wide != np.array(clear, np.uint16)).any(axis=2, keepdims=True)
        return Samples(wide, 16, np.where(seen, 65535, 0).astype(np.uint16)), []
    return Samples(wide[:, :, :3], 16, wide[:, :, 3:] if wide.shape[2] == 4 else None), []


def _wide_gray_alpha(data: bytes) -> Samples:
    """A PNG of gray and alpha in 16 bits: its four bytes a pixel are laid out as those of RGBA in 8 bits."""
    header = data[16:24] + bytes([8, _PNG_RGBA]) + data[26:29]
    relabelled = data[:16] + header + zlib.crc32(b"IHDR" + header).to_bytes(4, "big") + data[33:]
    with Image.open(io.BytesIO(relabelled)) as image:
        wide = np.ascontiguousarray(np.asarray(image)).view(">u2").astype(np.uint16)
    return Samples(wide[:, :, :1], 16, wide[:, :, 1:])
