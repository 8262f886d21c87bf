"""Jobs on the machines of a Dask cluster: the pictures travel with them, rows and coded files come back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from inrcodec.bench.cluster import connect, slots_by_host, submit_all, this_host
from inrcodec.bench.job import Job, Outcome, failure
from inrcodec.bench.launch import PROGRAM, Child
from inrcodec.bench.runner import Execute, OnDone, OnTick


@dataclass(frozen=True)
class Parcel:
    """A job with all it needs on a machine that has nothing but this package.

    Attributes:
        job: what to do; its path means nothing there but the picture's name.
        picture: the file's bytes.
        slots: how many jobs each machine works on at a time, by its address.
        program: what does one job; the workers' own if left out.
    """

    job: Job
    picture: bytes = field(repr=False)
    slots: dict[str, int]
    program: tuple[str, ...] = ()


def remote(address: str, program: Sequence[str] = ()) -> Execute:
    """What does jobs on a cluster; an interrupt takes back those that no worker has begun.

    Args:
        address: of the scheduler.
        program: what does one job there.
    """

    def execute(jobs: Sequence[Job], on_done: OnDone, on_tick: OnTick) -> None:
        with connect(address) as client:
            slots = slots_by_host(client)

            def parcel(job: Job) -> Parcel:
                return Parcel(job, job.picture.read_bytes(), slots, tuple(program))

            def hear(job: Job, result: Outcome | Exception) -> None:
                on_done(job, Outcome((failure(job, f"{result}"),)) if isinstance(result, Exception) else result)

            submit_all(client, unpack, jobs, parcel, hear, lambda: on_tick(()))

    return execute


def unpack(parcel: Parcel) -> Outcome:
    """Do the job of a parcel; runs on a worker."""
    threads = max(1, (os.cpu_count() or 1) // parcel.slots.get(this_host(), 1))
    with tempfile.TemporaryDirectory(prefix="inrcodec-bench-") as folder:
        picture = Path(folder) / parcel.job.picture.name
        picture.write_bytes(parcel.picture)
        return Child(replace(parcel.job, picture=picture), threads, parcel.program or PROGRAM).wait()
