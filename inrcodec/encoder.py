"""A picture and a target to the bytes of a file. Ends by decoding its own output.

The heavy imports (torch, cooper) happen on the first encode, not on import.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from inrcodec.errors import InrError, TargetError
from inrcodec.fit.config import SIREN_ONLY, FitConfig
from inrcodec.format.container import Header
from inrcodec.pixels import Pixels

ARCHITECTURES = ("auto", "siren", "grid")
"""Names of the architectures: a network alone, or latent grids under a network; ``auto`` picks one."""

CODERS = ("arithmetic", "brotli")
"""Names of the coders of weights."""

GRIDS_PAY = 400
"""Bytes from which ``auto`` takes latent grids; below, describing several networks would be most of the file."""


TILE_SIDE = 1280
"""Side in pixels of the tiles that large pictures are fitted in."""

_TILED = 1 << 21
"""Pixels from which a picture is large: fitted whole, it would take more than a gigabyte."""


@dataclass(frozen=True)
class Target:
    """What is asked for.

    Attributes:
        kind: ``bpp`` or ``bytes``, a hard cap on the file; ``psnr``, the smallest file that reaches it; or ``lambda``,
            whatever a fixed price of bits comes to.
        value: bits per pixel, bytes, dB, or the mean squared error of samples in [0, 1] that a bit a pixel is worth.
    """

    kind: Literal["bpp", "bytes", "psnr", "lambda"]
    value: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value > 0):
            raise ValueError(f"a target must be a positive number, not {self.value}")

    def cap(self, pixels: int) -> int | None:
        """Bytes the file may take; None for a quality or a price."""
        if self.kind in ("psnr", "lambda"):
            return None
        # The tiny slack keeps 0.3 * 393216 / 8 at its exact value where floating point falls a hair short.
        return math.floor(self.value * (pixels / 8 if self.kind == "bpp" else 1) + 1e-9)


@dataclass(frozen=True)
class Log:
    """Where the story of a fit is written down; see :mod:`inrcodec.fit.monitor`.

    Attributes:
        folder: made if it is not there.
        images: with the picture over time.
        overwrite: replace a log that is there.
    """

    folder: Path
    images: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class EncodeOptions:
    """How to reach it.

    Attributes:
        effort: 1 (seconds) to 9 (as good as it gets).
        method: a name from :data:`inrcodec.fit.methods.METHODS`.
        arch: ``siren`` (a network alone), ``grid`` (latent grids under a network), or ``auto``.
        layers: hidden layers as ``4x64``; from the budget if left out.
        activation: of a network alone: ``sine``, ``relu``, ``gelu`` or ``gauss``, with its w0 as in ``sine:30``.
        encoding: of a network alone: ``none``, ``nerf``, ``positional`` or ``gauss``, with frequencies and scale as in
            ``nerf:16:1.4``.
        seed: of everything random; same seed, threads and machine give the same bytes.
        device: ``auto``, ``cpu`` or ``cuda``.
        engine: what computes networks and gradients: ``numba`` (fused kernels, CPU), ``torch``, ``compile`` (torch's
            compiler), or ``auto``.
        threads: CPU threads; all cores if left out.
        max_time: seconds the encode may take; the best feasible result so far is then written.
        checkpoint: file the state of the fit is kept in.
        resume: go on from that file if it is there.
        overrides: ``(name, text)`` replacements of :class:`inrcodec.fit.config.FitConfig` fields.
        verify: decode the finished file and compare with what was fitted.
        stack: pictures of one shape that are fitted together by :func:`encode_stack`; 24 on a GPU, else 1, if left out.
        log: where the story of the fit is written down, if anywhere.
        coder: of a network alone: ``arithmetic``, or ``brotli`` for comparison.
        start: a coded file whose network alone the fit starts from.
        scalable: with latent grids: layers, so that the file can be cut.
        tile: side in pixels of the tiles that latent grids are fitted in, one after the other; 0 for the whole picture
            at once; from the size of the picture if left out.
    """

    effort: int = 5
    method: str = "l0"
    arch: str = "auto"
    layers: str | None = None
    activation: str = "sine"
    encoding: str = "none"
    seed: int = 0
    device: str = "auto"
    engine: str = "auto"
    threads: int | None = None
    max_time: float | None = None
    checkpoint: Path | None = None
    resume: bool = False
    overrides: tuple[tuple[str, str], ...] = ()
    verify: bool = True
    stack: int | None = None
    log: Log | None = None
    coder: str = "arithmetic"
    start: bytes | None = None
    scalable: bool = False
    tile: int | None = None

    def __post_init__(self) -> None:
        if self.stack is not None and self.stack < 1:
            raise ValueError(f"a stack holds at least one picture, not {self.stack}")
        if self.tile is not None and self.tile < 0:
            raise ValueError(f"a tile has a side of some pixels, not {self.tile}")
        if self.tile and self.scalable:
            raise ValueError("--tile is not for --scalable")
        if self.coder not in CODERS:
            raise ValueError(f"no coder {self.coder!r}; there are {', '.join(CODERS)}")


@dataclass(frozen=True)
class Progress:
    """Where an encode is.

    Attributes:
        phase: ``compile`` (kernels, once on every machine), ``price`` (what a bit is worth, tried) and ``race`` (of
            starts) before long fits, ``fit`` (float weights), ``quantise`` (soft rounding), ``round`` (hard rounding),
            ``rehearsal 1`` and ``tile 3 of 25`` (of a large picture), ``land``, ``check``.
        step: steps done, of ``steps``.
        psnr: of the last pixels seen, dB.
        bpp: the file would take now; NaN while weights have no price yet.
        multiplier: the price of the budget.
        seconds: since the start.
        eta: seconds left, roughly.
    """

    phase: str
    step: int
    steps: int
    psnr: float
    bpp: float
    multiplier: float
    seconds: float
    eta: float


@dataclass(frozen=True)
class Trial:
    """One fit of a search for the price of bits that gives a size.

    Attributes:
        price: mean squared error that a bit a pixel is worth.
        steps: optimiser steps.
        bytes: of the file that came of it.
        psnr: of its picture.
    """

    price: float
    steps: int
    bytes: int
    psnr: float


@dataclass(frozen=True)
class Report:
    """What came out.

    Attributes:
        bytes: of the file; ``bpp`` = 8 bytes / pixels.
        cap_bytes: the hard cap, ``use`` the part of it that was used; None for a quality target.
        psnr: of the decoded picture's colours, at its own bit depth, dB; pixels that are fully transparent in the
            original do not count.
        params: weights of the network, ``kept`` of them not zero.
        steps: optimiser steps taken, all fits together.
        interrupted: the fit was cut short.
        trials: of a search for a price (``--method bisect``).
        alpha: how the opacity is coded, ``constant``, ``lossless`` or ``lossy``; None without one.
        alpha_bytes: that it takes of the file.
        alpha_psnr: of a lossy one, dB.
        metadata_bytes: that metadata takes of the file.
        needs: ``max_work`` that a decoder has to be given, where its default is not enough: a large picture can come
            out as so few bytes that they look like a trap.
    """

    bytes: int
    pixels: int
    bpp: float
    cap_bytes: int | None
    use: float | None
    psnr: float
    seconds: float
    arch: str
    method: str
    effort: int
    seed: int
    params: int
    kept: int
    steps: int
    interrupted: bool
    trials: tuple[Trial, ...] = ()
    alpha: str | None = None
    alpha_bytes: int = 0
    alpha_psnr: float | None = None
    metadata_bytes: int = 0
    needs: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON (an infinite PSNR becomes None)."""
        values = asdict(self)
        if not math.isfinite(self.psnr):
            values["psnr"] = None
        return values


@dataclass(frozen=True)
class Encoded:
    """The bytes of a file and the story of how they came about.

    Attributes:
        config: settings of the fit; some are chosen by the picture.
    """

    data: bytes
    report: Report
    config: FitConfig


@dataclass(frozen=True)
class Plan:
    """What an encode would do; ``seconds`` is rough.

    Attributes:
        alpha: how the opacity would be coded, ``constant``, ``lossless`` or ``lossy``; None without one, and where that
            depends on what the colours come to.
        alpha_bytes: at most, of the cap where there is one.
        metadata_bytes: the same of what is kept.
    """

    arch: str
    params: int
    steps: int
    cap_bytes: int | None
    seconds: float
    method: str
    alpha: str | None = None
    alpha_bytes: int = 0
    metadata_bytes: int = 0


def architecture(options: EncodeOptions, target: Target, pixels: int) -> str:
    """``siren`` or ``grid``: what ``auto`` comes to.

    Args:
        options: a method or layers of a network alone ask for one.
        target: so does a very small cap.
        pixels: of the picture.
    """
    if options.arch != "auto":
        return options.arch
    if options.scalable:
        return "grid"
    cap = target.cap(pixels)
    said = (options.method, options.layers, options.activation, options.encoding) != ("l0", None, "sine", "none")
    said = said or options.start is not None or options.coder != "arithmetic"
    said = said or any(name in SIREN_ONLY for name, _ in options.overrides)
    alone = said or (cap is not None and cap < GRIDS_PAY)
    return "siren" if alone else "grid"


def tile_side(options: EncodeOptions, pixels: int) -> int:
    """Side of the tiles that latent grids are fitted in; 0 for the whole picture at once.

    Args:
        options: may ask for tiles of a size, or for none.
        pixels: of the picture: large ones are fitted in tiles.
    """
    if options.tile is not None:
        return options.tile if options.tile**2 < pixels else 0
    return TILE_SIDE if pixels > _TILED and not options.scalable else 0


def plan(width: int, height: int, channels: int, target: Target, options: EncodeOptions) -> Plan:
    """What encoding a picture of this size would do, without doing it.

    Raises:
        TargetError: the target is below the smallest file.
        ValueError: options that make no sense.
    """
    from inrcodec.fit.decodable import check_decodable
    from inrcodec.fit.effort import expected_seconds
    from inrcodec.fit.methods import method
    from inrcodec.fit.settings import siren_settings
    from inrcodec.fit.sizing import check_dense

    header = Header(width, height, channels)
    if architecture(options, target, header.pixels) == "grid":
        from inrcodec.fit.grid.plan import plan_grid

        return plan_grid(header, target, options)
    chosen = method(options.method)
    config = siren_settings(options)
    cap = target.cap(header.pixels)
    guess = cap if cap is not None else chosen.guess(header, target.value if target.kind == "psnr" else 28.0)
    arch = chosen.size(header, round(guess * config.excess), options)
    check_decodable(header, arch, guess)
    if cap is not None and not chosen.quantised:
        check_dense(header, arch, cap)
    fits = 1 if cap is not None and chosen.name != "bisect" else 3
    seconds = expected_seconds(arch, config, header.pixels) * fits
    if options.max_time is not None:
        seconds = min(seconds, options.max_time)
    return Plan(str(arch), arch.params, config.steps, cap, seconds, options.method)


def plan_pixels(pixels: Pixels, target: Target, options: EncodeOptions) -> Plan:
    """What encoding a picture with its alpha and metadata would do, without doing it.

    Raises:
        TargetError: the target is below the smallest file.
        ValueError: options that make no sense.
    """
    if has_extras(pixels):
        from inrcodec.fit.extras import Encode

        return Encode(pixels, target, options).plan()
    return plan(pixels.width, pixels.height, pixels.channels, target, options)


def encode_pixels(
    pixels: Pixels,
    target: Target,
    options: EncodeOptions | None = None,
    *,
    observer: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Encoded:
    """Fit a network to a picture and code it, with its alpha and metadata if it has some.

    Args:
        pixels: the picture.
        target: a cap the whole file never exceeds, or the PSNR that its colours must reach where they can be seen.
        options: everything else.
        observer: told about progress, a few times a second.
        stop: polled every step; once True the encode finishes with the best feasible file it has.

    Returns:
        The file and a report of it.

    Raises:
        TargetError: no file meets the target (it carries the smallest size or the best PSNR).
        ValueError: options that make no sense.
    """
    from inrcodec.fit.architectures import session_of

    options = options or EncodeOptions()
    if has_extras(pixels):
        from inrcodec.fit.extras import Encode

        return Encode(pixels, target, options, observer, stop).run()
    return session_of(options, target, pixels.count)(pixels, target, options, observer, stop).run()


def has_extras(pixels: Pixels) -> bool:
    """Whether a file of a picture holds more than its colours."""
    return pixels.alpha is not None or bool(pixels.metadata)


def encode_stack(
    pictures: Sequence[Pixels],
    target: Target,
    options: EncodeOptions | None = None,
    *,
    observer: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> list[Encoded | InrError]:
    """Encode several pictures, those of one shape together: on a GPU that takes little longer than one of them.

    Args:
        pictures: the pictures.
        target: for each of them.
        options: for each of them; ``stack`` says how many are fitted together.
        observer: told about progress; a fit of several speaks of their mean.
        stop: polled every step; once True every encode finishes with the best feasible file it has.

    Returns:
        In the order of the pictures: the file and a report of it, or why there is none.

    Raises:
        ValueError: options that make no sense.
    """
    from inrcodec.fit.together import Together

    together = Together(pictures, target, options or EncodeOptions(), stop)
    results: list[Encoded | InrError] = []
    for k in range(len(pictures)):
        try:
            results.append(together.encode(k, observer))
        except InrError as error:  # noqa: PERF203 - an encode takes seconds
            results.append(error)
    return results


__all__ = [
    "ARCHITECTURES", "EncodeOptions", "Encoded", "Log", "Plan", "Progress", "Report", "Target", "TargetError",
    "encode_pixels", "encode_stack", "plan", "plan_pixels",
]  # fmt: skip
