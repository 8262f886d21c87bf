"""Inputs of ``inrcodec encode`` whose pictures are fitted together: read all, fit as stacks, finish one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from inrcodec.cli.batch import Outcome
from inrcodec.cli.console import Console
from inrcodec.cli.encode_job import Request, finish_job, prepare_job
from inrcodec.cli.exits import RequestError
from inrcodec.cli.interrupt import GracefulStop
from inrcodec.cli.paths import Job

if TYPE_CHECKING:
    from inrcodec.fit.together import Together
    from inrcodec.image import LoadedImage


def stack_size(request: Request, inputs: int) -> int:
    """How many inputs are fitted together; torch is asked about a GPU only where there are several."""
    if inputs == 1 or request.options.stack == 1:
        return 1
    from inrcodec.fit.together import room

    try:
        return room(request.options)
    except ValueError:  # no such device: every input will say so
        return 1


@dataclass(frozen=True)
class Turn:
    """One input's turn in its company."""

    company: Company
    place: int

    @property
    def source(self) -> str:
        """The input."""
        return self.company.jobs[self.place].source

    def take(self) -> Outcome | None:
        """Do all of the input; None if it was not started because the user asked to stop.

        Raises:
            InrError: the picture cannot be read, or the target not be reached.
            OSError: the output exists, or cannot be written; found out before the fit wherever possible.
        """
        return self.company.encode(self.place)


def take_turns(
    console: Console,
    request: Request,
    jobs: Sequence[Job],
    size: int,
    stop: GracefulStop,
    reports: list[dict[str, Any]],
) -> list[Turn]:
    """Inputs in companies of ``size``, so that only so many pictures are held in memory."""
    companies = [Company(console, request, jobs[at : at + size], stop, reports) for at in range(0, len(jobs), size)]
    return [Turn(company, place) for company in companies for place in range(len(company.jobs))]


class Company:
    """Inputs that are read together.

    Args:
        console: where to say what happens.
        request: what the command line asks for.
        jobs: the inputs.
        stop: once true, no fit is begun; pictures that were fitted are still encoded.
        reports: gets a report of each.
    """

    def __init__(
        self, console: Console, request: Request, jobs: Sequence[Job], stop: GracefulStop, reports: list[dict[str, Any]]
    ) -> None:
        self.console, self.request, self.jobs, self.stop, self.reports = console, request, tuple(jobs), stop, reports
        self._loaded: dict[int, LoadedImage] = {}
        self._failed: dict[int, Exception] = {}
        self._together: Together | None = None

    def encode(self, place: int) -> Outcome | None:
        """Take one input's turn; the first of all reads every picture."""
        if self._together is None:
            if self.stop():
                return None
            self._together = self._gather()
        job, together = self.jobs[place], self._together
        if place in self._failed:
            raise self._failed[place]
        if place not in self._loaded:
            return Outcome(job.source, message="skipped")
        k = list(self._loaded).index(place)
        if not together.begun(k) and self.stop():
            return None
        if not together.waiting:
            self.stop.disarm()
        others = 0 if together.begun(k) else len(together.company(k)) - 1
        called = f"{job.source} and {others} more" if others else job.source
        encode = partial(together.encode, k)
        loaded = self._loaded[place]
        return finish_job(self.console, self.request, job, loaded, encode, self.stop, self.reports, called=called)

    def _gather(self) -> Together:
        """Read all pictures; errors wait for their input's turn.

        Raises:
            RequestError: options that make no sense.
        """
        from inrcodec.fit.together import Together

        self.stop.disarm()
        for place, job in enumerate(self.jobs):
            try:
                loaded = prepare_job(self.console, self.request, job)
            except Exception as error:  # noqa: PERF203 - reading takes longer than any try
                self._failed[place] = error
            else:
                self._loaded |= {} if loaded is None else {place: loaded}
        pictures = [loaded.pixels for loaded in self._loaded.values()]
        try:
            return Together(pictures, self.request.target, self.request.options, self.stop)
        except ValueError as error:
            raise RequestError(str(error)) from error
