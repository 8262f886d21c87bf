"""The pieces a comparison is cut into: one codec on one picture, at one target or over its whole range."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inrcodec.bench.contender import Contender
from inrcodec.bench.row import SWEEP, TARGET, Row
from inrcodec.errors import InrError

Key = tuple[str, str, float | None]
"""Picture, codec and target (None for a sweep): what makes a job that job."""


class PlanError(InrError):
    """The pictures asked for cannot be compared in one table."""


@dataclass(frozen=True)
class Job:
    """One piece; ``target_bpp`` is None for a sweep."""

    picture: Path
    codec: Contender
    target_bpp: float | None
    effort: int

    @property
    def key(self) -> Key:
        """What tells it from the others."""
        return self.picture.stem, self.codec.name, self.target_bpp

    def __str__(self) -> str:
        what = "sweep" if self.target_bpp is None else f"{self.target_bpp:g} bpp"
        return f"{self.picture.stem} {self.codec.name} {what}"


@dataclass(frozen=True)
class Outcome:
    """What a job gave: its rows, and for a target the file that was coded."""

    rows: tuple[Row, ...]
    coded: bytes | None = None


def plan(
    pictures: Sequence[Path], codecs: Sequence[Contender], targets: Sequence[float], sweep: bool, effort: int
) -> list[Job]:
    """All the jobs, picture by picture, so that the time of the rest can be told after the first.

    Raises:
        PlanError: two pictures share a name, by which results know them.
    """
    seen: dict[str, Path] = {}
    for picture in pictures:
        if picture.stem in seen:
            raise PlanError(f"{seen[picture.stem]} and {picture} have one name in the results: measure them apart")
        seen[picture.stem] = picture
    jobs = []
    for picture in pictures:
        jobs += [Job(picture, codec, target, effort) for target in targets for codec in codecs]
        jobs += [Job(picture, codec, None, effort) for codec in codecs if sweep and not codec.ours]
    return jobs


def key_of(row: Row) -> Key:
    """The job that gave a row."""
    return row.picture, row.codec, None if row.kind == SWEEP else row.target_bpp


def finished(rows: Iterable[Row]) -> set[Key]:
    """The jobs that need not be done again; those that failed are tried again."""
    return {key_of(row) for row in rows if not row.error}


def failure(job: Job, error: str) -> Row:
    """The row of a job that gave none."""
    nan = math.nan
    target = nan if job.target_bpp is None else job.target_bpp
    return Row(
        picture=job.picture.stem, width=0, height=0, codec=job.codec.name,
        kind=SWEEP if job.target_bpp is None else TARGET, target_bpp=target, setting="", bytes=0, bpp=nan, use=nan,
        psnr=nan, ms_ssim=nan, encode_seconds=nan, decode_seconds=nan, peak_mb=nan, seed=-1, versions="",
        error=" ".join(error.split()) or "failed",
    )  # fmt: skip


def file_name(picture: str, codec: str, target_bpp: float) -> str:
    """Name under which the coded file of a target is kept beside the results."""
    return "_".join((picture, re.sub(r"[^\w.+-]+", "-", codec), f"{target_bpp:g}bpp"))
