"""What error to expect of a picture at a rate, and what a bit is worth there, by two classic codecs in a moment.

A fit that starts at the wrong price of a bit does not recover: latents that died do not come back, and those that
grew do not die without harm (0.3 dB on kodim05 at 0.4 bpp, from a third of the right price). The price that leads to
a rate differs a hundredfold between pictures and rates. But JPEG's and WebP's own curves of error over rate foretell
it: over six Kodak pictures and five rates, their error at the rate times the slope there is 2.3 times what Cool-
chic's multiplier was, give or take a quarter.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inrcodec.pixels import Pixels

_TRIALS: tuple[tuple[str, tuple[int, ...], dict[str, Any]], ...] = (
    ("WEBP", (0, 3, 10, 25, 50, 75, 90, 98), {"method": 2}),
    ("JPEG", (30, 60, 85, 95), {"subsampling": 0, "optimize": True}),
)
"""Codecs, qualities and options."""

_SIDE = 1440
"""Larger pictures are judged by a square of this side in their middle."""

_LEAD = 2.0
"""How much smaller an error a fit of the usual length comes to, for the same bytes."""

_GENTLEST, _STEEPEST = 0.4, 2.5


@dataclass(frozen=True)
class Outlook:
    """What to expect at a rate.

    Attributes:
        mse: mean squared error, of samples in [0, 1].
        elasticity: -dlnMSE/dlnbits.
    """

    mse: float
    elasticity: float = 0.8


@dataclass(frozen=True)
class Yardstick:
    """Curves of classic codecs.

    Attributes:
        curves: for every codec points ``(ln bpp, ln MSE)``, by rising rate.
    """

    curves: tuple[tuple[tuple[float, float], ...], ...]

    @classmethod
    def of(cls, pixels: Pixels) -> Yardstick:
        """Measure a picture: a fifth of a second for half a megapixel."""
        samples = _middle(pixels)
        picture = Image.fromarray(samples[..., 0] if pixels.channels == 1 else samples)
        curves = (_curve(picture, samples, *trial) for trial in _TRIALS)
        return cls(tuple(curve for curve in curves if len(curve) > 1))

    def at(self, bpp: float) -> Outlook:
        """What to expect at a rate: of the codec that does better there."""
        x, best = math.log(bpp), (0.0, 0.8)
        for curve in self.curves:
            k = min(max(int(np.searchsorted([rate for rate, _ in curve], x)), 1), len(curve) - 1)
            (x0, y0), (x1, y1) = curve[k - 1], curve[k]
            slope = min(max((y0 - y1) / (x1 - x0), _GENTLEST), _STEEPEST)
            best = min(best, (y0 - slope * (x - x0), slope))
        return Outlook(math.exp(best[0]) / _LEAD, best[1])


def _middle(pixels: Pixels) -> NDArray[np.uint8]:
    """The samples of the middle, at 8 bits."""
    top, left = (max(0, (side - _SIDE) // 2) for side in (pixels.height, pixels.width))
    part = pixels.array[top : top + _SIDE, left : left + _SIDE]
    return np.ascontiguousarray(part >> (pixels.depth - 8)).astype(np.uint8)


def _curve(
    picture: Image.Image, samples: NDArray[np.uint8], codec: str, qualities: Sequence[int], options: dict[str, Any]
) -> tuple[tuple[float, float], ...]:
    """Points of a codec, less those that are no better than one that takes fewer bits."""
    points: list[tuple[float, float]] = []
    for quality in qualities:
        file = io.BytesIO()
        try:
            picture.save(file, codec, quality=quality, **options)
        except (OSError, KeyError, ValueError):  # this Pillow came without that codec
            return ()
        drawn = np.asarray(Image.open(file).convert(picture.mode), np.float64).reshape(samples.shape)
        mse = float(((drawn - samples) ** 2).mean()) / 255**2
        rate = math.log(8 * file.tell() / (picture.width * picture.height))
        error = math.log(mse + 1e-6)
        if not points or (rate > points[-1][0] and error < points[-1][1]):
            points.append((rate, error))
    return tuple(points)
