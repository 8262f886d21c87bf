"""What may come of any bytes: the picture or an InrError, soon, and nothing said."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping

from inrcodec.decoder import View, anatomy, decode_pixels, probe
from inrcodec.errors import InrError
from inrcodec.limits import Limits

SMALL = Limits(max_side=4096, max_pixels=1 << 16, max_params=1 << 16, max_latents=1 << 15, max_work=1 << 30)
"""Limits that let most mutations of small files through, and none take long: trying many of them matters more."""

SECONDS = 2.0
"""What any of the readers may take."""

READERS: Mapping[str, Callable[[bytes, Limits | None], object]] = {
    "decode": lambda data, limits: decode_pixels(data, limits=limits),
    "preview": lambda data, limits: decode_pixels(data, View(scale=0.5), limits),
    "cut": lambda data, limits: decode_pixels(data, limits=limits, max_bytes=len(data) * 4 // 5),
    "probe": probe,
    "anatomy": anatomy,
}


class WrongOutcomeError(Exception):
    """A reader took too long, or said nothing of what is wrong."""


def outcome(data: bytes, limits: Limits | None = SMALL) -> dict[str, str]:
    """What each reader makes of the bytes: ``fine``, or the error's kind.

    Raises:
        WrongOutcomeError: one took too long, or its error is not one readable line.
        Exception: whatever else a reader raises by mistake, warnings included.
    """
    found = {}
    for name, reader in READERS.items():
        start = time.thread_time()  # a busy machine is no failure
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                reader(data, limits)
                found[name] = "fine"
            except InrError as error:
                found[name] = type(error).__name__
                if not str(error) or "\n" in str(error):
                    raise WrongOutcomeError(f"{name} raises {error!r}") from error
        if (took := time.thread_time() - start) > SECONDS:
            raise WrongOutcomeError(f"{name} took {took:.1f} s")
    return found
