"""Encodes of pictures with alpha or metadata: what goes beside the colours first, then these for the rest of the cap.

A lossless alpha is taken where it is affordable: at a fifth of the cap, at two fifths for a mask of two levels, whose
hard edges a fit blurs; with a quality or a price as the target, at no more than the colours take. Else the plane is
fitted as a gray picture of its own, for as many bytes as classic codecs need for 40 dB (an error that colours at these
rates hide), but between a twentieth and a fifth of the cap; for the quality that colours have, or 40 dB, where there is
no cap. Colours that cannot be seen are smoothed away before their fit, which takes them as they are then; its PSNR is
that of the others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.decoder import decode_pixels
from inrcodec.encoder import Encoded, EncodeOptions, Plan, Progress, Report, Target, architecture, plan
from inrcodec.errors import InrError, TargetError
from inrcodec.fit.architectures import session_of
from inrcodec.fit.config import FitConfig
from inrcodec.fit.grid.sizing import auto_grid, smallest_grid
from inrcodec.fit.methods import kind_of
from inrcodec.fit.sizing import smallest_file
from inrcodec.format.alpha import Kind, lossless_alpha, lossy_alpha
from inrcodec.format.container import Header
from inrcodec.format.extras import Extras, attach, section_bytes
from inrcodec.format.metadata import write_metadata
from inrcodec.image.hidden import fill_hidden
from inrcodec.image.yardstick import Yardstick
from inrcodec.limits import Limits
from inrcodec.metrics import picture_psnr, psnr
from inrcodec.pixels import Metadata, Pixels

LOSSLESS_SHARE, MASK_SHARE = 0.2, 0.4
"""Parts of the cap up to which an alpha is kept without loss: any, and one of two levels."""

LEAST_SHARE, MOST_SHARE = 0.05, 0.2
"""Bounds of the part of the cap that a fitted alpha gets."""

ALPHA_DB = 40.0
"""PSNR that a fitted alpha is meant to have."""

_TIME_SHARE = 0.2
"""Part of the time allowed that its fit may take."""

_CHECK_DB = 0.05
"""As in :mod:`inrcodec.fit.candidate`."""

_FEWER = EncodeOptions()
"""What the fit of an alpha leaves at its default, of what is said about that of the colours."""


@dataclass(frozen=True)
class Encode:
    """An encode in two parts; see :func:`inrcodec.encoder.encode_pixels` for the fields."""

    pixels: Pixels
    target: Target
    options: EncodeOptions
    observer: Callable[[Progress], None] | None = None
    stop: Callable[[], bool] | None = None

    def run(self) -> Encoded:
        """Do it.

        Raises:
            TargetError: no file meets the target.
        """
        start, pixels, cap = time.monotonic(), fill_hidden(self.pixels), self.target.cap(self.pixels.count)
        metadata = write_metadata(pixels.metadata) if pixels.metadata else None
        Limits().check_metadata(sum(len(getattr(pixels.metadata, field.name)) for field in fields(Metadata)))
        pixels = replace(pixels, metadata=Metadata())
        if cap is None:
            coded = self._colours(pixels, self.target, start)
            extras = Extras(self._alpha_beside(coded), metadata)
        else:
            room = cap - Extras(metadata=metadata).bytes
            extras = Extras(self._alpha_within(cap, room), metadata)
            coded = self._colours(pixels, Target("bytes", max(1, cap - extras.bytes)), start, cap, extras)
        data = attach(coded.data, extras)
        report = _report(coded.report, data, cap, time.monotonic() - start, pixels, extras)
        if self.options.verify:
            self._check(data, report)
        return Encoded(data, report, coded.config)

    def plan(self) -> Plan:
        """See :func:`inrcodec.encoder.plan_pixels`.

        Raises:
            TargetError: no file meets the target.
        """
        pixels, target, plane = self.pixels, self.target, self.pixels.alpha
        metadata, cap = write_metadata(pixels.metadata) if pixels.metadata else None, target.cap(pixels.count)
        chosen: bytes | int | None = None
        if plane is not None:
            chosen = lossless_alpha(plane) if cap is None else self._choose(plane, cap, cap - _grown(metadata))
        alpha_bytes = 1 + chosen if isinstance(chosen, int) else len(chosen or b"")
        if cap is not None:
            beside = _grown(metadata) + (0 if chosen is None else section_bytes(alpha_bytes))
            target = Target("bytes", max(1, cap - beside))
        expected = plan(pixels.width, pixels.height, pixels.channels, target, self.options)
        seconds, kind = expected.seconds, None
        if isinstance(chosen, int):
            kind, one = Kind.LOSSY, Target("bytes", chosen)
            seconds += plan(pixels.width, pixels.height, 1, one, self._alpha_options()).seconds
        elif chosen is not None and cap is not None:
            kind = Kind(chosen[0])
        return replace(
            expected, cap_bytes=cap, seconds=min(seconds, self.options.max_time or math.inf),
            alpha=None if kind is None else kind.name.lower(), alpha_bytes=alpha_bytes,
            metadata_bytes=len(metadata or b""),
        )  # fmt: skip

    def _colours(
        self, pixels: Pixels, target: Target, start: float, cap: int | None = None, extras: Extras | None = None
    ) -> Encoded:
        """The file of the colours alone."""
        options = self.options
        if options.max_time is not None:
            options = replace(options, max_time=max(0.1, options.max_time - (time.monotonic() - start)))
        try:
            return session_of(options, target, pixels.count)(pixels, target, options, self.observer, self.stop).run()
        except TargetError as error:
            if extras is None or error.smallest_bytes is None:
                raise
            raise _too_small(cap, error.smallest_bytes + extras.bytes, extras.bytes) from None

    def _alpha_within(self, cap: int, room: int) -> bytes | None:
        """The section of the alpha in a file of so many bytes, of which there is room for that and the colours.

        Raises:
            TargetError: there is not.
        """
        plane = self.pixels.alpha
        if plane is None:
            return None
        chosen = self._choose(plane, cap, room)
        if isinstance(chosen, bytes):
            return chosen
        return lossy_alpha(self._fit_alpha(plane, Target("bytes", chosen)).data)

    def _choose(self, plane: NDArray[Any], cap: int, room: int) -> bytes | int:
        """The section without loss, or the bytes of the file that is to be fitted instead."""
        lossless = lossless_alpha(plane)
        share = MASK_SHARE if len(np.unique(plane)) <= 2 else LOSSLESS_SHARE
        room -= self._least()
        if section_bytes(len(lossless)) <= min(share * cap, room):
            return lossless
        least = smallest_file(self._header(1)) + 8  # a fit of no weights at all would be of no use
        wanted = min(max(_bytes_for(plane, ALPHA_DB), round(LEAST_SHARE * cap)), round(MOST_SHARE * cap))
        most = max(least, min(wanted, room - section_bytes(1) - 2))
        if section_bytes(most + 1) <= room and most + 1 < len(lossless):
            return most
        if section_bytes(len(lossless)) <= room:
            return lossless
        needed = min(section_bytes(most + 1), section_bytes(len(lossless)))
        raise _too_small(cap, cap - room + needed, cap - room - self._least() + needed)

    def _alpha_beside(self, coded: Encoded) -> bytes | None:
        """The section of the alpha beside colours that were coded for a quality or a price."""
        plane = self.pixels.alpha
        if plane is None:
            return None
        lossless = lossless_alpha(plane)
        if len(lossless) <= len(coded.data):
            return lossless
        goal = max(ALPHA_DB, self.target.value) if self.target.kind == "psnr" else ALPHA_DB
        try:
            lossy = lossy_alpha(self._fit_alpha(plane, Target("psnr", goal)).data)
        except TargetError:
            return lossless
        return min(lossless, lossy, key=len)

    def _fit_alpha(self, plane: NDArray[Any], target: Target) -> Encoded:
        """A plane as a gray picture."""
        gray, options = Pixels(np.ascontiguousarray(plane[:, :, None]), self.pixels.depth), self._alpha_options()
        return session_of(options, target, gray.count)(gray, target, options, self.observer, self.stop).run()

    def _alpha_options(self) -> EncodeOptions:
        """How it is fitted: half the effort, the default method and network."""
        options = self.options
        common = {field.name for field in fields(FitConfig)}
        path = options.checkpoint
        return replace(
            options,
            effort=(options.effort + 1) // 2,
            arch="siren" if options.arch == "siren" else "auto",
            overrides=tuple(pair for pair in options.overrides if pair[0] in common),
            checkpoint=None if path is None else path.with_name(path.name + ".alpha"),
            max_time=None if options.max_time is None else _TIME_SHARE * options.max_time,
            **{name: getattr(_FEWER, name) for name in _LEFT},
        )

    def _least(self) -> int:
        """Bytes of the smallest file of the colours."""
        header = self._header(self.pixels.channels)
        if architecture(self.options, Target("bytes", 1), header.pixels) == "grid":
            return smallest_grid(header, auto_grid(header))
        return smallest_file(header, kind_of(self.options))

    def _header(self, channels: int) -> Header:
        return Header(self.pixels.width, self.pixels.height, channels, self.pixels.depth)

    def _check(self, data: bytes, report: Report) -> None:
        """Decode the very bytes once more.

        Raises:
            InrError: they do not show what was measured.
        """
        drawn, original = decode_pixels(data), self.pixels
        same = drawn.metadata == original.metadata and (drawn.alpha is None) == (original.alpha is None)
        same = same and math.isclose(picture_psnr(original, drawn.array), report.psnr, abs_tol=_CHECK_DB)
        if original.alpha is not None and drawn.alpha is not None:
            alpha = psnr(original.alpha, drawn.alpha)
            same = same and (math.isinf(alpha) if report.alpha_psnr is None else alpha > 0)
        if not same:
            raise InrError("self-check failed: the file does not show what went into it; nothing was written")


_LEFT = ("method", "layers", "activation", "encoding", "coder", "start", "scalable", "log", "stack")
"""Options that are of the colours' fit alone."""


def _grown(metadata: bytes | None) -> int:
    """What a file grows by with a section of metadata."""
    return Extras(metadata=metadata).bytes


def _bytes_for(plane: NDArray[Any], goal: float) -> int:
    """Bytes that a fit of a plane takes to reach a PSNR, roughly."""
    pixels = Pixels(np.ascontiguousarray(plane[:, :, None]), 8 * plane.itemsize)
    yardstick, bpp = Yardstick.of(pixels), 1e-3
    while bpp < 8 and yardstick.at(bpp).mse > 10 ** (-goal / 10):
        bpp *= 1.1
    return math.ceil(bpp * plane.size / 8)


def _too_small(cap: int | None, smallest: int, extras: int) -> TargetError:
    return TargetError(
        f"{cap} bytes cannot hold this picture beside {extras} bytes of alpha and metadata; the smallest file is about "
        f"{smallest} bytes",
        smallest_bytes=smallest,
    )


def _report(colours: Report, data: bytes, cap: int | None, seconds: float, pixels: Pixels, extras: Extras) -> Report:
    """The story of a whole file, from that of its colours."""
    size, kind, alpha = len(data), None, None
    if extras.alpha is not None and pixels.alpha is not None:
        kind = Kind(extras.alpha[0])
        if kind is Kind.LOSSY:
            alpha = psnr(pixels.alpha, decode_pixels(extras.alpha[1:]).array[:, :, 0])
    return replace(
        colours, bytes=size, bpp=8 * size / pixels.count, cap_bytes=cap, use=None if cap is None else size / cap,
        seconds=seconds, alpha=None if kind is None else kind.name.lower(), alpha_bytes=len(extras.alpha or b""),
        alpha_psnr=alpha, metadata_bytes=len(extras.metadata or b""),
    )  # fmt: skip
