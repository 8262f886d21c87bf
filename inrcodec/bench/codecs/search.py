"""The largest setting whose file fits: how a codec with a quality meets a number of bytes."""

from __future__ import annotations

from collections.abc import Callable

LOOK = 4
"""Settings tried above the one a bisection ends with: sizes grow with quality only on the whole."""


def largest_within(encode: Callable[[int], bytes], lowest: int, highest: int, cap: int) -> tuple[int, bytes]:
    """The highest setting whose file has at most ``cap`` bytes, and the file.

    Args:
        encode: setting to file; larger settings give larger files, more or less.
        lowest: first setting there is.
        highest: last setting there is.
        cap: bytes the file may have.

    Returns:
        The setting and its file; where nothing fits, the smallest file that was seen.
    """
    files: dict[int, bytes] = {}

    def fits(setting: int) -> bool:
        if setting not in files:
            files[setting] = encode(setting)
        return len(files[setting]) <= cap

    low, high = lowest, highest + 1
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    for setting in range(min(highest, low + LOOK), low - 1, -1):
        if fits(setting):
            return setting, files[setting]
    smallest = min(files, key=lambda setting: len(files[setting]))
    return smallest, files[smallest]
