"""The time left of many jobs, from what jobs of the same codec and target took."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from inrcodec.bench.job import Job
from inrcodec.bench.row import TARGET, Row

_Kind = tuple[str, float | None]


class TimeLeft:
    """Learns from jobs that end.

    Args:
        jobs: all that is to be done.
        rows: of earlier runs, to learn from at once.
        slots: how many jobs are done at a time.
    """

    def __init__(self, jobs: Iterable[Job], rows: Iterable[Row], slots: int) -> None:
        self._waiting = {job.key: job for job in jobs}
        self._slots = slots
        self._began: dict[object, float] = {}
        self._took: dict[_Kind, list[float]] = defaultdict(list)
        for row in rows:
            if row.kind == TARGET and not row.error:
                self._took[row.codec, row.target_bpp].append(row.encode_seconds + row.decode_seconds)

    def begin(self, running: Sequence[Job]) -> None:
        """These are at work."""
        for job in running:
            self._began.setdefault(job.key, time.monotonic())

    def end(self, job: Job) -> None:
        """This one is done."""
        self._waiting.pop(job.key, None)
        if job.key in self._began:
            self._took[job.codec.name, job.target_bpp].append(time.monotonic() - self._began[job.key])

    def seconds(self) -> float:
        """About; NaN while some kind of job that is still to be done has not been timed."""
        now = time.monotonic()
        left = []
        for job in self._waiting.values():
            took = self._took.get((job.codec.name, job.target_bpp))
            if took is None:
                return math.nan
            left.append(max(sum(took) / len(took) - (now - self._began.get(job.key, now)), 0.0))
        # Many are shared among the slots; in the end one waits for the longest.
        return max(sum(left) / self._slots, max(left, default=0.0))
