"""A table of text as HTML: codecs get their colour, and ours stand out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape

from inrcodec.bench.report.table import Cells

_WORDS = ("", "setting", "curves of")  # titles of columns that hold words


def html_table(
    cells: Cells,
    dots: Mapping[str, str],
    ours: Collection[str] = (),
    codec_column: int | None = None,
    group_column: int | None = None,
) -> str:
    """The table.

    Args:
        cells: its head and rows.
        dots: names of the codecs' colours.
        ours: codecs whose rows stand out.
        codec_column: the column with the codecs' names.
        group_column: rows with one value here belong together; a line parts them from the next.
    """
    head, *rows = cells
    words = {codec_column, *(index for index, name in enumerate(head) if name in _WORDS)}
    titles = "".join(f"<th{_class(['word'] * (i in words))}>{escape(cell)}</th>" for i, cell in enumerate(head))
    lines: list[str] = []
    before = None
    for row in rows:
        group = None if group_column is None else row[group_column]
        begins, before = group != before, group
        line = []
        for index, cell in enumerate(row):
            text = escape(cell)
            if index == codec_column:
                text = f'<span class="dot" style="--ink: var(--{dots.get(cell, "soft")})"></span>{text}'
            elif index == group_column == 0:
                text = f"<b>{text}</b>" if begins else ""
            kinds = ["word"] * (index in words) + ["remark"] * (not head[index])
            line.append(f"<td{_class(kinds)}>{text}</td>")
        mine = codec_column is not None and row[codec_column] in ours
        kinds = ["group"] * (begins and bool(lines)) + ["ours"] * mine
        lines.append(f"<tr{_class(kinds)}>{''.join(line)}</tr>")
    body = "\n".join(lines)
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _class(names: list[str]) -> str:
    return f' class="{" ".join(names)}"' if names else ""
