"""Inputs of ``inrcodec encode`` that the workers of a Dask cluster fit: read and written here."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inrcodec.cli.batch import Batch, Outcome
from inrcodec.cli.console import Console
from inrcodec.cli.encode_job import Request, finish_job, prepare_job
from inrcodec.cli.interrupt import GracefulStop
from inrcodec.cli.paths import Job

if TYPE_CHECKING:
    from inrcodec.encoder import Encoded, EncodeOptions, Target
    from inrcodec.image import LoadedImage
    from inrcodec.pixels import Pixels

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Parcel:
    """All that a worker needs; ``processes`` are those of the workers on each machine, which share its cores."""

    pixels: Pixels
    target: Target
    options: EncodeOptions
    processes: dict[str, int]


def encode_on_cluster(
    console: Console, request: Request, jobs: Sequence[Job], address: str, reports: list[dict[str, Any]]
) -> int:
    """Have the inputs encoded by the workers of a scheduler; each is written as soon as it is there.

    Args:
        console: where to say what happens.
        request: what the command line asks for.
        jobs: the inputs.
        address: of the scheduler.
        reports: gets a report of each, in the order they are done.

    Returns:
        The exit code of the whole.

    Raises:
        InrError: the cluster cannot be reached, or was lost.
    """
    from inrcodec.bench.cluster import connect, processes_by_host, submit_all

    loaded: dict[Job, LoadedImage] = {}
    outcomes: dict[Job, Outcome | Exception] = {}

    with connect(address) as client:
        processes = processes_by_host(client)

        def prepare(job: Job) -> Parcel:
            picture = prepare_job(console, request, job)
            if picture is None:
                raise _Skipped
            loaded[job] = picture
            return Parcel(picture.pixels, request.target, request.options, processes)

        def on_done(job: Job, result: Encoded | Exception) -> None:
            try:
                outcomes[job] = _finish(console, request, job, loaded.pop(job, None), result, reports)
            except Exception as error:
                outcomes[job] = error

        submit_all(client, unpack, jobs, prepare, on_done)
    return Batch(console, request.json).run(
        jobs, lambda job: job.source, lambda job: _told(outcomes[job]), ("bytes", "bpp", "PSNR", "time")
    )


def unpack(parcel: Parcel) -> Encoded:
    """Encode what is in a parcel; runs on a worker, which has threads for several but fits one at a time."""
    from inrcodec.bench.cluster import this_host
    from inrcodec.encoder import encode_pixels

    options = parcel.options
    if options.threads is None:
        sharing = parcel.processes.get(this_host(), 1)
        options = replace(options, threads=max(1, (os.cpu_count() or 1) // sharing))
    with _ONE_AT_A_TIME:
        return encode_pixels(parcel.pixels, parcel.target, options)


class _Skipped(Exception):
    """The output is there, and may stay."""


def _finish(
    console: Console,
    request: Request,
    job: Job,
    picture: LoadedImage | None,
    result: Encoded | Exception,
    reports: list[dict[str, Any]],
) -> Outcome:
    """Write what came back; errors are the input's own."""
    if isinstance(result, _Skipped):
        return Outcome(job.source, message="skipped")

    def encode(_: object) -> Encoded:
        if isinstance(result, Exception):
            raise result
        return result

    if picture is None:
        raise result if isinstance(result, Exception) else AssertionError(job)
    return finish_job(console, request, job, picture, encode, GracefulStop(), reports)


def _told(outcome: Outcome | Exception) -> Outcome:
    """The outcome, raised where it is an error."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
