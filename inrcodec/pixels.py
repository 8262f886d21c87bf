"""The picture as it travels between the rooms: samples, their bit depth, and what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Metadata:
    """What a picture's file says besides its pixels; empty where it says nothing.

    Attributes:
        icc: colour profile of the samples, which are not sRGB then.
        exif: EXIF, a TIFF structure without the ``Exif`` that JPEG puts before it.
        xmp: XMP packet, XML.
    """

    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""

    def __bool__(self) -> bool:
        return bool(self.icc or self.exif or self.xmp)


@dataclass(frozen=True)
class Pixels:
    """A gray or RGB picture.

    Attributes:
        array: ``(height, width, channels)`` samples, ``uint8`` at depth 8 and ``uint16`` at depth 16.
        depth: bits per sample, 8 or 16.
        alpha: ``(height, width)`` opacity of the same type, 0 for what cannot be seen; None for an opaque picture.
            Colours are not multiplied by it.
        metadata: what is kept of the file that the picture came from.
    """

    array: NDArray[Any]
    depth: int = 8
    alpha: NDArray[Any] | None = None
    metadata: Metadata = Metadata()

    def __post_init__(self) -> None:
        dtype = {8: np.uint8, 16: np.uint16}.get(self.depth)
        if dtype is None or self.array.dtype != dtype:
            raise ValueError(f"depth {self.depth} does not go with samples of type {self.array.dtype}")
        if self.array.ndim != 3 or self.array.shape[2] not in (1, 3) or 0 in self.array.shape:
            raise ValueError(f"expected a (height, width, 1 or 3) array, got shape {self.array.shape}")
        alpha = self.alpha
        if alpha is not None and (alpha.dtype != dtype or alpha.shape != self.array.shape[:2]):
            raise ValueError(f"an alpha of {alpha.dtype} {alpha.shape} does not go with {dtype} {self.array.shape}")

    @classmethod
    def of(cls, array: NDArray[Any], depth: int, metadata: Metadata = Metadata()) -> Pixels:
        """A picture whose second or fourth channel, if there is one, is its alpha; the inverse of :attr:`samples`."""
        if array.ndim != 3 or array.shape[2] not in (2, 4):
            return cls(np.ascontiguousarray(array), depth, metadata=metadata)
        colours, alpha = np.ascontiguousarray(array[:, :, :-1]), np.ascontiguousarray(array[:, :, -1])
        return cls(colours, depth, alpha, metadata)

    @property
    def samples(self) -> NDArray[Any]:
        """Colours and, if there is one, the alpha as one more channel."""
        return self.array if self.alpha is None else np.concatenate([self.array, self.alpha[:, :, None]], axis=2)

    @property
    def visible(self) -> NDArray[np.bool_] | None:
        """``(height, width)``, where something can be seen; None if that is everywhere."""
        return None if self.alpha is None or self.alpha.all() else self.alpha > 0

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.array.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.array.shape[1])

    @property
    def channels(self) -> int:
        """1 for gray, 3 for RGB."""
        return int(self.array.shape[2])

    @property
    def count(self) -> int:
        """Pixels of the picture (the denominator of bpp)."""
        return self.height * self.width

    @property
    def peak(self) -> int:
        """Largest sample value, 255 or 65535."""
        return (1 << self.depth) - 1

    def unit(self) -> NDArray[np.float32]:
        """Samples scaled to [0, 1], ``(height * width, channels)``."""
        return (self.array.reshape(-1, self.channels).astype(np.float32)) / np.float32(self.peak)

    @classmethod
    def from_unit(cls, samples: NDArray[np.floating[Any]], height: int, width: int, depth: int) -> Pixels:
        """Round samples in [0, 1] (clipped) back to integers; the inverse of :meth:`unit`."""
        peak = (1 << depth) - 1
        scaled = np.clip(samples, 0.0, 1.0) * np.float32(peak)
        dtype = np.uint8 if depth == 8 else np.uint16
        return cls(np.rint(scaled).astype(dtype).reshape(height, width, -1), depth)
