"""One input of ``inrcodec encode``: read, fit, write, report."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from inrcodec.cli.batch import Outcome
from inrcodec.cli.console import Console, clock
from inrcodec.cli.exits import FINE, RequestError
from inrcodec.cli.interrupt import GracefulStop
from inrcodec.cli.paths import STREAM, Job, read_input, write_stdout
from inrcodec.cli.progress import ProgressLine
from inrcodec.cli.rescue import or_rescue

if TYPE_CHECKING:
    from inrcodec.encoder import Encoded, EncodeOptions, Plan, Progress, Report, Target
    from inrcodec.image import LoadedImage
    from inrcodec.recipes import Recipe

    Observer = Callable[[Progress], None]


@dataclass(frozen=True)
class Request:
    """What the command line asks for, for every input alike."""

    target: Target
    options: EncodeOptions
    alpha: str
    depth: Literal["auto", 8, 16]
    force: bool
    skip_existing: bool
    json: bool
    stats: Path | None
    recipe: Recipe | None = None
    metadata: str = "none"


def dry_run_job(console: Console, request: Request, job: Job) -> Outcome:
    """Print what an encode would do.

    Raises:
        InrError: the picture cannot be read, or the target not be reached.
    """
    from inrcodec.encoder import plan_pixels

    pixels = _load(console, request, job).pixels
    try:
        expected = plan_pixels(pixels, request.target, request.options)
    except ValueError as error:
        raise RequestError(str(error)) from error
    if request.json:
        console.json({"input": job.source, **vars(expected)})
        return Outcome(job.source)
    cap = f"at most {expected.cap_bytes:,} bytes" if expected.cap_bytes else "as few bytes as the target allows"
    cap += _beside(expected)
    console.data(
        f"{job.source}: {pixels.width} x {pixels.height}, {expected.method}, network {expected.arch} of "
        f"{expected.params:,} weights, {expected.steps:,} steps, {cap}, about {clock(expected.seconds)}"
    )
    return Outcome(job.source)


def _beside(expected: Plan) -> str:
    """What a file would hold besides colours."""
    parts = []
    if expected.alpha_bytes:
        most = "" if expected.alpha in ("constant", "lossless") else "at most "
        parts.append(f"alpha {expected.alpha + ', ' if expected.alpha else ''}{most}{expected.alpha_bytes:,}")
    if expected.metadata_bytes:
        parts.append(f"metadata {expected.metadata_bytes:,}")
    return f" ({'; '.join(parts)})" if parts else ""


def encode_job(
    console: Console, request: Request, job: Job, stop: GracefulStop, reports: list[dict[str, Any]]
) -> Outcome:
    """Do all of one input; ``reports`` gets its report.

    Raises:
        InrError: the picture cannot be read, or the target not be reached.
        OSError: the output exists, or cannot be written; found out before the fit wherever possible.
    """
    from inrcodec.encoder import encode_pixels

    stop.disarm()
    loaded = prepare_job(console, request, job)
    if loaded is None:
        return Outcome(job.source, message="skipped")

    options = request.options
    if options.log is not None:
        options = replace(options, log=replace(options.log, folder=log_folder(options.log.folder, job.source)))

    def encode(observer: Observer) -> Encoded:
        return encode_pixels(loaded.pixels, request.target, options, observer=observer, stop=stop)

    return finish_job(console, request, job, loaded, encode, stop, reports)


def recipe_path(dest: Path) -> Path:
    """Where the settings that a file was made with lie, if they came from a recipe."""
    return dest.with_suffix(".toml")


def log_folder(folder: Path, source: str) -> Path:
    """The folder of an input's log."""
    return folder / ("stdin" if source == STREAM else Path(source).stem)


def prepare_job(console: Console, request: Request, job: Job) -> LoadedImage | None:
    """See whether the output can be written, and read the picture; None if the output is there and may stay.

    Raises:
        InrError: the picture cannot be read.
        OSError: the output or the checkpoint exists, or cannot be written.
    """
    from inrcodec.atomic import check_writable

    if job.dest is not None:
        if request.skip_existing and job.dest.exists():
            console.say(f"{job.source}: skipped, {job.dest} exists")
            return None
        check_writable(job.dest, request.force)
        if request.recipe is not None:
            check_writable(recipe_path(job.dest), request.force)
    check_checkpoint(request)
    return _load(console, request, job)


def check_checkpoint(request: Request) -> None:
    """Find out before the fit whether its state can be kept, and that no other fit's is lost for it.

    Raises:
        FileExistsError: there is one already, and neither is it to go on nor to be replaced.
        OSError: it cannot be written.
    """
    from inrcodec.atomic import check_writable

    path = request.options.checkpoint
    if path is None:
        return
    if path.exists() and not (request.options.resume or request.force):
        raise FileExistsError(
            errno.EEXIST, "exists already (--resume goes on from it; delete it, or -f, to begin anew)", str(path)
        )
    check_writable(path, overwrite=True)


def finish_job(
    console: Console,
    request: Request,
    job: Job,
    loaded: LoadedImage,
    encode: Callable[[Observer], Encoded],
    stop: GracefulStop,
    reports: list[dict[str, Any]],
    *,
    called: str | None = None,
) -> Outcome:
    """Encode a picture that was read, write the file, report.

    Args:
        console: where to say what happens.
        request: what the command line asks for.
        job: the input.
        loaded: its picture.
        encode: what makes the file, telling an observer on the way.
        stop: from its first progress on, Ctrl-C keeps the result.
        reports: gets the input's report.
        called: name of the input in the progress, if not its path.

    Raises:
        InrError: the target cannot be reached.
        RescuedError: the output cannot be written; the result is kept elsewhere.
        OSError: it can be written nowhere.
    """
    from inrcodec.atomic import atomic_write

    line = ProgressLine(console, called or job.source)

    def observe(progress: Progress) -> None:
        stop.arm()
        line(progress)

    try:
        coded = encode(observe)
    except ValueError as error:  # options that make no sense for this picture
        raise RequestError(str(error)) from error
    finally:
        line.close()
    with or_rescue(coded.data, Path(STREAM if job.dest is None else job.dest).name):
        if job.dest is None:
            write_stdout(coded.data)
        else:
            atomic_write(job.dest, coded.data, request.force)
    if job.dest is not None and request.recipe is not None:
        from inrcodec.fit.settings import resolved
        from inrcodec.recipes import write

        used = resolved(request.recipe, request.target, request.options, coded.config)
        atomic_write(recipe_path(job.dest), write(used).encode(), request.force)
    _tell(console, request, job, loaded, coded.report, reports)
    report = coded.report
    columns = (f"{report.bytes:,}", f"{report.bpp:.4f}", f"{report.psnr:.2f} dB", clock(report.seconds))
    return Outcome(job.source, columns, FINE)


def _load(console: Console, request: Request, job: Job) -> LoadedImage:
    """Read the picture and say what was changed about it."""
    from inrcodec.image import load_image

    source: str | bytes = read_input(STREAM) if job.source == STREAM else job.source
    loaded = load_image(source, alpha=request.alpha, depth=request.depth, metadata=request.metadata)
    for note in loaded.notes:
        console.say(f"{job.source}: {note}")
    return loaded


def _tell(
    console: Console, request: Request, job: Job, loaded: LoadedImage, report: Report, reports: list[dict[str, Any]]
) -> None:
    """Say how it went, to people and to programs."""
    beside = f", alpha {report.alpha} {report.alpha_bytes:,} bytes" if report.alpha else ""
    if report.alpha_psnr is not None:
        beside += f" ({report.alpha_psnr:.2f} dB)"
    used = f", {100 * report.use:.1f} % of the cap" if report.use is not None else ""
    console.say(
        f"{job.source} -> {job.dest or 'standard output'}: {report.bytes:,} bytes, {report.bpp:.4f} bpp{used}, "
        f"{report.psnr:.2f} dB{beside}, {clock(report.seconds)}"
    )
    if report.needs is not None:
        console.say(f"{job.source}: so few bytes for so many pixels decode with --max-work {report.needs} only")
    if report.interrupted:
        console.say(f"{job.source}: stopped early; this is the best result up to then")
    console.detail(
        f"{job.source}: {report.method}, network {report.arch}, {report.kept:,} of {report.params:,} weights kept, "
        f"{report.steps:,} steps, effort {report.effort}, seed {report.seed}"
    )
    for trial in report.trials:
        console.detail(
            f"{job.source}: lambda {trial.price:.3g}, {trial.steps:,} steps: {trial.bytes:,} bytes, {trial.psnr:.2f} dB"
        )
    record = {"input": job.source, "output": str(job.dest or STREAM), **report.as_dict(), "notes": list(loaded.notes)}
    reports.append(record)
    if request.json:
        console.json(record)
