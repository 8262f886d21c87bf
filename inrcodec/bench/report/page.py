"""One HTML file with everything in it: the table, the plot, and the pictures to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from inrcodec.bench.contender import contenders_of
from inrcodec.bench.published import curves as published_curves
from inrcodec.bench.report.chart import ChartError, svg
from inrcodec.bench.report.curves import published, title
from inrcodec.bench.report.exhibit import QUALITY, Exhibit
from inrcodec.bench.report.exhibit_html import exhibit_html
from inrcodec.bench.report.html_table import html_table
from inrcodec.bench.report.palette import inks
from inrcodec.bench.report.table import caption, picture_table, saving_table, sweep_table, target_table
from inrcodec.bench.report.themed import variables
from inrcodec.bench.results import Results


def page(results: Results, exhibits: Sequence[Exhibit], remarks: Iterable[str], anchor: str) -> str:
    """The whole page.

    Args:
        results: the measurements.
        exhibits: the pictures to show.
        remarks: what could not be shown.
        anchor: the codec that BD-rates are against.
    """
    dots = {name: ink.name for name, ink in inks(contenders_of(results)).items()}
    ours = {contender.name for contender in contenders_of(results) if contender.ours}
    parts = [
        f"<h1>Rate and distortion: {escape(title(results))}</h1>",
        f'<p class="soft">{escape(_standfirst(results))}</p>',
        _plot(results),
        "<h2>Every picture at exactly the target</h2>",
        f'<p class="soft">{escape(caption(results))}.</p>',
        html_table(target_table(results), dots, ours, codec_column=1, group_column=0),
        *_savings(results, anchor, dots, ours),
        *_sweeps(results, dots),
        *_pictures(results, exhibits, remarks, anchor),
        _footer(results, bool(exhibits)),
    ]
    return _DOCUMENT.format(
        title=escape(f"inrcodec bench: {title(results)}"),
        style=variables(":root") + _resource("page.css"),
        body="\n".join(parts),
        script=_resource("page.js") if exhibits else "",
    )


_FACTS = ("command", "commit", "date", "versions", "machine", "effort")
_DELTAS = (
    "Bjøntegaard deltas: change of the bits at equal PSNR (negative is fewer), and of the PSNR at equal bits. Both "
    "curves are of the kind that the last column names."
)
_HOWTO = (
    "All files of a picture have room for the same bytes. Move over the picture to compare; choose another version "
    "below it, or by its detail."
)
_DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{body}
<script>
{script}</script>
</body>
</html>
"""


def _resource(name: str) -> str:
    return (files("inrcodec.bench.report") / name).read_text(encoding="utf-8")


def _standfirst(results: Results) -> str:
    targets = ", ".join(f"{target:g}" for target in results.targets)
    rates = f" at {targets} bits per pixel" if targets else ""
    where = f"; {results.head['machine']}" if "machine" in results.head else ""
    date = f"; {results.head['date']}" if "date" in results.head else ""
    return f"{len(results.codecs)} codecs on {len(results.pictures)} pictures{rates}{where}{date}"


def _plot(results: Results) -> str:
    try:
        return f'<figure class="plot">{svg(results, alone=False)}</figure>'
    except ChartError as error:
        return f'<p class="soft">{escape(str(error))}</p>'


def _savings(results: Results, anchor: str, dots: dict[str, str], ours: set[str]) -> list[str]:
    cells = saving_table(results, anchor)
    if not cells:
        return []
    return [
        f"<h2>Bits against {escape(anchor)}</h2>",
        f'<p class="soft">{_DELTAS}</p>',
        html_table(cells, dots, ours, codec_column=0, group_column=len(cells[0]) - 1),
    ]


def _sweeps(results: Results, dots: dict[str, str]) -> list[str]:
    cells, parts = sweep_table(results), []
    if cells:
        table = html_table(cells, dots, codec_column=0, group_column=0)
        parts += [f"<details><summary>The sweeps: mean of operating points, by setting</summary>{table}</details>"]
    if published(results):
        sources = "; ".join(f"{curve.name}: {curve.source}" for curve in published_curves())
        text = f'<p class="soft">{escape(sources)}</p>'
        parts += [f"<details><summary>Where the published curves come from</summary>{text}</details>"]
    return parts


def _pictures(results: Results, exhibits: Sequence[Exhibit], remarks: Iterable[str], anchor: str) -> list[str]:
    notes = [f'<p class="soft">{escape(remark)}</p>' for remark in remarks]
    if not exhibits:
        return notes
    index = " ".join(f'<a href="#{escape(shown.picture)}">{escape(shown.picture)}</a>' for shown in exhibits)
    parts = [
        f"<h2>The pictures at {exhibits[0].target_bpp:g} bits per pixel</h2>",
        f'<p class="soft">{_HOWTO}</p>',
        f'<nav class="index">{index}</nav>' if len(exhibits) > 1 else "",
        *notes,
    ]
    contenders = contenders_of(results)
    for shown in exhibits:
        figures = html_table(picture_table(results, shown.picture), {})
        parts.append(exhibit_html(shown, contenders, anchor, figures))
    return parts


def _footer(results: Results, shown: bool) -> str:
    made = dict.fromkeys((row.codec, row.versions) for row in results.rows if row.versions)
    facts = {key: text for key, text in results.head.items() if key in _FACTS}
    facts["codecs"] = "; ".join(f"{codec}: {versions}" for codec, versions in made)
    items = "".join(
        f"<dt>{key}</dt><dd>{f'<code>{escape(text)}</code>' if key == 'command' else escape(text)}</dd>"
        for key, text in facts.items()
    )
    note = f"<p>Whole pictures are embedded as WebP of quality {QUALITY}, details without loss.</p>" if shown else ""
    return f"<footer><dl>{items}</dl>{note}</footer>"
