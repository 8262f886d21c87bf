"""The rate-distortion plot, as PNG, or as SVG that follows the reader's light or dark."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from inrcodec.bench.report.curves import Curve, Points, measured, published, title
from inrcodec.bench.report.labels import spread
from inrcodec.bench.report.palette import GRID, GUIDE, PAPER, SOFT, TEXT
from inrcodec.bench.report.themed import themed
from inrcodec.bench.results import Results
from inrcodec.bench.row import SWEEP
from inrcodec.errors import InrError

SIZE = (9.6, 6.0)
"""Inches."""

DPI = 160
FORMATS = (".png", ".svg")

_TICKS = (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0)
_BOX = (0.05, 0.088, 0.765, 0.76)  # of the axes, as parts of the figure; the right margin holds the names
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "inrcodec",  # the same plot gives the same bytes
    "path.simplify": False,
}
_HEADLINE: dict[str, Any] = {"color": TEXT.light, "size": 13, "weight": "bold"}
_LINES = {0: (0.9, 1), 1: (2.0, 3), 2: (2.8, 4)}  # width and layer by rank


class ChartError(InrError):
    """The plot cannot be drawn."""


def plot(results: Results, path: Path) -> bytes:
    """The plot in the format that the path's ending names.

    Raises:
        ChartError: matplotlib is missing, or there is nothing to draw.
        ValueError: the ending is neither ``.png`` nor ``.svg``.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"a plot is a {' or '.join(FORMATS)} file, not {path.name}")
    return svg(results).encode() if path.suffix.lower() == ".svg" else png(results)


def png(results: Results) -> bytes:
    """The plot on light paper."""
    return _drawn(results, "png")


def svg(results: Results, alone: bool = True) -> str:
    """The plot in colours that follow the page it stands in.

    Args:
        results: what to draw.
        alone: it is a file of its own, which brings its paper and its colours along.
    """
    return themed(_drawn(results, "svg").decode(), alone)


def _drawn(results: Results, form: str) -> bytes:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ChartError("the plot needs matplotlib: pip install 'inrcodec[bench]'") from None
    curves = [*published(results), *measured(results)]
    if not curves:
        raise ChartError("nothing to plot: no codec has a result for every picture")
    with mpl.rc_context(_STYLE):
        figure = Figure(SIZE, DPI, facecolor=PAPER.light)
        axes = figure.add_axes(_BOX, facecolor="none")
        view = _view(results.targets, curves)
        _frame(figure, axes, view, results)
        for curve in curves:
            _curve(axes, curve)
        _names(axes, curves, view)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=form, metadata={"Date": None} if form == "svg" else None)
    return buffer.getvalue()


def _view(targets: Sequence[float], curves: Sequence[Curve]) -> tuple[float, float, float, float]:
    """The part of the plane that is shown: left, right, bottom, top; the rates follow what was measured."""
    own = [curve for curve in curves if curve.rank]
    rates = list(targets) or [bpp for curve in own for bpp, _ in curve.line]
    left, right = min(rates) / 1.5, max(rates) * 1.5
    inside = [psnr for curve in curves for _, psnr in (*clipped(curve.line, left, right), *curve.dots)]
    return left, right, min(inside) - 0.6, max(inside) + 0.6


def clipped(line: Points, left: float, right: float) -> Points:
    """The part of a line between two rates, cut where it crosses them (straight in the logarithm of the rate)."""
    cuts = [
        (edge, p + (q - p) * math.log(edge / a) / math.log(b / a))
        for (a, p), (b, q) in pairwise(line)
        for edge in (left, right)
        if a < edge < b
    ]
    return tuple(sorted([*((bpp, psnr) for bpp, psnr in line if left <= bpp <= right), *cuts]))


def _frame(figure: Any, axes: Any, view: tuple[float, float, float, float], results: Results) -> None:
    """Axes, grid, guides and words."""
    left, right, low, high = view
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    axes.set_yticks([db for db in range(math.ceil(low), math.ceil(high)) if db % (1 if high - low < 7 else 2) == 0])
    ticks = [tick for tick in _TICKS if left <= tick <= right and tick not in results.targets]
    ticks = [tick for tick in ticks if all(abs(math.log(tick / target)) > 0.12 for target in results.targets)]
    axes.set_xticks([*ticks, *results.targets], [f"{tick:g}" for tick in (*ticks, *results.targets)])
    axes.set_xticks([], minor=True)
    axes.tick_params(length=0, colors=SOFT.light, pad=5)
    for label in axes.get_xticklabels()[len(ticks) :]:
        label.set(color=TEXT.light, fontweight="bold")
    axes.grid(axis="y", color=GRID.light, linewidth=0.8, zorder=0)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GUIDE.light)
    for target in results.targets:
        axes.axvline(target, color=GUIDE.light, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    figure.text(0.016, 0.945, f"PSNR (dB) against bits per pixel: {title(results)}", **_HEADLINE)
    figure.text(0.016, 0.925, _explanation(results), color=SOFT.light, size=8.8, linespacing=1.5, va="top")
    axes.set_xlabel("bits per pixel, of the whole file", color=SOFT.light, labelpad=6)


def _explanation(results: Results) -> str:
    """Which kind of mean is which."""
    swept = any(row.kind == SWEEP for row in results.rows)
    dots = f"Dots, joined{' where nothing was swept' if swept else ''}: every picture at exactly the target."
    which = "Lines" if swept else "Thin lines, published"
    thin = "; thin lines: published" if swept and published(results) else ""
    lines = f"{which}: mean of operating points, another kind (over Kodak 0.1 to 0.5 dB lower at equal rate){thin}."
    return "\n".join([dots] * bool(results.targets) + [lines] * (swept or bool(published(results))))


def _curve(axes: Any, curve: Curve) -> None:
    """One line with its dots."""
    width, layer = _LINES[curve.rank]
    if curve.line:
        bpp, psnr = zip(*curve.line, strict=True)
        axes.plot(bpp, psnr, color=curve.ink.light, linewidth=width, zorder=layer, solid_capstyle="round")
    if curve.dots:
        bpp, psnr = zip(*curve.dots, strict=True)
        area = 64 if curve.rank == 2 else 30
        axes.scatter(bpp, psnr, area, color=curve.ink.light, edgecolor=PAPER.light, linewidth=1.2, zorder=layer + 3)


def _names(axes: Any, curves: Sequence[Curve], view: tuple[float, float, float, float]) -> None:
    """The names in the right margin, each level with the end of its line, or joined to it."""
    left, right, low, high = view
    ends = [(curve, end[-1]) for curve in curves if (end := clipped(curve.line, left, right))]
    gap = (high - low) * 0.031
    margin = dict.fromkeys(("xycoords", "textcoords"), ("axes fraction", "data"))
    places = spread([psnr for _, (_, psnr) in ends], gap, low, high)
    for (curve, (bpp, psnr)), place in zip(ends, places, strict=True):
        ink = curve.ink.light
        thin = {"arrowstyle": "-", "color": ink, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0}
        if bpp < right * 0.999:
            axes.plot([bpp, right], [psnr, psnr], color=ink, linewidth=0.7, linestyle=(0, (1, 2.5)), zorder=1)
        axes.annotate("", (1.0, psnr), (1.022, place), arrowprops=thin, annotation_clip=False, **margin)
        axes.annotate(
            curve.name, (1.0, psnr), (1.028, place), color=ink if curve.rank else SOFT.light, va="center",
            size=9.5 if curve.rank else 8, weight="bold" if curve.rank else "normal", annotation_clip=False, **margin,
        )  # fmt: skip
