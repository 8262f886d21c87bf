"""JPEG through CompressAI's own bench codec, for those who want the very code behind the published figures.

It writes the bytes of ``jpeg`` (`classic`). CompressAI needs numpy<2 and imports all its models, so it is an extra of
its own, and nothing but this module knows it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import IO, Any

from PIL import Image, __version__

from inrcodec.bench.codec import CodecError, Coded, Picture
from inrcodec.bench.codecs.pillow import to_image, to_picture
from inrcodec.bench.codecs.search import largest_within

QUALITIES = (1, 3, 5, 7, 10, 15, 20, 30, 40, 50, 65, 80, 90, 95)
"""Qualities of a sweep."""


@dataclass(frozen=True)
class CompressaiJpeg:
    """CompressAI's JPEG: Pillow at its defaults."""

    name: str

    def available(self) -> str:
        """Empty if CompressAI can be imported, else one line saying what is missing."""
        if find_spec("compressai") is None:
            return f"{self.name}: needs compressai (the extra inrcodec[compressai], Python below 3.13)"
        try:
            _jpeg()
        except Exception as error:  # noqa: BLE001 - foreign builds that do not fit together raise nearly anything
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            return f"{self.name}: compressai is there but cannot be imported: {reason}"
        return ""

    def within(self, picture: Picture, cap: int) -> Coded:
        """The highest quality whose file has at most ``cap`` bytes; where none is that small, the smallest file."""
        quality, data = largest_within(partial(_encode, to_image(picture)), 1, 95, cap)
        return Coded(data, f"quality {quality}")

    def sweep(self, picture: Picture) -> Iterator[Coded]:
        """A file for each of `QUALITIES`."""
        image = to_image(picture)
        for quality in QUALITIES:
            yield Coded(_encode(image, quality), f"quality {quality}")

    def decode(self, data: bytes) -> Picture:
        """The picture of a file."""
        return to_picture(data)

    def versions(self) -> str:
        """CompressAI's version and Pillow's."""
        return f"compressai {version('compressai')}; Pillow {__version__}"


class _Recorder:
    """What CompressAI takes for its picture; keeps the file that it otherwise measures and throws away."""

    def __init__(self, image: Image.Image) -> None:
        self.size = image.size
        self.data = b""
        self._image = image

    def save(self, stream: IO[bytes], **options: Any) -> None:
        buffer = io.BytesIO()
        self._image.save(buffer, **options)
        self.data = buffer.getvalue()
        stream.write(self.data)


def _encode(image: Image.Image, quality: int) -> bytes:
    """The file of one run of CompressAI's codec, whose size is the one that CompressAI reports.

    Raises:
        CodecError: it reports another size.
    """
    recorder = _Recorder(image)
    codec = _jpeg()(None)
    codec._load_img = lambda _path: recorder  # noqa: SLF001 - it reads a path; the picture is here already
    report, _ = codec._run_impl("", quality)  # noqa: SLF001 - the public method throws the picture's size away too
    if round(report["bpp"] * image.width * image.height) != 8 * len(recorder.data):
        raise CodecError("compressai reports another size than that of the file it wrote")
    return recorder.data


@cache
def _jpeg() -> Any:
    """CompressAI's class.

    Raises:
        Exception: whatever importing it raises.
    """
    import torch

    # CompressAI imports torchvision, whose builds from the registry have no operators that fit a CPU build of torch:
    # "operator torchvision::nms does not exist". Nobody calls them here; they only have to have been declared.
    for schema in (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    ):
        with suppress(RuntimeError):  # a torchvision that fits has declared them
            torch.library.define("torchvision::" + schema.split("(")[0], "(" + schema.split("(", 1)[1])
    from compressai.utils.bench.codecs import JPEG

    return JPEG
