"""Where each input's result goes, decided and checked before any work is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

STREAM = "-"


@dataclass(frozen=True)
class Job:
    """One input and the place of its result.

    Attributes:
        source: path of the input, or ``-`` for standard input.
        dest: path of the result, or None for standard output.
    """

    source: str
    dest: Path | None

    def read(self) -> bytes:
        """The whole input.

        Raises:
            OSError: it cannot be read.
        """
        return read_input(self.source)


def read_input(source: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``.

    Raises:
        OSError: it cannot be read.
    """
    return sys.stdin.buffer.read() if source == STREAM else Path(source).read_bytes()


def write_stdout(data: bytes) -> None:
    """Write bytes to standard output, as they are."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def plan_jobs(inputs: Sequence[str], output: str | None, out_dir: str | None, suffix: str) -> list[Job]:
    """Give every input its output: a sibling with another ending, a file in a folder, or what ``-o`` says.

    Args:
        inputs: paths, or a lone ``-``.
        output: the value of ``-o``: a path, ``-`` or None.
        out_dir: the value of ``-O``: a folder or None.
        suffix: ending of outputs that are not named, with its dot.

    Raises:
        click.UsageError: options that contradict each other, two inputs with one output, or an output that is an input.
    """
    if output is not None and out_dir is not None:
        raise click.UsageError("-o and -O exclude each other.")
    if out_dir is not None and Path(out_dir).exists() and not Path(out_dir).is_dir():
        raise click.UsageError(f"{out_dir} is a file; -O takes a folder.")
    if output is not None and len(inputs) > 1:
        raise click.UsageError("-o takes one input; use -O DIR for several.")
    if STREAM in inputs and len(inputs) > 1:
        raise click.UsageError("standard input (-) cannot be mixed with files.")
    if STREAM in inputs and out_dir is not None:
        raise click.UsageError("-O needs inputs with names; use -o for standard input.")
    jobs = [Job(source, _destination(source, output, out_dir, suffix)) for source in inputs]
    if jobs and jobs[0].dest is None and sys.stdout.isatty():
        raise click.UsageError("will not write a picture to a terminal; use -o FILE or a pipe.")
    _check_distinct(jobs)
    return jobs


def _destination(source: str, output: str | None, out_dir: str | None, suffix: str) -> Path | None:
    if output == STREAM or (output is None and source == STREAM):
        return None
    if output is not None:
        if Path(output).is_dir():
            raise click.UsageError(f"{output} is a folder; use -O for folders.")
        return Path(output)
    if not Path(source).name:
        raise click.UsageError(f"{source} is not a file.")
    sibling = Path(source).with_suffix(suffix)
    return sibling if out_dir is None else Path(out_dir) / sibling.name


def _check_distinct(jobs: Sequence[Job]) -> None:
    """Refuse an output that is an input, and two inputs that share an output."""
    sources = {os.path.realpath(job.source) for job in jobs if job.source != STREAM}
    taken: dict[str, str] = {}
    for job in jobs:
        if job.dest is None:
            continue
        real = os.path.realpath(job.dest)
        if real in sources:
            raise click.UsageError(f"the output {job.dest} is also an input; name another with -o.")
        if real in taken:
            raise click.UsageError(f"{taken[real]} and {job.source} would both be written to {job.dest}.")
        taken[real] = job.source
