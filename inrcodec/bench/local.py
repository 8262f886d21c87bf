"""Jobs on this machine, several at a time, each in a process of its own."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from inrcodec.bench.job import Job
from inrcodec.bench.launch import PROGRAM, Child
from inrcodec.bench.runner import Execute, OnDone, OnTick

POLL_SECONDS = 0.05


def local(parallel: int, threads: int, program: Sequence[str] = PROGRAM) -> Execute:
    """What does jobs here; an interrupt ends those at work.

    Args:
        parallel: how many at a time.
        threads: for each of them.
        program: what does one job, see `inrcodec.bench.child`.
    """

    def execute(jobs: Sequence[Job], on_done: OnDone, on_tick: OnTick) -> None:
        waiting = deque(jobs)
        running: list[Child] = []
        try:
            while waiting or running:
                while waiting and len(running) < parallel:
                    running.append(Child(waiting.popleft(), threads, program))
                on_tick(tuple(child.job for child in running))
                for child in [child for child in running if child.done()]:
                    running.remove(child)
                    on_done(child.job, child.wait())
                time.sleep(POLL_SECONDS)
        finally:
            for child in running:
                child.kill()

    return execute
