"""JPEG 2000 through OpenJPEG: a compression ratio in place of a quality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, __version__, features

from inrcodec.bench.codec import Coded, Picture
from inrcodec.bench.codecs.pillow import save, to_image, to_picture
from inrcodec.bench.codecs.search import largest_within

RATIOS = (600, 343, 240, 160, 120, 80, 60, 40, 30, 20, 15, 12, 8)
"""Compression ratios of a sweep: 0.04 to 3 bits per pixel of an RGB picture."""

_GRID = 2000
"""Steps of the search to the full cap. A file may come out smaller or larger than its ratio says: hence the margin."""

_MARGIN = 1.1


@dataclass(frozen=True)
class Jpeg2000:
    """JPEG 2000 as its best for PSNR: the irreversible 9/7 wavelet and the colour transform.

    The transform is Pillow's ``mct=1``; its default of 0 codes R, G and B apart and loses 1.4 to 4.6 dB on Kodak.
    """

    name: str

    def available(self) -> str:
        """Empty if Pillow was built with OpenJPEG, else one line saying so."""
        return "" if features.check("jpg_2000") else f"{self.name}: this Pillow ({__version__}) has no OpenJPEG"

    def within(self, picture: Picture, cap: int) -> Coded:
        """The smallest ratio whose file has at most ``cap`` bytes; where none is that small, the smallest file."""
        image, raw = to_image(picture), picture.size

        def ratio(setting: int) -> float:
            return raw * _GRID / (cap * setting)

        setting, data = largest_within(lambda k: _encode(image, ratio(k)), 1, int(_MARGIN * _GRID), cap)
        return Coded(data, f"ratio {ratio(setting):.2f}")

    def sweep(self, picture: Picture) -> Iterator[Coded]:
        """A file for each of `RATIOS`."""
        image = to_image(picture)
        for ratio in RATIOS:
            yield Coded(_encode(image, ratio), f"ratio {ratio}")

    def decode(self, data: bytes) -> Picture:
        """The picture of a file."""
        return to_picture(data)

    def versions(self) -> str:
        """Pillow's version and OpenJPEG's."""
        return f"Pillow {__version__}; OpenJPEG {features.version('jpg_2000') or '?'}"


def _encode(image: Image.Image, ratio: float) -> bytes:
    return save(image, "JPEG2000", quality_mode="rates", quality_layers=[float(ratio)], irreversible=True, mct=1)
