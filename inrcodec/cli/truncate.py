"""``inrcodec truncate``: scalable files cut to fewer bytes. Never imports torch."""

from __future__ import annotations

from pathlib import Path

import click

from inrcodec.cli.batch import Batch, Outcome
from inrcodec.cli.console import Console, verbosity
from inrcodec.cli.help import DailyCommand
from inrcodec.cli.paths import STREAM, Job, plan_jobs, write_stdout
from inrcodec.cli.values import size


@click.command(cls=DailyCommand)
@click.argument("inputs", metavar="INPUT.inr...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="OUT.inr", help="Write here; - is standard output.")
@click.option("-O", "--out-dir", metavar="DIR", help="Write into this folder.")
@click.option("-b", "--bpp", type=click.FloatRange(0, min_open=True), metavar="X", help="At most X bits per pixel.")
@click.option("-s", "--size", "cap", type=size, metavar="N[k]", help="At most N bytes (12k is 12,000).")
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
@click.option("--json", is_flag=True, help="Print one JSON object per input on standard output.")
@verbosity
@click.pass_obj
def truncate(
    console: Console, /, inputs: tuple[str, ...], output: str | None, out_dir: str | None, bpp: float | None,
    cap: int | None, force: bool, json: bool,
) -> int:  # fmt: skip
    """Cut files of encode --scalable to fewer bytes.

    Nothing is fitted again: what matters least comes last in such a file, and is left out. A file that is small enough
    stays as it is.
    """
    if (bpp is None) == (cap is None):
        raise click.UsageError("to what size? One of -b and -s.")
    jobs = plan_jobs(inputs, output, out_dir, ".inr")
    if json and jobs[0].dest is None:
        raise click.UsageError("--json and the file both want standard output; use -o FILE.")
    if out_dir is not None:
        Path(out_dir).mkdir(parents=True, exist_ok=True)
    return Batch(console, json).run(
        jobs,
        lambda job: job.source,
        lambda job: _truncate_one(console, job, bpp, cap, force, json),
        ("bytes", "bpp"),
    )


def _truncate_one(console: Console, job: Job, bpp: float | None, cap: int | None, force: bool, json: bool) -> Outcome:
    from inrcodec.atomic import atomic_write, check_writable
    from inrcodec.decoder import truncated
    from inrcodec.format.stream import unpack

    if job.dest is not None:
        check_writable(job.dest, force)
    stream = unpack(job.read())
    pixels = stream.header.pixels
    most = cap if cap is not None else int((bpp or 0) * pixels / 8 + 1e-9)
    data = truncated(stream, most).data
    if job.dest is None:
        write_stdout(data)
    else:
        atomic_write(job.dest, data, force)
    rate = 8 * len(data) / pixels
    console.say(f"{job.source} -> {job.dest or 'standard output'}: {len(data):,} bytes, {rate:.4f} bpp")
    if json:
        console.json({"input": job.source, "output": str(job.dest or STREAM), "bytes": len(data), "bpp": rate})
    return Outcome(job.source, (f"{len(data):,}", f"{rate:.4f}"))
