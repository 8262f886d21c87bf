"""A file that could be the result of an encode, decoded and measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from inrcodec.coding.symbols import Symbols
from inrcodec.decoder import decode_pixels, decoding_work, draw
from inrcodec.errors import InrError
from inrcodec.fit.checkpoint import Outcome
from inrcodec.format.stream import Stream
from inrcodec.limits import Limits
from inrcodec.metrics import picture_psnr
from inrcodec.pixels import Pixels

_CHECK_DB = 0.05
"""The decoded file may differ from the fitted net by this much; more means a broken build, not rounding."""


Fitted = TypeVar("Fitted", bound=Outcome)


@dataclass(frozen=True)
class Candidate(Generic[Fitted]):
    """A file that could be the result.

    Attributes:
        stream: what it holds.
        data: its bytes.
        psnr: of the decoded picture, where something can be seen of it.
        cap: bytes it was made for.
        fitted: what the fit came to that it was made of.
    """

    stream: Stream
    data: bytes
    psnr: float
    cap: int
    fitted: Fitted

    @classmethod
    def of(cls, pixels: Pixels, stream: Stream, cap: int, fitted: Fitted) -> Candidate[Fitted]:
        """Pack a stream, and see what it shows."""
        return cls(stream, stream.data, picture_psnr(pixels, draw(stream).array), cap, fitted)

    @property
    def kept(self) -> int:
        """Weights that are not zero."""
        weights = self.stream.weights
        return weights.kept if isinstance(weights, Symbols) else sum(int(np.count_nonzero(w)) for w in weights.values())

    @property
    def needs(self) -> int | None:
        """Work that a decoder has to be allowed for the file, if it is more than the default."""
        work = decoding_work(self.data)
        return work if work > Limits().of_file(len(self.data)).max_work else None

    def check(self, pixels: Pixels) -> None:
        """Decode the very bytes once more.

        Raises:
            InrError: they do not show what was measured.
        """
        limits = Limits() if self.needs is None else Limits(max_work=self.needs, base_work=self.needs)
        decoded = picture_psnr(pixels, decode_pixels(self.data, limits=limits).array)
        if not math.isclose(decoded, self.psnr, abs_tol=_CHECK_DB):
            raise InrError(
                f"self-check failed: the file decodes to {decoded:.2f} dB, not {self.psnr:.2f}; nothing was written"
            )
