"""JPEG XL through the plugin ``pillow-jxl-plugin``, where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from PIL import Image, __version__

from inrcodec.bench.codec import Coded, Picture
from inrcodec.bench.codecs.pillow import save, to_image, to_picture
from inrcodec.bench.codecs.search import largest_within

QUALITIES = (0, 3, 6, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 95)
"""Qualities of a sweep. Below about 20 libjxl codes at half the resolution, so the curve has a step there."""

_HIGHEST = 99  # 100 is lossless

_LOOK = 8
"""Where libjxl leaves the half resolution, files of up to five qualities higher are smaller."""


@dataclass(frozen=True)
class Jxl:
    """JPEG XL at libjxl's default effort; it aims at eyes, not at PSNR."""

    name: str

    def available(self) -> str:
        """Empty if the plugin is there, else one line saying how to get it."""
        return "" if find_spec("pillow_jxl") else f"{self.name}: needs pillow-jxl-plugin (the extra inrcodec[jxl])"

    def within(self, picture: Picture, cap: int) -> Coded:
        """The highest quality whose file has at most ``cap`` bytes; where none is that small, the smallest file."""
        quality, data = largest_within(partial(encode, to_image(picture)), 0, _HIGHEST, cap, _LOOK)
        return Coded(data, f"quality {quality}")

    def sweep(self, picture: Picture) -> Iterator[Coded]:
        """A file for each of `QUALITIES`."""
        image = to_image(picture)
        for quality in QUALITIES:
            yield Coded(encode(image, quality), f"quality {quality}")

    def decode(self, data: bytes) -> Picture:
        """The picture of a file."""
        import pillow_jxl  # noqa: F401 - importing it registers the format

        return to_picture(data)

    def versions(self) -> str:
        """Pillow's version and the plugin's."""
        try:
            plugin = version("pillow-jxl-plugin")
        except PackageNotFoundError:
            plugin = "?"
        return f"Pillow {__version__}; pillow-jxl-plugin {plugin}"


def encode(image: Image.Image, quality: int) -> bytes:
    """The file of one quality."""
    import pillow_jxl  # noqa: F401 - importing it registers the format

    return save(image, "JXL", quality=quality, effort=7, num_threads=1)
