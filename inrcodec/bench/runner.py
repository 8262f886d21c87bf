"""Many jobs, and a file of results that grows by what each of them gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inrcodec.atomic import atomic_write, check_writable
from inrcodec.bench.contender import parse
from inrcodec.bench.job import Job, Outcome, file_name, finished
from inrcodec.bench.results import Results, ResultsError, append, in_order, read, write
from inrcodec.bench.row import Row
from inrcodec.bench.timeleft import TimeLeft

OnDone = Callable[[Job, Outcome], None]
OnTick = Callable[[tuple[Job, ...]], None]
Execute = Callable[[Sequence[Job], OnDone, OnTick], None]
"""Does jobs in any order: calls the first for each that has ended, the second now and then with those at work."""


@dataclass(frozen=True)
class Standing:
    """How far the whole is.

    Attributes:
        done: jobs finished now or in an earlier run.
        total: all jobs.
        running: those at work.
        seconds_left: about; NaN while some kind of job has not been timed yet.
        latest: rows of the job that has just ended; none between two ends.
    """

    done: int
    total: int
    running: tuple[Job, ...]
    seconds_left: float
    latest: tuple[Row, ...] = ()


def files_folder(results: Path) -> Path:
    """Where the coded files of a results file lie."""
    return results.with_name(results.stem + ".files")


def begin(path: Path, head: dict[str, str], *, resume: bool, overwrite: bool) -> Results:
    """Open the file of results: a new one, or one that goes on.

    Args:
        path: the file.
        head: what its comments say; ``effort`` and ``codecs`` must agree with what is there.
        resume: keep the rows that are there, but for those that failed.
        overwrite: forget them.

    Returns:
        What the file holds now.

    Raises:
        ResultsError: the rows that are there were measured with other settings.
        OSError: the file exists and neither was asked for, or it cannot be written.
    """
    if resume and path.exists():
        old = read(path)
        _check_same(path, old.head, head)
        codecs = dict.fromkeys([*old.head.get("codecs", "").split(), *head["codecs"].split()])
        kept = tuple(row for row in old.rows if not row.error)
        results = Results({**old.head, "codecs": " ".join(codecs)}, kept)
    else:
        check_writable(path, overwrite)
        results = Results(head)
    write(path, results)
    return results


def measure_all(
    jobs: Sequence[Job], path: Path, execute: Execute, observe: Callable[[Standing], None], slots: int = 1
) -> Results:
    """Do the jobs that the file of results has no rows of, and put the file in order at the end.

    Args:
        jobs: all of them, in order.
        path: the file, as `begin` left it.
        execute: does them.
        observe: hears of every end, and now and then between.
        slots: how many are done at a time, for the time left.
    """
    before = read(path)
    there = finished(before.rows)
    missing = [job for job in jobs if job.key not in there]
    clock = TimeLeft(missing, before.rows, slots)
    done = len(jobs) - len(missing)

    def on_done(job: Job, outcome: Outcome) -> None:
        nonlocal done
        if outcome.coded is not None and job.target_bpp is not None:
            folder = files_folder(path)
            folder.mkdir(exist_ok=True)
            name = file_name(job.picture.stem, job.codec.name, job.target_bpp)
            atomic_write(folder / name, outcome.coded, overwrite=True)
        append(path, outcome.rows)  # last: a row that is there is finished, with all that belongs to it
        clock.end(job, outcome.rows)
        done += 1
        observe(Standing(done, len(jobs), (), clock.seconds(), outcome.rows))

    def on_tick(running: tuple[Job, ...]) -> None:
        clock.begin(running)
        observe(Standing(done, len(jobs), running, clock.seconds()))

    if missing:
        execute(missing, on_done, on_tick)
    results = read(path)
    names = [contender.name for contender in parse(results.head.get("codecs", ""))]
    results = replace(results, rows=in_order(results.rows, names))
    write(path, results)
    return results


def _check_same(path: Path, old: dict[str, str], new: dict[str, str]) -> None:
    """Refuse to mix rows of different settings in one table."""
    effort = old.get("effort", "?")
    ours = any(contender.ours for head in (old, new) for contender in parse(head.get("codecs", "")))
    if ours and effort != new["effort"]:
        raise ResultsError(
            f"{path} was measured at effort {effort}, not {new['effort']}: go on with -e {effort}, or name another file"
        )
    specs = {contender.name: contender.spec for contender in parse(old.get("codecs", ""))}
    for contender in parse(new["codecs"]):
        there = specs.get(contender.name, contender.spec)
        if there != contender.spec:
            raise ResultsError(
                f"{path} was measured with {contender.name} = {there}, not {contender.spec}: name another file"
            )
