"""The measuring half of ``inrcodec bench``: which codecs, on which machine, and what is kept on Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inrcodec.cli.bench_progress import BenchProgress
from inrcodec.cli.console import Console
from inrcodec.cli.exits import describe
from inrcodec.errors import InrError

if TYPE_CHECKING:
    from inrcodec.bench.contender import Contender
    from inrcodec.bench.job import Key
    from inrcodec.bench.results import Results
    from inrcodec.bench.runner import Execute


@dataclass(frozen=True)
class Run:
    """The measuring half of the command.

    Attributes:
        console: where to say how it goes.
        words: of the command line.
        inputs: those of them that name the pictures, to find them again.
        pictures: the files they stand for.
        path: the file of results.
        given: values of the options.
    """

    console: Console
    words: Sequence[str]
    inputs: Sequence[str]
    pictures: Sequence[Path]
    path: Path
    given: dict[str, Any]

    def measure(self, codecs: Sequence[Contender]) -> Results | None:
        """Measure these codecs; None where Ctrl-C came before the end.

        Raises:
            InrError: the results that are there do not go with these, or cannot be gone on with, or the cluster is not
                to be had.
            OSError: the results cannot be begun.
        """
        from inrcodec.bench.head import head_of
        from inrcodec.bench.job import plan
        from inrcodec.bench.runner import measure_all

        given = self.given
        sweep = given["sweep"] if given["sweep"] is not None else bool(given["plot"] or given["html"])
        jobs = plan(self.pictures, codecs, given["bpp"], sweep, given["effort"])
        execute, slots = self._execute()
        head = head_of(self.words, self.inputs, codecs, given["effort"])
        there = self._begin(head)
        done = sum(job.key in there for job in jobs)
        if done:
            self.console.say(f"{done} of {len(jobs)} measured already")
        line = BenchProgress(self.console)
        try:
            return measure_all(jobs, self.path, execute, line, slots)
        except KeyboardInterrupt:
            line.close()
            self._tell_interrupted(len(jobs))
            return None
        except OSError as error:
            line.close()
            raise InrError(f"{describe(error)}; {self._kept(len(jobs))}") from error
        finally:
            line.close()

    def _execute(self) -> tuple[Execute, int]:
        """What does the jobs, and how many at a time."""
        if self.given["scheduler"] is not None:
            from inrcodec.bench.cluster import connect, slots_by_host
            from inrcodec.bench.remote import remote

            with connect(self.given["scheduler"]) as client:  # before anything is written
                slots = sum(slots_by_host(client).values())
            return remote(self.given["scheduler"]), max(slots, 1)
        from inrcodec.bench.local import local

        return local(self.given["jobs"], max(1, (os.cpu_count() or 1) // self.given["jobs"])), self.given["jobs"]

    def _begin(self, head: dict[str, str]) -> set[Key]:
        """Open the file of results; the jobs it holds already."""
        from inrcodec.bench.job import finished
        from inrcodec.bench.runner import begin

        results = begin(self.path, head, resume=self.given["resume"], overwrite=self.given["force"])
        changed = [key for key in ("commit", "versions") if results.rows and results.head.get(key) != head[key]]
        for key in changed:
            self.console.say(f"{self.path} began with another {key}: {results.head.get(key)}; this is {head[key]}")
        return finished(results.rows)

    def _tell_interrupted(self, total: int) -> None:
        if self.given["output"] is None:
            self.console.say("interrupted; without -o RESULTS.tsv nothing is kept")
        else:
            self.console.say(f"interrupted: {self._kept(total)}")

    def _kept(self, total: int) -> str:
        from inrcodec.bench.job import finished
        from inrcodec.bench.results import read

        if self.given["output"] is None:
            return "without -o RESULTS.tsv nothing is kept"
        kept = len(finished(read(self.path).rows))
        return f"{kept} of {total} are in {self.path}; the same with --resume goes on"


def contenders(console: Console, text: str | None, effort: int) -> list[Contender]:
    """The codecs that can run here; what the others lack is said in a line each.

    Args:
        console: where to say it.
        text: the list of codecs; the default ones if left out.
        effort: of ours, where a variant names none.

    Raises:
        click.UsageError: there is no such codec.
        InrError: none can.
    """
    from inrcodec.bench.codec import DEFAULT, codec, split
    from inrcodec.bench.contender import Contender

    found: dict[str, Contender] = {}
    for spec in DEFAULT if text is None else split(text):
        try:
            made = codec(spec, effort=effort)
        except ValueError as error:
            raise click.UsageError(f"-c: {error}.") from None
        if made.name in found:
            raise click.UsageError(f"-c: two codecs go by the name {made.name}; put another before one: name={spec}.")
        if missing := made.available():
            console.say(f"left out: {missing}")
        else:
            found[made.name] = Contender(made.name, spec)
    if not found:
        raise InrError("none of these codecs can run here")
    return list(found.values())
