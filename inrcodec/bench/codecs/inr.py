"""Ours: any method, effort and network as a codec of its own name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from inrcodec.bench.codec import Coded, Picture
from inrcodec.decoder import decode_pixels
from inrcodec.encoder import ARCHITECTURES, EncodeOptions, Progress, Target, encode_pixels
from inrcodec.pixels import Pixels

Observer = Callable[[Progress], None]

OPTIONS = (
    "method", "effort", "layers", "activation", "encoding", "arch", "coder", "max_time", "seed", "device", "engine",
    "set.NAME",
)  # fmt: skip
"""What may follow the colon."""

_NUMBERS: dict[str, type[int | float]] = {"effort": int, "seed": int, "max_time": float}
_CHOICES = {
    "arch": ARCHITECTURES,
    "device": ("auto", "cpu", "cuda"),
    "engine": ("auto", "numba", "torch"),
}


@dataclass(frozen=True)
class Inr:
    """A variant of ours.

    Attributes:
        name: as results carry it.
        options: of every encode.
        observer: told about the progress of an encode.
    """

    name: str
    options: EncodeOptions
    observer: Observer | None = None

    def available(self) -> str:
        """Empty: it is always there."""
        return ""

    def within(self, picture: Picture, cap: int) -> Coded:
        """The best picture in at most ``cap`` bytes.

        Raises:
            TargetError: no file is that small.
        """
        gray = bool((picture == picture[:, :, :1]).all())
        pixels = Pixels(np.ascontiguousarray(picture[:, :, :1] if gray else picture))
        coded = encode_pixels(pixels, Target("bytes", float(cap)), self.options, observer=self.observer)
        report = coded.report
        method = "" if report.method == EncodeOptions.method else f" {report.method}"
        return Coded(coded.data, f"{report.arch}{method} effort {report.effort}", report.seed)

    def sweep(self, picture: Picture) -> Iterator[Coded]:  # noqa: ARG002 - the protocol's
        """Nothing: it is made for targets, and its curve is what several of them give."""
        return iter(())

    def decode(self, data: bytes) -> Picture:
        """The picture of a file."""
        array = decode_pixels(data).array
        return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array

    def versions(self) -> str:
        """Ours, and those of the libraries that do the arithmetic."""
        from inrcodec import __version__

        return "; ".join([f"inrcodec {__version__}", *(f"{name} {_version(name)}" for name in _LIBRARIES)])


_LIBRARIES = ("numpy", "torch", "numba", "constriction")


def variant(
    name: str, text: str, *, effort: int = 5, threads: int | None = None, observer: Observer | None = None
) -> Inr:
    """The variant that a text of options describes.

    Args:
        name: what it goes by.
        text: ``method=coin,effort=1,layers=7x56,seed=3,set.lr=5e-4``; may be empty.
        effort: where the text has none.
        threads: of the fit.
        observer: told about the progress of an encode.

    Raises:
        ValueError: an option that there is not, or a value that makes no sense.
    """
    from inrcodec.fit.effort import effort_config
    from inrcodec.fit.methods import kind_of, method
    from inrcodec.fit.settings import check_overrides
    from inrcodec.net.arch import parse_layers

    values: dict[str, Any] = {"effort": effort}
    overrides: list[tuple[str, str]] = []
    for key, value in _pairs(text):
        if key.startswith("set."):
            overrides.append((key.removeprefix("set."), value))
        else:
            values[key] = _number(key, value) if key in _NUMBERS else value
    for key, allowed in _CHOICES.items():
        if values.get(key, "auto") not in allowed:
            raise ValueError(f"{key} is one of {', '.join(allowed)}, not {values[key]!r}")
    options = replace(EncodeOptions(threads=threads, overrides=tuple(overrides)), **values)
    effort_config(options.effort)
    check_overrides(options.overrides)
    method(options.method)
    kind_of(options)
    if options.layers is not None:
        parse_layers(options.layers)
    return Inr(name, options, observer)


def _pairs(text: str) -> list[tuple[str, str]]:
    """Keys and values; a piece without a key goes on with the value before it (``set.sigma=0.2,0.1``)."""
    known = {field.name for field in fields(EncodeOptions)} & {name for name in OPTIONS if "." not in name}
    found: list[tuple[str, str]] = []
    for piece in (piece.strip() for piece in text.split(",") if piece.strip()):
        key, equals, value = (part.strip() for part in piece.partition("="))
        if not equals and found:
            found[-1] = (found[-1][0], f"{found[-1][1]},{piece}")
        elif value and (key in known or key.startswith("set.")):
            found.append((key, value))
        else:
            raise ValueError(f"inr has no option {piece!r}; there are {', '.join(OPTIONS)}, as in inr:effort=1")
    return found


def _number(key: str, text: str) -> float:
    kind = _NUMBERS[key]
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{key} is a {'whole ' if kind is int else ''}number, not {text!r}") from None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"
