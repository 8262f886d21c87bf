"""What the bench asks of a codec, and the codecs by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inrcodec.encoder import Progress
from inrcodec.errors import InrError

Picture = NDArray[np.uint8]
"""``(height, width, 3)`` samples; a gray picture has three equal channels."""

NAMES = ("inr", "jpeg", "jpeg-opt", "webp", "avif", "avif-psnr", "jpeg2000", "jxl", "jpeg-compressai")
"""Every codec there is; ``inr`` takes options after a colon."""

DEFAULT = ("inr", "jpeg", "jpeg-opt", "webp", "avif", "avif-psnr", "jpeg2000", "jxl")
"""The codecs of a comparison that names none. ``jpeg`` is what compressai's would give without its weight."""


class CodecError(InrError):
    """A codec gave no file; the message is one line that says why."""


@dataclass(frozen=True)
class Coded:
    """A file that a codec wrote.

    Attributes:
        data: the whole file.
        setting: what gave it, for people: ``quality 37``.
        seed: of the random numbers; -1 where there are none.
    """

    data: bytes
    setting: str
    seed: int = -1


class Codec(Protocol):
    """One way to code a picture."""

    @property
    def name(self) -> str:
        """Name of the codec or of the variant, as results carry it."""

    def available(self) -> str:
        """Empty if it can run here, else one line saying what is missing."""

    def within(self, picture: Picture, cap: int) -> Coded:
        """The best file of at most ``cap`` bytes; where none is that small, the smallest file.

        Raises:
            InrError: there is no file; the message says why.
        """

    def sweep(self, picture: Picture) -> Iterator[Coded]:
        """Files over the whole range of rates, smallest first; none from a codec that is made for targets."""

    def decode(self, data: bytes) -> Picture:
        """The picture of a file that this codec wrote."""

    def versions(self) -> str:
        """What makes the files, with versions: ``Pillow 13.0.0; libwebp 1.6.0``."""


def codec(
    spec: str, *, effort: int = 5, threads: int | None = None, observer: Callable[[Progress], None] | None = None
) -> Codec:
    """The codec of a name.

    Args:
        spec: one of `NAMES`. ``inr`` takes options: ``inr:method=coin,effort=1,layers=7x56,seed=3,set.lr=5e-4``;
            such a variant goes by all of that text, or by a name put before it: ``small=inr:layers=4x32``.
        effort: for ours, where the text names none.
        threads: for ours; all cores if left out.
        observer: told about the progress of ours.

    Raises:
        ValueError: there is no such codec or option; the message names the choices.
    """
    head, colon, options = spec.partition(":")
    given, equals, base = head.rpartition("=")
    name = given if equals else spec
    if base not in NAMES:
        raise ValueError(f"no codec {base!r}; there are {', '.join(NAMES)}")
    if not name.strip() or any(character.isspace() for character in name):
        raise ValueError(f"a codec's name is one word, not {name!r}")
    if base == "inr":
        from inrcodec.bench.codecs.inr import variant

        return variant(name, options, effort=effort, threads=threads, observer=observer)
    if colon:
        raise ValueError(f"{base} takes no options; only inr does")
    return _classic(base, name)


def split(text: str) -> list[str]:
    """The codecs of a list with commas: those inside the options of one codec do not separate.

    ``inr:effort=1,layers=4x32,webp`` is two codecs.
    """
    found: list[str] = []
    for piece in text.split(","):
        base = piece.partition(":")[0].rpartition("=")[2]
        begins = base in NAMES or not ("=" in piece or _is_number(piece))
        if begins or not found:
            found.append(piece.strip())
        else:
            found[-1] += "," + piece.strip()
    return [spec for spec in found if spec]


def _classic(base: str, name: str) -> Codec:
    """One of the codecs that other people wrote."""
    if base == "jpeg-compressai":
        from inrcodec.bench.codecs.compressai_jpeg import CompressaiJpeg

        return CompressaiJpeg(name)
    from inrcodec.bench.codecs.classic import classic

    return classic(base, name)


def _is_number(text: str) -> bool:
    """Whether a piece can only be the second half of a pair like ``set.sigma=0.2,0.1``."""
    try:
        float(text)
    except ValueError:
        return False
    return True
