"""``inrcodec encode``: pictures to ``.inr`` files of the size that was asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from inrcodec.atomic import atomic_write, check_writable
from inrcodec.cli.batch import Batch
from inrcodec.cli.console import Console, to_json, verbosity
from inrcodec.cli.encode_cluster import encode_on_cluster
from inrcodec.cli.encode_job import Request, dry_run_job, encode_job
from inrcodec.cli.encode_stack import stack_size, take_turns
from inrcodec.cli.help import DailyCommand, Rare
from inrcodec.cli.interrupt import graceful_stop
from inrcodec.cli.paths import STREAM, Job, plan_jobs
from inrcodec.cli.values import activation, alpha, duration, encoding, layers, metadata, override, size, tile

if TYPE_CHECKING:
    from inrcodec.recipes import Recipe

DEFAULT_BPP = 0.3


# fmt: off
@click.command(cls=DailyCommand)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="OUT.inr", help="Write here; - is standard output. Default: INPUT.inr.")
@click.option("-O", "--out-dir", metavar="DIR", help="Write into this folder.")
@click.option("-b", "--bpp", type=click.FloatRange(0, min_open=True), metavar="X",
              help=f"Hard cap on the file's bits per pixel.  [default: {DEFAULT_BPP}]")
@click.option("-s", "--size", type=size, metavar="N[k]", help="Hard cap on the file's bytes (12k is 12,000).")
@click.option("-p", "--psnr", type=click.FloatRange(0, min_open=True), metavar="DB",
              help="The smallest file that reaches this PSNR, of colours that can be seen.")
@click.option("--lambda", "price", cls=Rare, type=click.FloatRange(0, min_open=True), metavar="X",
              help="With --method penalized, no size but a price: minimise MSE + X bpp.")
@click.option("--config", "recipe", cls=Rare, metavar="NAME|FILE.toml",
              help="Published settings, see inrcodec recipes; what was used goes beside the output, as another.")
@click.option("-e", "--effort", type=click.IntRange(1, 9), metavar="1..9", default=5, show_default=True,
              help="1 is seconds, 9 is as good as it gets.")
@click.option("--max-time", type=duration, metavar="T",
              help="Stop after 90s, 10m or 1h and write the best result so far.")
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
@click.option("--dry-run", is_flag=True, help="Print network, steps and expected time, and do nothing.")
@click.option("--json", is_flag=True, help="Print one JSON object per input on standard output.")
@click.option("--arch", cls=Rare, type=click.Choice(["auto", "siren", "grid"]), default="auto", show_default=True,
              help="A network alone, or latent grids under one: far better, and what auto takes.")
@click.option("--layers", cls=Rare, type=layers, metavar="DxW",
              help="Hidden layers and their width (4x64).  [default: by the budget]")
@click.option("--activation", cls=Rare, type=activation, metavar="NAME[:W0]", default="sine", show_default=True,
              help="Of a network alone: sine, relu, gelu or gauss.")
@click.option("--encoding", cls=Rare, type=encoding, metavar="NAME[:M[:SCALE]]", default="none", show_default=True,
              help="Of its inputs: none, nerf, positional or gauss; M frequencies.")
@click.option("--method", cls=Rare, type=click.Choice(["l0", "coin", "penalized", "bisect", "magnitude"]), default="l0",
              show_default=True, help="What keeps the weights few and the file small.")
@click.option("--from", "start", cls=Rare, type=click.Path(path_type=Path, dir_okay=False, exists=True),
              metavar="FILE.inr", help="Start the fit from this file's network, e.g. to prune it.")
@click.option("--scalable", cls=Rare, is_flag=True,
              help="A file that truncate can cut to any smaller size; takes about four times as long.")
@click.option("--tile", cls=Rare, type=tile, metavar="auto|off|N", default="auto", show_default=True,
              help="Fit N x N pixels at a time, which bounds memory: the file and its picture have no seams. auto does "
                   "so with pictures over 2 megapixels.")
@click.option("--quant", cls=Rare, metavar="STAGES",
              help="Trained through, or after the fit nearest, adaround, qat, joined by +.  [default: trained]")
@click.option("--coder", cls=Rare, type=click.Choice(["arithmetic", "brotli"]), default="arithmetic", show_default=True,
              help="Of its weights; brotli for comparison.")
@click.option("--set", "overrides", cls=Rare, type=override, metavar="KEY=VALUE", multiple=True,
              help="Change one setting of the fit; may be repeated.")
@click.option("--seed", cls=Rare, type=click.IntRange(0), metavar="N", default=0, show_default=True,
              help="Start of the random numbers.")
@click.option("--device", cls=Rare, type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
              help="Where to fit.")
@click.option("--stack", cls=Rare, type=click.IntRange(1), metavar="N",
              help="Pictures of one size fitted together; pays on a GPU.  [default: 1 on the CPU, 24 on a GPU]")
@click.option("--engine", cls=Rare, type=click.Choice(["auto", "numba", "triton", "torch", "compile"]), default="auto",
              show_default=True, help="What computes it: fused kernels (numba on the CPU, triton on a GPU), or torch.")
@click.option("-j", "--threads", cls=Rare, type=click.IntRange(1), metavar="N", help="Threads.  [default: all cores]")
@click.option("--checkpoint", cls=Rare, type=click.Path(path_type=Path, dir_okay=False), metavar="PATH",
              help="Save the state of the fit here as it goes.")
@click.option("--resume", cls=Rare, is_flag=True, help="Go on from the checkpoint.")
@click.option("--log", cls=Rare, type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Write down how the fit goes, in a folder of DIR for every input: CSV, TensorBoard events.")
@click.option("--log-images", cls=Rare, is_flag=True, help="With the picture at every tenth of the fit.")
@click.option("--alpha", cls=Rare, type=alpha, metavar="keep|drop|#rrggbb", default="keep", show_default=True,
              help="Code the opacity within the cap (PSNR is of colours that can be seen), forget it, or composite "
                   "over a colour.")
@click.option("--metadata", cls=Rare, type=metadata, metavar="none|icc,exif,xmp|all", default="none", show_default=True,
              help="Keep these within the cap; with icc, colours stay in the picture's own space.")
@click.option("--depth", cls=Rare, type=click.Choice(["auto", "8", "16"]), default="auto", show_default=True,
              help="Bits per sample.")
@click.option("--skip-existing", cls=Rare, is_flag=True, help="Leave inputs alone whose output is there.")
@click.option("--no-verify", cls=Rare, is_flag=True, help="Do not decode the file once more at the end.")
@click.option("--stats", cls=Rare, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write those JSON objects to a file.")
@click.option("--scheduler", cls=Rare, metavar="ADDRESS",
              help="Have the workers of this Dask cluster do it (tcp://host:8786).")
@verbosity
@click.pass_obj
def encode(console: Console, /, inputs: tuple[str, ...], output: str | None, out_dir: str | None, dry_run: bool,
           **rest: Any) -> int:
    # fmt: on
    """Code pictures: one target, the best picture that fits.

    The file never exceeds the cap of -b or -s. Only one of -b, -s and -p can be given. Ctrl-C once ends the fit and
    writes the best result so far; twice writes nothing.
    """
    recipe = _with_recipe(rest)
    _check(inputs, rest)
    if rest["json"] and not dry_run and (output == STREAM or (inputs == (STREAM,) and output is None)):
        raise click.UsageError("--json and the coded picture both want standard output; use -o FILE or --stats FILE.")
    if dry_run and output is None and out_dir is None and inputs == (STREAM,):
        jobs = [Job(STREAM, None)]
    else:
        jobs = plan_jobs(inputs, output, out_dir, ".inr")
    _check_checkpoint(jobs, rest["checkpoint"])
    request = _request(rest, recipe)
    if dry_run:
        batch = Batch(console, request.json)
        return batch.run(jobs, lambda job: job.source, lambda job: dry_run_job(console, request, job), ())
    if out_dir is not None:
        Path(out_dir).mkdir(parents=True, exist_ok=True)
    if request.stats is not None:
        check_writable(request.stats, overwrite=True)
    if request.options.log is not None:
        _say_events(console)
    reports: list[dict[str, Any]] = []
    with graceful_stop() as stop:
        columns = ("bytes", "bpp", "PSNR", "time")
        if rest["scheduler"] is not None:
            code = encode_on_cluster(console, request, jobs, rest["scheduler"], reports)
        elif (together := stack_size(request, len(jobs))) > 1:
            turns = take_turns(console, request, jobs, together, stop, reports)
            code = Batch(console, request.json).run(turns, lambda turn: turn.source, lambda turn: turn.take(), columns)
        else:
            batch = Batch(console, request.json, stop)
            work = partial(encode_job, console, request, stop=stop, reports=reports)
            code = batch.run(jobs, lambda job: job.source, work, columns)
    if request.stats is not None:
        lines = "".join(to_json(report) + "\n" for report in reports)
        atomic_write(request.stats, lines.encode(), overwrite=True)
    return code


def _check(inputs: tuple[str, ...], given: dict[str, Any]) -> None:
    """Refuse options that contradict each other."""
    _check_target(given)
    if given["force"] and given["skip_existing"]:
        raise click.UsageError("-f and --skip-existing exclude each other.")
    if given["resume"] and given["checkpoint"] is None:
        raise click.UsageError("--resume needs --checkpoint PATH.")
    if given["log_images"] and given["log"] is None:
        raise click.UsageError("--log-images needs --log DIR.")
    if given["log"] is not None and given["scheduler"] is not None:
        raise click.UsageError("--log is a folder of this machine: it excludes --scheduler.")
    if given["log"] is not None and (given["stack"] or 1) > 1:
        raise click.UsageError("--log follows the fit of one picture: it excludes --stack N of more.")
    if given["checkpoint"] is not None and len(inputs) > 1:
        raise click.UsageError("--checkpoint takes one input.")
    if given["checkpoint"] is not None and given["scheduler"] is not None:
        raise click.UsageError("--checkpoint is a file of this machine: it excludes --scheduler.")
    if given["checkpoint"] is not None and (given["stack"] or 1) > 1:
        raise click.UsageError("--checkpoint keeps the fit of one picture: it excludes --stack N of more.")


def _check_checkpoint(jobs: Sequence[Job], checkpoint: Path | None) -> None:
    """Refuse to keep the state of the fit in the picture or in the result."""
    if checkpoint is None:
        return
    for job in jobs:
        for path in (job.source, job.dest):
            if path not in (STREAM, None) and os.path.realpath(path) == os.path.realpath(checkpoint):
                raise click.UsageError(f"--checkpoint {checkpoint} is the picture or the result; name another file.")


def _check_target(given: dict[str, Any]) -> None:
    """Refuse several targets, and those that a method has no use for."""
    targets = [f"-{name[0]}/--{name}" for name in ("bpp", "size", "psnr") if given[name] is not None]
    targets += ["--lambda"] if given["price"] is not None else []
    if len(targets) > 1:
        raise click.UsageError(f"one target at a time: {' and '.join(targets)} exclude each other.")
    if (given["price"] is not None) != (given["method"] == "penalized"):
        raise click.UsageError("--lambda X and --method penalized go together.")
    if given["method"] == "bisect" and given["psnr"] is not None:
        raise click.UsageError("--method bisect searches for a size: it excludes -p/--psnr.")


def _say_events(console: Console) -> None:
    """Say what a log will lack."""
    from inrcodec.fit.monitor import events_possible

    if not events_possible():
        console.say("--log: tables only; for TensorBoard events too, pip install 'inrcodec[log]'")


def _with_recipe(given: dict[str, Any]) -> Recipe | None:
    """Take what a recipe says wherever the command line says nothing."""
    if given["recipe"] is None:
        return None
    from inrcodec.recipes import load

    try:
        recipe = load(given["recipe"])
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--config: {error}.") from None
    context = click.get_current_context()
    sized = given["size"] is None and given["psnr"] is None and given["price"] is None
    said = recipe.at((given["bpp"] or DEFAULT_BPP) if sized else None)
    usual = click.core.ParameterSource.DEFAULT
    given |= {name: value for name, value in said.items() if context.get_parameter_source(name) == usual}
    given["overrides"] = (*recipe.settings, *given["overrides"])
    return recipe


def _request(given: dict[str, Any], recipe: Recipe | None) -> Request:
    """Turn option values into the encoder's own words. Imports the encoder, not yet torch."""
    from inrcodec.encoder import EncodeOptions, Log, Target
    from inrcodec.fit.settings import check_overrides

    if given["quant"] is not None:
        given["overrides"] = (*given["overrides"], ("quant", given["quant"]))
    try:
        check_overrides(given["overrides"])
    except ValueError as error:
        raise click.UsageError(f"--set: {error}.") from None
    try:
        if given["size"] is not None:
            target = Target("bytes", float(given["size"]))
        elif given["price"] is not None:
            target = Target("lambda", given["price"])
        elif given["psnr"] is not None:
            target = Target("psnr", given["psnr"])
        else:
            target = Target("bpp", DEFAULT_BPP if given["bpp"] is None else given["bpp"])
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    options = EncodeOptions(
        effort=given["effort"], method=given["method"], arch=given["arch"], layers=given["layers"],
        activation=given["activation"], encoding=given["encoding"], seed=given["seed"],
        device=given["device"], engine=given["engine"], threads=given["threads"], max_time=given["max_time"],
        checkpoint=given["checkpoint"], resume=given["resume"], overrides=given["overrides"],
        verify=not given["no_verify"], stack=given["stack"], coder=given["coder"],
        scalable=given["scalable"], tile=given["tile"],
        start=None if given["start"] is None else given["start"].read_bytes(),
        log=None if given["log"] is None else Log(given["log"], given["log_images"], given["force"]),
    )  # fmt: skip
    depth: Literal["auto", 8, 16] = {"8": 8, "16": 16}.get(given["depth"], "auto")  # type: ignore[assignment]
    return Request(
        target, options, given["alpha"], depth, given["force"], given["skip_existing"], given["json"], given["stats"],
        recipe, given["metadata"],
    )
