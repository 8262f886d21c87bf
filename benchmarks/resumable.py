"""Tables that can be resumed: a head that says the command, and rows as they come, from several processes or one."""

from __future__ import annotations

import multiprocessing
import shlex
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.rd import published

_Row = TypeVar("_Row")


def start(path: Path, benchmark: str, given: Sequence[str], columns: Sequence[str]) -> None:
    """Make a table without rows, unless there is one.

    Args:
        path: of the table.
        benchmark: name of the module.
        given: its command line.
        columns: names of the columns.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        head = f"# python -m benchmarks.{benchmark} {shlex.join(published(list(given)))}\n"
        path.write_text(head + "\t".join(columns) + "\n")


def outcomes(measure: Callable[..., _Row], calls: Sequence[tuple[Any, ...]], workers: int) -> Iterator[_Row]:
    """What a function makes of each tuple of arguments, in order if there is one worker, else as it comes.

    Args:
        measure: at the top level of a module, so that another process finds it.
        calls: arguments.
        workers: processes; one is this one.
    """
    if workers == 1:
        yield from (measure(*call) for call in calls)
        return
    # A forked process would inherit torch's and the kernels' locks, but not the threads that release them.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from (done.result() for done in as_completed([pool.submit(measure, *call) for call in calls]))
