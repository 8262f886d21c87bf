"""What ``inrcodec bench`` leaves behind: tables on stdout, files, and the verdict on a baseline."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inrcodec.cli.console import Console, table

if TYPE_CHECKING:
    from inrcodec.bench.report.exhibit import Exhibit
    from inrcodec.bench.results import Results


@dataclass(frozen=True)
class Wanted:
    """The reports asked for; a path that is None is not wanted.

    Attributes:
        anchor: the codec that BD-rates are against.
        markdown: write the tables as Markdown.
        show: target at which the page shows the pictures; the middle one if None.
        baseline: older results, and the dB that may be lost against them.
    """

    json: Path | None
    compressai: Path | None
    plot: Path | None
    html: Path | None
    anchor: str
    markdown: bool
    show: float | None
    baseline: Path | None
    max_drop: float

    @property
    def files(self) -> list[Path]:
        """The files that will be written."""
        return [path for path in (self.json, self.plot, self.html) if path is not None]


def print_tables(console: Console, results: Results, wanted: Wanted) -> None:
    """The tables on stdout, each under a line that says what kind of mean it holds."""
    from inrcodec.bench.report.table import caption, markdown, saving_table, sweep_table, target_table

    parts = []
    if results.targets:
        parts.append((caption(results), target_table(results), 2))
    else:
        parts.append(("mean of operating points, by setting", sweep_table(results), 2))
    parts.append((f"Bjøntegaard deltas against {wanted.anchor}", saving_table(results, wanted.anchor), 1))
    blocks = [
        f"{title}\n\n{markdown(cells, left) if wanted.markdown else table(cells, left)}"
        for title, cells, left in parts
        if len(cells) > 1
    ]
    console.data("\n\n".join(blocks))


def write_files(console: Console, results: Results, files: Path, pictures: dict[str, Path], wanted: Wanted) -> None:
    """The files that were asked for.

    Args:
        console: where to say what was written.
        results: the measurements.
        files: folder of the coded files.
        pictures: the originals by name.
        wanted: which files.

    Raises:
        InrError: the plot cannot be drawn.
        OSError: a file cannot be written.
    """
    from inrcodec.atomic import atomic_write
    from inrcodec.bench.export import compressai_files, to_json
    from inrcodec.bench.report.chart import plot

    if wanted.json is not None:
        atomic_write(wanted.json, to_json(results).encode(), overwrite=True)
    if wanted.compressai is not None:
        wanted.compressai.mkdir(parents=True, exist_ok=True)
        for name, text in compressai_files(results).items():
            atomic_write(wanted.compressai / name, text.encode(), overwrite=True)
    if wanted.plot is not None:
        atomic_write(wanted.plot, plot(results, wanted.plot), overwrite=True)
    if wanted.html is not None:
        atomic_write(wanted.html, _page(results, files, pictures, wanted).encode(), overwrite=True)
    for path in (*wanted.files, wanted.compressai):
        if path is not None:
            console.say(f"wrote {path}")


def _page(results: Results, files: Path, pictures: dict[str, Path], wanted: Wanted) -> str:
    from inrcodec.bench.report.exhibit import exhibits
    from inrcodec.bench.report.page import page

    targets = results.targets
    shown: list[Exhibit] = []
    remarks: list[str] = []
    if targets:
        target = targets[len(targets) // 2] if wanted.show is None else wanted.show
        for found in exhibits(results, files, pictures, target):
            if isinstance(found, str):
                remarks.append(found)
            else:
                shown.append(found)
    return page(results, shown, remarks, wanted.anchor)


def judge(console: Console, results: Results, wanted: Wanted) -> bool:
    """Compare with the baseline, say what became worse and what could not be compared; whether it passed.

    Raises:
        InrError: the baseline cannot be read.
    """
    from inrcodec.bench.regression import compare
    from inrcodec.bench.results import read

    if wanted.baseline is None:
        return True
    old = read(wanted.baseline)
    verdict = compare(old.rows, results.rows, wanted.max_drop)
    for keys, words in ((verdict.gone, "only in the baseline"), (verdict.fresh, "not in the baseline")):
        if keys:
            names = ", ".join(f"{picture} {codec} {target:g}" for picture, codec, target in keys[:5])
            console.say(f"{len(keys)} {words}, not compared: {names}{', ...' if len(keys) > 5 else ''}")
    if not verdict.compared:
        console.error(f"nothing to compare: {wanted.baseline} has no picture, codec and target in common with this")
    elif verdict.dropped:
        rows = [("picture", "codec", "bpp", "before, dB", "now, dB", "drop, dB", "")]
        rows += [
            (
                change.picture, change.codec, f"{change.target_bpp:g}", f"{change.old:.2f}", _number(change.new),
                _number(change.drop), change.reason,
            )
            for change in verdict.dropped
        ]  # fmt: skip
        head = f"worse than {wanted.baseline} by more than {wanted.max_drop:g} dB"
        console.error(f"{head}:\n{table(rows, 2)}")
    else:
        console.say(f"none of {verdict.compared} is worse than {wanted.baseline} by more than {wanted.max_drop:g} dB")
    return verdict.passed


def words_of(results: Results) -> list[str]:
    """The words that named the pictures when the results were measured."""
    return shlex.split(results.head.get("pictures", ""))


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
