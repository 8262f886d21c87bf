"""Everything that can go wrong on purpose, as one family.

``decode`` and ``probe`` raise only subclasses of :class:`InrError`, whatever bytes they are given.
"""

from __future__ import annotations


class InrError(Exception):
    """Base of every error inrcodec raises on purpose; its message is one readable line."""


class BitstreamError(InrError):
    """The bytes are not a valid inrcodec file."""


class BadMagic(BitstreamError):
    """The file does not begin with the inrcodec magic."""


class UnsupportedVersion(BitstreamError):
    """The file uses a format version or a feature this decoder does not know."""


class Truncated(BitstreamError):
    """The file ends before (or goes on after) the length its header declares."""


class ChecksumMismatch(BitstreamError):
    """The CRC-32 of the file does not match: some bit of it changed."""


class LimitError(BitstreamError):
    """The file asks for more than the decoder's limits allow."""


class ImageError(InrError):
    """A picture cannot be read or written."""


class TargetError(InrError):
    """The requested size or quality cannot be reached.

    Attributes:
        smallest_bytes: the smallest file the encoder can write for this picture, if known.
        best_psnr: the best PSNR in dB the encoder reached, if the target was a quality.
    """

    def __init__(self, message: str, *, smallest_bytes: int | None = None, best_psnr: float | None = None) -> None:
        super().__init__(message)
        self.smallest_bytes = smallest_bytes
        self.best_psnr = best_psnr


def one_line(error: BaseException) -> str:
    """The first line of an error's text, or its kind where it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
