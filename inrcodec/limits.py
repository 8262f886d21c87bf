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

    The work that a file may ask for grows with its length, so that large pictures of large files pass, and a few bytes
    cannot buy hours: ``base_work`` is for everybody, and each byte beyond ``base_bytes`` adds ``byte_work``.

    Attributes:
        max_side: longest side of the picture, in pixels.
        max_pixels: pixels of the picture that is asked for (after scaling or cropping).
        max_params: weights and biases of the network.
        max_work: work of one decode, whatever the length of its file; bounds time, see :mod:`inrcodec.net.work`.
        max_latents: latents of all grids together.
        max_metadata: bytes of profile, EXIF and XMP together, once expanded.
        base_work: work that files of up to ``base_bytes`` may ask for; about 1.5 seconds of two cores.
        base_bytes: length up to which a file is small.
        byte_work: work for every byte more.
    """

    max_side: int = 65535
    max_pixels: int = 1 << 28
    max_params: int = 1 << 22
    max_work: int = 1 << 42
    max_latents: int = 1 << 26
    max_metadata: int = 1 << 24
    base_work: int = 1 << 35
    base_bytes: int = 10_000
    byte_work: int = 1 << 25

    def of_file(self, size: int) -> Limits:
        """The limits of a file of ``size`` bytes: with the ``max_work`` that its length buys."""
        allowed = self.base_work + self.byte_work * max(0, size - self.base_bytes)
        return replace(self, max_work=min(self.max_work, allowed))

    def check_size(self, width: int, height: int) -> None:
        """Refuse a picture that is too large.

        Raises:
            LimitError: a side or the number of pixels is over the limit.
        """
        if max(width, height) > self.max_side:
            raise LimitError(f"picture of {width}x{height} has a side over the limit of {self.max_side} (max_side)")
        if width * height > self.max_pixels:
            raise LimitError(f"picture of {width}x{height} is over the limit of {self.max_pixels} pixels (max_pixels)")

    def check_params(self, params: int) -> None:
        """Refuse a network that is too large.

        Raises:
            LimitError: more than ``max_params`` weights.
        """
        if params > self.max_params:
            raise LimitError(f"network of {params} weights is over the limit of {self.max_params} (max_params)")

    def check_latents(self, latents: int) -> None:
        """Refuse grids that are too large.

        Raises:
            LimitError: more than ``max_latents`` latents.
        """
        if latents > self.max_latents:
            raise LimitError(f"{latents} latents are over the limit of {self.max_latents} (max_latents)")

    def check_metadata(self, size: int) -> None:
        """Refuse metadata that is too large.

        Raises:
            LimitError: more than ``max_metadata`` bytes.
        """
        if size > self.max_metadata:
            raise LimitError(f"{size} bytes of metadata are over the limit of {self.max_metadata} (max_metadata)")

    def check_work(self, work: int) -> None:
        """Refuse a decode that would take too long.

        Args:
            work: in multiply-adds; see :mod:`inrcodec.net.work`.

        Raises:
            LimitError: more than ``max_work``.
        """
        if work > self.max_work:
            raise LimitError(
                f"decoding this takes work of {work:,}, over the limit of {self.max_work:,} for a file of its length "
                "(max_work; a part of it takes less)"
            )

    def less(self, *, work: int, latents: int) -> Limits:
        """What is left for a second picture in the same file.

        Args:
            work: multiply-adds that the first one takes.
            latents: those of its grids.
        """
        return replace(self, max_work=max(0, self.max_work - work), max_latents=max(0, self.max_latents - latents))
