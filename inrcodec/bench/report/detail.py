"""The part of a picture that is worth enlarging."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Window = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""

_BLOCK = 8


def busiest(picture: NDArray[np.uint8], share: float = 0.17, shape: float = 4 / 3) -> Window:
    """The window in which most is to be seen: where variance, counted by its logarithm, is highest all over.

    Args:
        picture: ``(height, width, 3)`` samples.
        share: of the window's width in the longer side of the picture.
        shape: width over height.
    """
    rows, columns = picture.shape[:2]
    width = min(max(round(share * max(rows, columns)), 32), columns)
    height = min(max(round(width / shape), 24), rows)
    high, wide = rows // _BLOCK, columns // _BLOCK
    if high < 1 or wide < 1:
        return 0, 0, width, height
    gray = picture[: high * _BLOCK, : wide * _BLOCK].mean(axis=2).reshape(high, _BLOCK, wide, _BLOCK)
    detail = np.log1p(gray.var(axis=(1, 3)))
    sums = np.pad(detail, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    h, w = max(1, min(height // _BLOCK, high)), max(1, min(width // _BLOCK, wide))
    totals = sums[h:, w:] - sums[:-h, w:] - sums[h:, :-w] + sums[:-h, :-w]
    top, left = np.unravel_index(int(totals.argmax()), totals.shape)
    return min(int(left) * _BLOCK, columns - width), min(int(top) * _BLOCK, rows - height), width, height
