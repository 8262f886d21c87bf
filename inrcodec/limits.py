"""The numbers a decoder refuses to exceed, checked before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inrcodec.errors import LimitError

MAX_DEPTH = 64
"""Hidden layers of a network."""

MAX_WIDTH = 4096
"""Neurons of a hidden layer."""

MAX_SYMBOL = 3968
"""Largest magnitude of a quantised weight; bounds every alphabet to 7937 symbols."""

MAX_SECTIONS = 16
"""Sections of a file."""


@dataclass(frozen=True)
class Limits:
    """What one decode may cost. Raise a field to accept larger files.

    Attributes:
        max_side: longest side of the picture, in pixels.
        max_pixels: pixels of the picture that is asked for (after scaling or cropping).
        max_params: weights and biases of the network.
        max_work: pixels (or latents) times weights, in multiply-adds; bounds time rather than memory.
        max_latents: latents of all grids together.
        max_metadata: bytes of profile, EXIF and XMP together, once expanded.
    """

    max_side: int = 65535
    max_pixels: int = 1 << 28
    max_params: int = 1 << 22
    max_work: int = 1 << 43
    max_latents: int = 1 << 26
    max_metadata: int = 1 << 24

    def check_size(self, width: int, height: int) -> None:
        """Refuse a picture that is too large.

        Raises:
            LimitError: a side or the number of pixels is over the limit.
        """
        if max(width, height) > self.max_side:
            raise LimitError(f"picture of {width}x{height} has a side over the limit of {self.max_side}")
        if width * height > self.max_pixels:
            raise LimitError(f"picture of {width}x{height} has more than {self.max_pixels} pixels (the limit)")

    def check_params(self, params: int) -> None:
        """Refuse a network that is too large.

        Raises:
            LimitError: more than ``max_params`` weights.
        """
        if params > self.max_params:
            raise LimitError(f"network of {params} weights is over the limit of {self.max_params}")

    def check_latents(self, latents: int) -> None:
        """Refuse grids that are too large.

        Raises:
            LimitError: more than ``max_latents`` latents.
        """
        if latents > self.max_latents:
            raise LimitError(f"{latents} latents are over the limit of {self.max_latents}")

    def check_metadata(self, size: int) -> None:
        """Refuse metadata that is too large.

        Raises:
            LimitError: more than ``max_metadata`` bytes.
        """
        if size > self.max_metadata:
            raise LimitError(f"{size} bytes of metadata are over the limit of {self.max_metadata}")

    def check_work(self, pixels: int, params: int) -> None:
        """Refuse a forward pass that would take too long.

        Raises:
            LimitError: more than ``max_work`` multiply-adds.
        """
        if pixels * params > self.max_work:
            raise LimitError(f"{pixels} pixels of a {params}-weight network is over the work limit of {self.max_work}")

    def less(self, *, work: int, latents: int) -> Limits:
        """What is left for a second picture in the same file.

        Args:
            work: multiply-adds that the first one takes.
            latents: those of its grids.
        """
        return replace(self, max_work=max(0, self.max_work - work), max_latents=max(0, self.max_latents - latents))
