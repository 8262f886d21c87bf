"""Colours that nobody sees, replaced by such as cost little.

Under a fully transparent pixel anything may lie, and files often have noise or hard edges there. Push-pull
interpolation (Gortler et al. 1996, section 4) puts smooth continuations of the visible colours in its place: means of
the visible ones of every 2 x 2 pixels, again and again, and back down linearly wherever there is nothing to be seen.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inrcodec.pixels import Pixels

Float = NDArray[np.float32]


def fill_hidden(pixels: Pixels) -> Pixels:
    """The picture with smooth colours under its fully transparent pixels; the others stay as they are."""
    visible = pixels.visible
    if visible is None:
        return pixels
    filled = _filled(np.where(visible[:, :, None], pixels.array, 0).astype(np.float32), visible)
    colours = np.clip(np.rint(filled), 0, pixels.peak).astype(pixels.array.dtype)
    return replace(pixels, array=np.where(visible[:, :, None], pixels.array, colours))


def _filled(colours: Float, known: NDArray[np.bool_]) -> Float:
    """Colours ``(rows, columns, channels)``, which are 0 where they are not known, with all of them known."""
    rows, columns = known.shape
    if known.all() or rows * columns == 1:
        return colours
    sums, count = _paired(_paired(colours, 0), 1), _paired(_paired(known.astype(np.float32), 0), 1)
    coarse = _filled((sums / np.maximum(count, 1)[:, :, None]).astype(np.float32), count > 0)
    smooth = _doubled(_doubled(coarse, 0)[:rows], 1)[:, :columns]
    return np.where(known[:, :, None], colours, smooth)


def _paired(samples: Float, axis: int) -> Float:
    """Sums of two neighbours along an axis; an odd one stays alone."""
    return np.add.reduceat(samples, np.arange(0, samples.shape[axis], 2), axis)


def _doubled(samples: Float, axis: int) -> Float:
    """Twice as many samples, interpolated linearly between the centres."""
    length = samples.shape[axis]
    at = np.arange(length)
    before, after = samples.take(np.maximum(at - 1, 0), axis), samples.take(np.minimum(at + 1, length - 1), axis)
    both = np.stack([0.75 * samples + 0.25 * before, 0.75 * samples + 0.25 * after], axis + 1)
    shape = list(samples.shape)
    shape[axis] = 2 * length
    return both.reshape(shape).astype(np.float32, copy=False)
