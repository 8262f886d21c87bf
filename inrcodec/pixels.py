"""The picture as it travels between the rooms: an array of samples and its bit depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pixels:
    """A gray or RGB picture.

    Attributes:
        array: ``(height, width, channels)`` samples, ``uint8`` at depth 8 and ``uint16`` at depth 16.
        depth: bits per sample, 8 or 16.
    """

    array: NDArray[Any]
    depth: int = 8

    def __post_init__(self) -> None:
        dtype = {8: np.uint8, 16: np.uint16}.get(self.depth)
        if dtype is None or self.array.dtype != dtype:
            raise ValueError(f"depth {self.depth} does not go with samples of type {self.array.dtype}")
        if self.array.ndim != 3 or self.array.shape[2] not in (1, 3) or 0 in self.array.shape:
            raise ValueError(f"expected a (height, width, 1 or 3) array, got shape {self.array.shape}")

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
