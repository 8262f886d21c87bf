"""The pictures of a report: the original and every codec's at one target, whole and enlarged."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrcodec.bench.codec import codec
from inrcodec.bench.contender import contenders_of
from inrcodec.bench.job import file_name
from inrcodec.bench.report.detail import Window, busiest
from inrcodec.bench.results import Results
from inrcodec.bench.row import TARGET, Row
from inrcodec.errors import InrError
from inrcodec.image import load_image

Picture = NDArray[np.uint8]

LONGEST = 1600
"""Pixels of the longer side of an embedded picture; larger ones are reduced."""

QUALITY = 90
"""Of the whole pictures, which are embedded as WebP; the details lose nothing."""


@dataclass(frozen=True)
class Shot:
    """One version of a picture.

    Attributes:
        name: the codec's, or "original".
        row: its measurements; None for the original.
        whole: address of the whole picture, with its data.
        detail: the same for the window.
    """

    name: str
    row: Row | None
    whole: str
    detail: str


@dataclass(frozen=True)
class Exhibit:
    """One picture in all its versions, the original first."""

    picture: str
    width: int
    height: int
    target_bpp: float
    window: Window
    shots: tuple[Shot, ...]


def exhibits(
    results: Results, files: Path, originals: Mapping[str, Path], target_bpp: float
) -> Iterator[Exhibit | str]:
    """Show the pictures at a target, one after the other; a line of text where one cannot be shown, or not wholly.

    Args:
        results: the measurements.
        files: folder of the coded files.
        originals: the pictures' files by name.
        target_bpp: one of the targets.
    """
    contenders = {contender.name: contender for contender in contenders_of(results)}
    for name in results.pictures:
        if name not in originals:
            yield f"{name}: the original is not there"
            continue
        try:
            original = _rgb(load_image(originals[name], alpha="drop", depth=8).pixels.array)
        except InrError as error:
            yield f"{error}"
            continue
        window = busiest(original)
        shots = [_shot("original", None, original, window)]
        rows = {row.codec: row for row in results.rows if (row.picture, row.target_bpp) == (name, target_bpp)}
        for codec_name, row in rows.items():
            if row.kind != TARGET or row.error:
                continue
            try:
                data = (files / file_name(name, codec_name, target_bpp)).read_bytes()
                decoded = codec(contenders[codec_name].spec).decode(data)
            except Exception as error:  # noqa: BLE001 - foreign decoders raise anything; the others are still to be seen
                yield f"{name}: {codec_name} cannot be shown: {error}"
                continue
            shots.append(_shot(codec_name, row, decoded, window))
        yield Exhibit(name, original.shape[1], original.shape[0], target_bpp, window, tuple(shots))


def _rgb(array: NDArray[np.uint8] | NDArray[np.uint16]) -> Picture:
    samples = array.astype(np.uint8)
    return np.repeat(samples, 3, axis=2) if samples.shape[2] == 1 else samples


def _shot(name: str, row: Row | None, picture: Picture, window: Window) -> Shot:
    left, top, width, height = window
    detail = picture[top : top + height, left : left + width]
    return Shot(name, row, _address(picture, lossless=False), _address(detail, lossless=True))


def _address(picture: Picture, *, lossless: bool) -> str:
    """A picture as an address that holds all its data."""
    from PIL import Image, features

    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if features.check("webp"):
        kind = "webp"
        image.save(buffer, "WEBP", lossless=lossless, quality=80 if lossless else QUALITY, method=4)
    elif lossless:
        kind = "png"
        image.save(buffer, "PNG", optimize=True)
    else:
        kind = "jpeg"
        image.save(buffer, "JPEG", quality=QUALITY, subsampling="4:4:4")
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
