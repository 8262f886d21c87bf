"""One picture of the page: two versions under a moving seam, and a detail of every version."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from inrcodec.bench.contender import Contender
from inrcodec.bench.report.exhibit import Exhibit, Shot
from inrcodec.bench.report.palette import inks


def exhibit_html(exhibit: Exhibit, contenders: Sequence[Contender], anchor: str, figures: str) -> str:
    """The picture's part of the page.

    Args:
        exhibit: the picture in all its versions.
        contenders: the codecs of the results.
        anchor: the codec that is shown beside ours at first.
        figures: a table of all its measurements, as HTML.
    """
    names = [shot.name for shot in exhibit.shots]
    ours = [contender.name for contender in contenders if contender.ours and contender.name in names]
    left = ours[0] if ours else names[-1]
    right = anchor if anchor in names and anchor != left else next((name for name in names if name != left), left)
    room = int(exhibit.target_bpp * exhibit.width * exhibit.height / 8)
    return f"""<section class="exhibit" id="{escape(exhibit.picture)}">
<header><h3>{escape(exhibit.picture)}</h3><span class="soft">{exhibit.width} x {exhibit.height}, at most {room:,} bytes
</span></header>
<div class="views">
<div class="compare">
<div class="stage" style="--shape: {exhibit.width} / {exhibit.height}">
<img class="right" alt=""><img class="left" alt="">
<div class="window" style="{_place(exhibit)}"></div>
<input type="range" min="0" max="100" step="0.1" value="50" aria-label="where the two versions meet">
<div class="seam"></div><span class="tag left"></span><span class="tag right"></span>
</div>
<div class="choice">{_select("left", names, left)}{_select("right", names, right)}</div>
{figures}
</div>
<div class="tiles">{"".join(_tile(shot, contenders) for shot in exhibit.shots)}</div>
</div>
</section>"""


def _place(exhibit: Exhibit) -> str:
    """Where the detail lies, in parts of the picture."""
    left, top, width, height = exhibit.window
    shares = (left / exhibit.width, top / exhibit.height, width / exhibit.width, height / exhibit.height)
    return "left: {:.2%}; top: {:.2%}; width: {:.2%}; height: {:.2%}".format(*shares)


def _select(side: str, names: Sequence[str], chosen: str) -> str:
    options = "".join(f"<option{' selected' * (name == chosen)}>{escape(name)}</option>" for name in names)
    return f'<label>{side} <select class="{side}">{options}</select></label>'


def _tile(shot: Shot, contenders: Sequence[Contender]) -> str:
    colours = inks(contenders)
    ink = f"var(--{colours[shot.name].name})" if shot.name in colours else "var(--soft)"
    if shot.row is None:
        tag, figures = shot.name, "as it was"
    else:
        tag = f"{shot.name}, {shot.row.psnr:.2f} dB"
        figures = f"{shot.row.psnr:.2f} dB<br>{shot.row.bytes:,} bytes{', over' if shot.row.use > 1 else ''}"
    name = escape(shot.name)
    return (
        f'<button type="button" class="tile" style="--ink: {ink}" data-name="{name}" data-tag="{escape(tag)}" '
        f'data-whole="{shot.whole}" aria-pressed="false"><img src="{shot.detail}" alt="detail, {name}">'
        f'<b><span class="dot"></span>{name}</b><span class="figures">{figures}</span></button>'
    )
