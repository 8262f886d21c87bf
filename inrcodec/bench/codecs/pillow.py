"""Formats that Pillow writes at a quality: JPEG, WebP, AVIF."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, __version__, features

from inrcodec.bench.codec import Coded, Picture
from inrcodec.bench.codecs.search import largest_within


@dataclass(frozen=True)
class PillowCodec:
    """A format of Pillow's with a quality.

    Attributes:
        name: as results carry it.
        format: Pillow's name of the format.
        feature: Pillow's name of what it needs for that.
        library: name of the library that does the work, and Pillow's name for its version.
        points: qualities of a sweep, from low to high.
        lowest: smallest quality there is.
        highest: largest quality that is of use.
        options: everything else that ``Image.save`` is told.
        parts: steps of the search in every whole quality, where the format knows fractions of one.
    """

    name: str
    format: str
    feature: str
    library: tuple[str, str]
    points: tuple[int, ...]
    lowest: int
    highest: int
    options: Mapping[str, Any] = field(default_factory=dict)
    parts: int = 1

    def available(self) -> str:
        """Empty if Pillow was built with it, else one line saying what is missing."""
        if features.check(self.feature):
            return ""
        return f"{self.name}: this Pillow ({__version__}) was built without {self.library[0]}"

    def within(self, picture: Picture, cap: int) -> Coded:
        """The highest quality whose file has at most ``cap`` bytes; where none is that small, the smallest file."""
        image = to_image(picture)

        def encode(step: int) -> bytes:
            return self.encode(image, step / self.parts)

        step, data = largest_within(encode, self.lowest * self.parts, self.highest * self.parts, cap)
        return Coded(data, f"quality {step / self.parts:g}")

    def sweep(self, picture: Picture) -> Iterator[Coded]:
        """A file for each of ``points``."""
        image = to_image(picture)
        for quality in self.points:
            yield Coded(self.encode(image, quality), f"quality {quality}")

    def decode(self, data: bytes) -> Picture:
        """The picture of a file."""
        return to_picture(data)

    def versions(self) -> str:
        """Pillow's version and its library's."""
        library, feature = self.library
        return f"Pillow {__version__}; {library} {features.version(feature) or '?'}"

    def encode(self, image: Image.Image, quality: float) -> bytes:
        """The file of one quality."""
        return save(image, self.format, quality=quality if self.parts > 1 else int(quality), **self.options)


def to_image(picture: Picture) -> Image.Image:
    """Samples as a Pillow image without metadata; with one channel where the three are equal."""
    if bool((picture == picture[:, :, :1]).all()):
        picture = picture[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(picture))


def to_picture(data: bytes) -> Picture:
    """Samples of a file that Pillow reads, RGB."""
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"))


def save(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """The file of an image; settings that concern colour are left out where there is none."""
    if image.mode == "L":
        options = {key: value for key, value in options.items() if key not in ("subsampling", "mct")}
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()
