"""The codecs that other people wrote, each at the settings its name stands for."""

from __future__ import annotations

from inrcodec.bench.codec import Codec
from inrcodec.bench.codecs.jpeg2000 import Jpeg2000
from inrcodec.bench.codecs.jxl import Jxl
from inrcodec.bench.codecs.pillow import PillowCodec

_JPEG = ("JPEG", "jpg", ("libjpeg-turbo", "libjpeg_turbo"), (1, 3, 5, 7, 10, 15, 20, 30, 40, 50, 65, 80, 90, 95), 1, 95)
_WEBP = ("WEBP", "webp", ("libwebp", "webp"), (0, 3, 8, 12, 20, 30, 40, 50, 60, 75, 85, 90, 95), 0, 100)
_AVIF = ("AVIF", "avif", ("libavif", "avif"), (0, 3, 8, 14, 20, 27, 34, 42, 50, 58, 66, 75, 85), 0, 100)


def classic(base: str, name: str) -> Codec:
    """The codec of a base name, going by ``name`` in the results."""
    if base == "jpeg2000":
        return Jpeg2000(name)
    if base == "jxl":
        return Jxl(name)
    return _PILLOW[base](name)


def _jpeg(name: str) -> PillowCodec:
    """What papers plot as JPEG: the tables of 1992, 4:2:0."""
    return PillowCodec(name, *_JPEG)


def _jpeg_opt(name: str) -> PillowCodec:
    """What JPEG can do: the same pixels in a third fewer bytes at low rates."""
    return PillowCodec(name, *_JPEG, {"optimize": True, "progressive": True, "subsampling": "4:2:0"})


def _webp(name: str) -> PillowCodec:
    """WebP at its slowest, which is its best. In tenths: from quality 0 to 1 its files grow by up to 70 %."""
    return PillowCodec(name, *_WEBP, {"method": 6}, parts=10)


def _avif(name: str) -> PillowCodec:
    """AVIF at Pillow's defaults, which aim at eyes. One thread: so a picture gives the same bytes on any machine."""
    return PillowCodec(name, *_AVIF, {"max_threads": 1})


def _avif_psnr(name: str) -> PillowCodec:
    """AVIF aimed at PSNR, slower and 0.5 to 1.1 dB better."""
    options = {"advanced": {"tune": "psnr"}, "subsampling": "4:4:4", "speed": 4, "max_threads": 1}
    return PillowCodec(name, *_AVIF, options)


_PILLOW = {"jpeg": _jpeg, "jpeg-opt": _jpeg_opt, "webp": _webp, "avif": _avif, "avif-psnr": _avif_psnr}
