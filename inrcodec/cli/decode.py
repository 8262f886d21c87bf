"""``inrcodec decode``: ``.inr`` files to pictures, at any size. Never imports torch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inrcodec.cli.batch import Batch, Outcome
from inrcodec.cli.console import Console, verbosity
from inrcodec.cli.exits import FINE, RequestError
from inrcodec.cli.help import DailyCommand
from inrcodec.cli.limits import limits_of, raised_limits
from inrcodec.cli.paths import STREAM, Job, plan_jobs, write_stdout
from inrcodec.cli.values import size, window

if TYPE_CHECKING:
    from inrcodec.decoder import View
    from inrcodec.limits import Limits

FORMATS = ("png", "ppm", "pgm", "tiff", "webp")  # of inrcodec.image, repeated so that --help need not import Pillow
_ENDINGS = {"tiff": ".tif"}


@click.command(cls=DailyCommand)
@click.argument("inputs", metavar="INPUT.inr...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="OUT.png", help="Write here; - is standard output. Default: INPUT.png.")
@click.option("-O", "--out-dir", metavar="DIR", help="Write into this folder.")
@click.option("--format", "fmt", type=click.Choice(FORMATS), help="Format.  [default: by the ending of -o, else png]")
@click.option("--scale", type=click.FloatRange(0, min_open=True), metavar="S", help="Draw it S times as large.")
@click.option("--width", type=click.IntRange(1), metavar="N", help="Draw it N pixels wide.")
@click.option("--height", type=click.IntRange(1), metavar="N", help="Draw it N pixels high.")
@click.option("--crop", type=window, metavar="X,Y,W,H", help="Draw only this window of the (scaled) picture.")
@click.option("--depth", type=click.Choice(["8", "16"]), help="Bits per sample.  [default: the file's]")
@click.option("--max-pixels", type=click.IntRange(1), metavar="N", help="Refuse to draw more pixels than this.")
@raised_limits
@click.option("--max-bytes", type=size, metavar="N[k]", help="Draw what N bytes of a scalable file would.")
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
@click.option("--json", is_flag=True, help="Print one JSON object per input on standard output.")
@verbosity
@click.pass_obj
def decode(
    console: Console, /, inputs: tuple[str, ...], output: str | None, out_dir: str | None, fmt: str | None,
    scale: float | None, width: int | None, height: int | None, crop: tuple[int, int, int, int] | None,
    depth: str | None, max_pixels: int | None, max_work: int | None, max_params: int | None, max_latents: int | None,
    max_bytes: int | None, force: bool, json: bool,
) -> int:  # fmt: skip
    """Draw coded pictures again, as PNG, PPM, TIFF or WebP.

    --scale, --width or --height draw them at any size, --crop a part of them. Latent grids are decoded whole for that
    and averaged or interpolated; a network alone has no resolution of its own.
    """
    if sum(wish is not None for wish in (scale, width, height)) > 1:
        raise click.UsageError("--scale, --width and --height exclude each other.")
    if json and (output == STREAM or (inputs == (STREAM,) and output is None)):
        raise click.UsageError("--json and the picture both want standard output; use -o FILE.")
    jobs = plan_jobs(inputs, output, out_dir, _ENDINGS.get(fmt or "png", f".{fmt or 'png'}"))

    from inrcodec.decoder import View

    view = View(scale, width, height, crop, int(depth) if depth else None)
    limits = limits_of(max_pixels, max_work, max_params, max_latents)
    if out_dir is not None:
        Path(out_dir).mkdir(parents=True, exist_ok=True)
    batch = Batch(console, json)
    return batch.run(
        jobs,
        lambda job: job.source,
        lambda job: _decode_one(console, job, fmt, view, limits, max_bytes, force, json),
        ("width", "height", "time"),
    )


def _decode_one(
    console: Console, job: Job, fmt: str | None, view: View, limits: Limits, max_bytes: int | None, force: bool,
    json: bool,
) -> Outcome:  # fmt: skip
    from inrcodec.atomic import atomic_write, check_writable
    from inrcodec.decoder import decode_pixels
    from inrcodec.image import format_of, losses, picture_bytes

    fmt = fmt or ("png" if job.dest is None else format_of(job.dest))
    if job.dest is not None:
        check_writable(job.dest, force)
    start = time.monotonic()
    data = job.read()
    try:
        pixels = decode_pixels(data, view, limits, max_bytes=max_bytes)
    except ValueError as error:  # a view that makes no sense for this picture
        raise RequestError(str(error)) from error
    picture = picture_bytes(pixels, fmt)
    for loss in losses(pixels, fmt):
        console.say(f"{job.source}: {loss}")
    if job.dest is None:
        write_stdout(picture)
    else:
        atomic_write(job.dest, picture, force)
    seconds = time.monotonic() - start
    console.say(f"{job.source} -> {job.dest or 'standard output'}: {pixels.width} x {pixels.height}, {seconds:.2f} s")
    if json:
        console.json(
            {
                "input": job.source, "output": str(job.dest or STREAM), "format": fmt, "width": pixels.width,
                "height": pixels.height, "channels": pixels.samples.shape[2], "depth": pixels.depth, "seconds": seconds,
            }
        )  # fmt: skip
    return Outcome(job.source, (str(pixels.width), str(pixels.height), f"{seconds:.2f} s"), FINE)
