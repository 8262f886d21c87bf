"""Means over pictures, of two kinds that are never mixed.

*At target*: every picture coded to exactly one size, the mean of their PSNRs. *Operating points*: every picture coded
at one quality setting, the means of their rates and of their PSNRs; this is how published curves are made. At equal
rate the second kind is 0.1 to 0.5 dB lower for the same codec.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from inrcodec.bench.row import Row

AT_TARGET = "every picture at exactly the target"
OPERATING_POINTS = "mean of operating points"


@dataclass(frozen=True)
class TargetMean:
    """One codec at one target.

    ``bpp``, ``psnr`` and ``ms_ssim`` are means over all pictures, and NaN unless every picture has a file within the
    target: a mean that leaves some out, or lets some be larger, compares with nothing.

    Attributes:
        pictures: how many there are.
        over: pictures whose smallest file is larger than the target.
        failed: pictures without a result.
        use: smallest and largest share of the cap that a file fills, of those that fit.
        encode_seconds: median over the pictures, as is ``decode_seconds``.
        peak_mb: largest memory of any picture.
    """

    codec: str
    target_bpp: float
    pictures: int
    over: tuple[str, ...]
    failed: tuple[str, ...]
    bpp: float
    psnr: float
    ms_ssim: float
    use: tuple[float, float]
    encode_seconds: float
    decode_seconds: float
    peak_mb: float

    @property
    def complete(self) -> bool:
        """Whether the means exist."""
        return not self.over and not self.failed

    @property
    def remark(self) -> str:
        """Why there is no mean, if so."""
        parts = [f"{len(self.over)} of {self.pictures} over the target"] if self.over else []
        parts += [f"{len(self.failed)} of {self.pictures} without a result"] if self.failed else []
        return ", ".join(parts)


@dataclass(frozen=True)
class OperatingPoint:
    """One codec at one setting, the same for every picture; all figures but the seconds (medians) are means."""

    codec: str
    setting: str
    pictures: int
    bpp: float
    psnr: float
    ms_ssim: float
    encode_seconds: float
    decode_seconds: float


def target_means(rows: Iterable[Row], codecs: Sequence[str]) -> list[TargetMean]:
    """Means by target, then codec; the pictures are all those that occur in the rows."""
    rows = list(rows)
    pictures = sorted({row.picture for row in rows})
    groups: dict[tuple[float, str], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row.kind == "target":
            groups[row.target_bpp, row.codec][row.picture] = row
    order = sorted(groups, key=lambda key: (key[0], codecs.index(key[1])))
    return [_target_mean(codec, target, groups[target, codec], pictures) for target, codec in order]


def _target_mean(codec: str, target: float, by_picture: dict[str, Row], pictures: Sequence[str]) -> TargetMean:
    good = [row for row in by_picture.values() if not row.error]
    within = [row for row in good if row.use <= 1]
    whole = len(within) == len(pictures)
    return TargetMean(
        codec=codec,
        target_bpp=target,
        pictures=len(pictures),
        over=tuple(sorted(row.picture for row in good if row.use > 1)),
        failed=tuple(sorted(set(pictures) - {row.picture for row in good})),
        bpp=fmean(row.bpp for row in within) if whole else math.nan,
        psnr=fmean(row.psnr for row in within) if whole else math.nan,
        ms_ssim=fmean(row.ms_ssim for row in within) if whole else math.nan,
        use=(min(row.use for row in within), max(row.use for row in within)) if within else (math.nan, math.nan),
        encode_seconds=median(row.encode_seconds for row in good) if good else math.nan,
        decode_seconds=median(row.decode_seconds for row in good) if good else math.nan,
        peak_mb=max((row.peak_mb for row in good), default=math.nan),
    )


def operating_points(rows: Iterable[Row], codecs: Sequence[str]) -> list[OperatingPoint]:
    """Means by codec, then rate; only of settings that every picture was coded with."""
    rows = list(rows)
    pictures = {row.picture for row in rows}
    groups: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row.kind == "sweep" and not row.error:
            groups[row.codec, row.setting][row.picture] = row
    points = [
        OperatingPoint(
            codec,
            setting,
            len(members),
            fmean(row.bpp for row in members.values()),
            fmean(row.psnr for row in members.values()),
            fmean(row.ms_ssim for row in members.values()),
            median(row.encode_seconds for row in members.values()),
            median(row.decode_seconds for row in members.values()),
        )
        for (codec, setting), members in groups.items()
        if members.keys() == pictures
    ]
    return sorted(points, key=lambda point: (codecs.index(point.codec), point.bpp))
