"""Drawings in the colours of light paper, made to follow the reader's light or dark."""

from __future__ import annotations

import re

from inrcodec.bench.report import palette

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def variables(selector: str) -> str:
    """The style sheet that gives every colour its name, on light and on dark paper."""
    light = " ".join(f"--{ink.name}: {ink.light};" for ink in palette.every())
    dark = " ".join(f"--{ink.name}: {ink.dark};" for ink in palette.every())
    return f"{selector} {{ {light} }}\n@media (prefers-color-scheme: dark) {{ {selector} {{ {dark} }} }}\n"


def themed(svg: str, alone: bool) -> str:
    """Replace the colours of light paper in a drawing by their names.

    Args:
        svg: as matplotlib wrote it.
        alone: it is a file of its own: it brings its paper and its colours along, and else takes the page's.
    """
    for ink in palette.every():
        svg = re.sub(re.escape(ink.light), f"var(--{ink.name})", svg, flags=re.IGNORECASE)
    svg = re.sub(r"(font: [^;\"]*?)'DejaVu Sans'(, sans-serif)?", rf"\1{FONT.replace(chr(39), '&quot;')}", svg)
    start = svg.index("<svg")
    end = svg.index(">", start) + 1
    if alone:
        return svg[:end] + f"\n<style>{variables('svg')}</style>" + svg[end:]
    opening = re.sub(r' (width|height)="[^"]*"', "", svg[start:end])
    return opening + svg[end:].replace("var(--paper)", "none", 1)
