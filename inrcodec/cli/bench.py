"""``inrcodec bench``: codecs side by side, at equal bytes, on real files."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inrcodec.atomic import check_writable
from inrcodec.cli.bench_reports import Wanted, judge, print_tables, words_of, write_files
from inrcodec.cli.bench_run import Run, contenders
from inrcodec.cli.bench_values import places, targets
from inrcodec.cli.console import Console, verbosity
from inrcodec.cli.exits import FAILED, FINE, INTERRUPTED
from inrcodec.cli.help import DailyCommand, Rare
from inrcodec.cli.values import duration
from inrcodec.errors import InrError

if TYPE_CHECKING:
    from inrcodec.bench.results import Results

_WORDS = "inrcodec.bench.words"
_FILE = click.Path(path_type=Path, dir_okay=False)


class _Command(DailyCommand):
    """Keeps its words, for the head of the results."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember them, then parse them."""
        ctx.meta[_WORDS] = [str(ctx.info_name), *args]
        return super().parse_args(ctx, args)


# fmt: off
@click.command(cls=_Command)
@click.argument("inputs", metavar="kodak|DIR|FILES...", nargs=-1)
@click.option("-c", "--codecs", metavar="LIST",
              help="Codecs: inr,jpeg,jpeg-opt,webp,avif,avif-psnr,jpeg2000,jxl. Variants of ours: "
                   "inr:effort=1,layers=4x32 or name=inr:method=coin.  [default: those]")
@click.option("--methods", is_flag=True,
              help="The methods of the field, all by us and in the same time, in place of other codecs.")
@click.option("--bpp", type=targets, metavar="LIST", default="0.15,0.3,0.6", show_default=True,
              help="Targets in bits per pixel, the same for every picture.")
@click.option("-e", "--effort", type=click.IntRange(1, 9), metavar="1..9", default=5, show_default=True,
              help="Of ours.")
@click.option("--images", type=places, metavar="LIST", help="Only these of the pictures, like 1,5-8.")
@click.option("-o", "--output", type=_FILE, metavar="RESULTS.tsv",
              help="Keep every measurement here, and the coded files beside it.")
@click.option("--plot", type=_FILE, metavar="RD.png", help="Draw PSNR against rate, as .png or .svg.")
@click.option("--html", type=_FILE, metavar="REPORT.html", help="Write a page with table, plot and pictures.")
@click.option("--resume", is_flag=True, help="Go on with RESULTS.tsv; what it holds is not measured again.")
@click.option("-j", "--jobs", type=click.IntRange(1), metavar="N", default=1, show_default=True,
              help="Measure N at a time, each with its share of the cores.")
@click.option("--baseline", type=_FILE, metavar="OLD.tsv", help="Fail where these results were better.")
@click.option("--max-drop", type=click.FloatRange(0), metavar="DB", default=0.1, show_default=True,
              help="What may be lost against the baseline, for a picture and in the mean.")
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
@click.option("--max-time", cls=Rare, type=duration, metavar="T", default="60s", show_default=True,
              help="With --methods: what every encode takes, on its share of the cores.")
@click.option("--sweep/--no-sweep", cls=Rare, default=None,
              help="Measure the other codecs over their whole range too.  [default: for --plot and --html]")
@click.option("--anchor", cls=Rare, metavar="CODEC", default="jpeg-opt", show_default=True,
              help="The codec that BD-rates are against.")
@click.option("--show", cls=Rare, type=click.FloatRange(0, min_open=True), metavar="X",
              help="The target at which the page shows the pictures.  [default: the middle one]")
@click.option("--json", cls=Rare, type=_FILE, metavar="OUT.json", help="Write measurements and means as JSON.")
@click.option("--compressai", cls=Rare, type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Write a JSON file for each codec as compressai plots them.")
@click.option("--markdown", cls=Rare, is_flag=True, help="Print the tables as Markdown.")
@click.option("--report-only", cls=Rare, type=_FILE, metavar="RESULTS.tsv",
              help="Measure nothing; make the reports of these results again.")
@click.option("--scheduler", cls=Rare, metavar="ADDRESS",
              help="Measure on the workers of this Dask cluster (tcp://host:8786).")
@verbosity
@click.pass_context
def bench(context: click.Context, /, inputs: tuple[str, ...], **given: Any) -> int:
    # fmt: on
    """Compare codecs at equal bytes: files are written, decoded and measured.

    The table on stdout has means over all pictures, every one of them coded to exactly the target. Ctrl-C keeps what
    was measured in RESULTS.tsv, and --resume goes on from there.
    """
    console: Console = context.obj
    wanted = _wanted(given)
    _check(inputs, given, wanted)
    with ExitStack() as stack:
        if given["report_only"] is not None:
            from inrcodec.bench.results import read

            path: Path = given["report_only"]
            results = read(path)
            pictures, complete = _pictures(inputs or words_of(results), None, lenient=True), True
        else:
            from inrcodec.bench.methods import method_specs

            path = given["output"] or _passing(stack) / "results.tsv"
            pictures = _pictures(inputs, given["images"])
            run = Run(console, context.meta[_WORDS], inputs, pictures, path, given)
            codecs = method_specs(given["max_time"]) if given["methods"] else given["codecs"]
            measured = run.measure(contenders(console, codecs, given["effort"]))
            if measured is None:
                return INTERRUPTED
            results, complete = measured, not any(row.error for row in measured.rows)
        return _report(console, results, path, pictures, wanted, complete)


def _passing(stack: ExitStack) -> Path:
    """A folder for results that nobody asked to keep."""
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inrcodec-bench-")))


def _wanted(given: dict[str, Any]) -> Wanted:
    names = ("json", "compressai", "plot", "html", "anchor", "markdown", "show", "baseline", "max_drop")
    return Wanted(**{name: given[name] for name in names})


def _check(inputs: Sequence[str], given: dict[str, Any], wanted: Wanted) -> None:
    """Find out before hours of work what could not be written or makes no sense."""
    if given["report_only"] is None and not inputs:
        raise click.UsageError("which pictures? kodak, a folder, or files.")
    if given["report_only"] is not None and (given["output"] or given["resume"] or given["scheduler"]):
        raise click.UsageError("--report-only measures nothing: it goes with none of -o, --resume and --scheduler.")
    if given["methods"] and given["codecs"] is not None:
        raise click.UsageError("--methods is a list of codecs: it excludes -c.")
    if given["resume"] and given["output"] is None:
        raise click.UsageError("--resume needs -o RESULTS.tsv.")
    if given["resume"] and given["force"]:
        raise click.UsageError("-f and --resume exclude each other.")
    if wanted.plot is not None and wanted.plot.suffix.lower() not in (".png", ".svg"):
        raise click.UsageError(f"--plot takes a .png or .svg file, not {wanted.plot}.")
    if wanted.baseline is not None and not wanted.baseline.exists():
        raise click.UsageError(f"--baseline: {wanted.baseline} is not there.")
    again = given["force"] or given["resume"] or given["report_only"] is not None
    for path in wanted.files:
        check_writable(path, overwrite=again)


def _pictures(words: Sequence[str], only: Sequence[int] | None, *, lenient: bool = False) -> list[Path]:
    from inrcodec.bench.datasets import resolve

    try:
        found = resolve(words)
    except InrError:
        if lenient:  # reports do without the originals
            return []
        raise
    if only is None:
        return found
    if max(only) > len(found):
        raise click.UsageError(f"--images: there are {len(found)} pictures, no number {max(only)}.")
    return [found[place - 1] for place in only]


def _report(
    console: Console, results: Results, path: Path, pictures: Sequence[Path], wanted: Wanted, complete: bool
) -> int:
    from inrcodec.bench.runner import files_folder

    print_tables(console, results, wanted)
    write_files(console, results, files_folder(path), {file.stem: file for file in pictures}, wanted)
    passed = judge(console, results, wanted)
    return FINE if passed and complete else FAILED
