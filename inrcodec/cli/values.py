"""The values options take, from text. Each function is used as the type of a click option."""

from __future__ import annotations

import re
from collections.abc import Callable

import click

_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1000, "kib": 1024, "m": 1000**2, "mb": 1000**2, "mib": 1024**2}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
SMALLEST_TILE = 64
"""Side of a tile in pixels at least."""

_NUMBER = r"\d+(?:\.\d+)?|\.\d+"


def size(text: str) -> int:
    """A number of bytes: ``12000``, ``12k`` (12,000), ``12KiB`` (12,288), ``1.5M``.

    Raises:
        click.BadParameter: it is not one, or less than one byte.
    """
    match = re.fullmatch(rf"({_NUMBER})\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _UNITS:
        raise click.BadParameter(f"{text!r} is not a size (like 12000, 12k or 12KiB)")
    value = int(float(match[1]) * _UNITS[match[2]])
    if value < 1:
        raise click.BadParameter("a file has at least one byte")
    return value


def duration(text: str) -> float:
    """A time in seconds: ``90``, ``90s``, ``10m``, ``1h``, ``1h30m``.

    Raises:
        click.BadParameter: it is not one, or not above 0.
    """
    cleaned = text.strip().lower()
    parts = re.findall(rf"({_NUMBER})([smh]?)", cleaned)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    whole = "".join(number + unit for number, unit in parts) == cleaned
    mixed = len(parts) > 1 and any(not unit for _, unit in parts)  # 1h30: minutes or seconds?
    if not whole or mixed or seconds <= 0:
        raise click.BadParameter(f"{text!r} is not a time (like 90, 90s, 10m or 1h30m)")
    return seconds


def layers(text: str) -> str:
    """Hidden layers and their width, checked: ``4x64``.

    Raises:
        click.BadParameter: it is not of that form.
    """
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
        raise click.BadParameter(f"{text!r} is not layers by width (like 4x64)")
    return text


def tile(text: str) -> int | None:
    """How a picture is cut for its fit: None for ``auto``, 0 for ``off``, or the side of a tile in pixels.

    Raises:
        click.BadParameter: it is none of these.
    """
    if text == "auto":
        return None
    if text == "off":
        return 0
    if not re.fullmatch(r"[1-9]\d*", text) or int(text) < SMALLEST_TILE:
        raise click.BadParameter(f"{text!r} is none of auto, off, and a number of pixels from {SMALLEST_TILE}")
    return int(text)


def alpha(text: str) -> str:
    """What becomes of the opacity, checked: ``keep``, ``drop`` or ``#rrggbb``.

    Raises:
        click.BadParameter: it is none of these.
    """
    if text not in ("keep", "drop") and not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise click.BadParameter(f"{text!r} is none of keep, drop, and a colour like #ffffff")
    return text


def metadata(text: str) -> str:
    """What is kept of a file's metadata, checked: ``none``, ``all``, or names with commas, ``icc,exif``.

    Raises:
        click.BadParameter: it is none of these.
    """
    names = ("icc", "exif", "xmp")  # of inrcodec.image, repeated so that --help need not import Pillow
    if text not in ("none", "all") and not all(part.strip() in names for part in text.split(",")):
        raise click.BadParameter(f"{text!r} is none of none, all, and some of {','.join(names)}")
    return text


def window(text: str) -> tuple[int, int, int, int]:
    """A part of the picture in pixels: ``X,Y,W,H``.

    Raises:
        click.BadParameter: it is not of that form, or empty.
    """
    match = re.fullmatch(r"(\d+),(\d+),([1-9]\d*),([1-9]\d*)", text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not a window (like 0,0,200,100: left, top, width, height)")
    return int(match[1]), int(match[2]), int(match[3]), int(match[4])


def override(text: str) -> tuple[str, str]:
    """One setting of the encoder: ``key=value``.

    Raises:
        click.BadParameter: it is not of that form.
    """
    key, _, setting = (part.strip() for part in text.partition("="))
    if not key or not setting:
        raise click.BadParameter(f"{text!r} is not of the form key=value")
    return key, setting


def activation(text: str) -> str:
    """An activation and its w0, checked: ``relu``, ``sine:30``.

    Raises:
        click.BadParameter: it is not of that form.
    """
    from inrcodec.net.arch import parse_activation

    return _checked(text, parse_activation)


def encoding(text: str) -> str:
    """An input encoding, checked: ``nerf``, ``gauss:64:2``.

    Raises:
        click.BadParameter: it is not of that form.
    """
    from inrcodec.net.encoding import parse_encoding

    return _checked(text, parse_encoding)


def _checked(text: str, parse: Callable[[str], object]) -> str:
    try:
        parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return text
