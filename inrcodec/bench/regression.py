"""Results held against older ones: what became worse, and what could not be compared."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from inrcodec.bench.row import Row

Key = tuple[str, str, float]
"""Picture, codec and target."""

MEAN = "mean"
"""Stands in a picture's place for the mean over the pictures both files have."""


@dataclass(frozen=True)
class Change:
    """PSNR of a picture (or the mean) with one codec at one target, before and after."""

    picture: str
    codec: str
    target_bpp: float
    old: float
    new: float
    reason: str = ""

    @property
    def drop(self) -> float:
        """How much worse it became, dB."""
        return self.old - self.new


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes:
        compared: rows that both files have.
        dropped: changes for the worse beyond what is allowed, means first.
        gone: rows of the old file without a counterpart.
        fresh: rows of the new file without one.
    """

    compared: int
    dropped: tuple[Change, ...]
    gone: tuple[Key, ...]
    fresh: tuple[Key, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing became worse; a comparison of nothing has not passed."""
        return self.compared > 0 and not self.dropped


def compare(old: Iterable[Row], new: Iterable[Row], max_drop: float) -> Comparison:
    """Compare the rows that share picture, codec and target, one by one and in the mean.

    Args:
        old: the baseline.
        new: the results to judge.
        max_drop: dB that a picture or a mean may lose.
    """
    before = {_key(row): row for row in old if row.kind == "target" and not row.error}
    after = {_key(row): row for row in new if row.kind == "target"}
    both = sorted(before.keys() & after.keys())
    changes = [change for key in both if (change := _judge(before[key], after[key], max_drop)) is not None]
    groups: dict[tuple[str, float], list[tuple[float, float]]] = defaultdict(list)
    for key in both:
        if not after[key].error:
            groups[key[1:]].append((before[key].psnr, after[key].psnr))
    means = [
        Change(MEAN, codec, target, fmean(old for old, _ in pairs), fmean(new for _, new in pairs))
        for (codec, target), pairs in groups.items()
    ]
    worse = [mean for mean in means if mean.drop > max_drop]
    return Comparison(
        len(both),
        (*worse, *changes),
        tuple(sorted(before.keys() - after.keys())),
        tuple(sorted(key for key in after.keys() - before.keys() if not after[key].error)),
    )


def _judge(old: Row, new: Row, max_drop: float) -> Change | None:
    """What became worse about one row, if anything."""
    if new.error:
        return Change(new.picture, new.codec, new.target_bpp, old.psnr, math.nan, f"failed: {new.error}")
    reason = "over the target now" if new.use > 1 >= old.use else ""
    change = Change(new.picture, new.codec, new.target_bpp, old.psnr, new.psnr, reason)
    return change if reason or change.drop > max_drop else None


def _key(row: Row) -> Key:
    return row.picture, row.codec, row.target_bpp
