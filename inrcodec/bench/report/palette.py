"""Colours of the reports: one for every codec, each in a version for light paper and one for dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inrcodec.bench.contender import Contender


@dataclass(frozen=True)
class Ink:
    """A colour by name, on light and on dark paper."""

    name: str
    light: str
    dark: str


PAPER = Ink("paper", "#ffffff", "#14171c")
TEXT = Ink("text", "#1d2127", "#e4e7eb")
SOFT = Ink("soft", "#646c78", "#98a1ae")
GRID = Ink("grid", "#e6e9ed", "#272c34")
GUIDE = Ink("guide", "#c6ccd4", "#3b424d")
PUBLISHED = Ink("published", "#b7bec8", "#4b535f")
PAGE = (PAPER, TEXT, SOFT, GRID, GUIDE, PUBLISHED)

_OURS = (
    Ink("ours-1", "#d3401f", "#ff7a59"),
    Ink("ours-2", "#a3195b", "#ff6fa9"),
    Ink("ours-3", "#e08a00", "#ffb84d"),
    Ink("ours-4", "#7a1f1f", "#e58f8f"),
)
_KNOWN = {
    "jpeg": Ink("jpeg", "#b29a6b", "#c9b384"),
    "jpeg-opt": Ink("jpeg-opt", "#86692e", "#d8b563"),
    "webp": Ink("webp", "#1f8a8c", "#4fc4c4"),
    "avif": Ink("avif", "#9a8ad0", "#b6a8ea"),
    "avif-psnr": Ink("avif-psnr", "#5b48b0", "#9c8af5"),
    "jpeg2000": Ink("jpeg2000", "#4f8a3c", "#8bc776"),
    "jxl": Ink("jxl", "#2f6fbf", "#6fabf2"),
}
_SPARE = (
    Ink("spare-1", "#4a6b8a", "#8fb4d6"),
    Ink("spare-2", "#8a4a7d", "#d395c5"),
    Ink("spare-3", "#6b7a1f", "#bccb62"),
    Ink("spare-4", "#5c6470", "#aab2bf"),
)


def inks(contenders: Sequence[Contender]) -> dict[str, Ink]:
    """A colour for every codec, by its name: warm ones for ours, the same everywhere for those one knows."""
    ours = [contender.name for contender in contenders if contender.ours]
    others = [contender.name for contender in contenders if not contender.ours and contender.name not in _KNOWN]
    found = {name: _OURS[index % len(_OURS)] for index, name in enumerate(ours)}
    found |= {name: _SPARE[index % len(_SPARE)] for index, name in enumerate(others)}
    return found | {c.name: _KNOWN[c.name] for c in contenders if c.name in _KNOWN and not c.ours}


def every() -> tuple[Ink, ...]:
    """All the colours there are."""
    return (*PAGE, *_OURS, *_KNOWN.values(), *_SPARE)
