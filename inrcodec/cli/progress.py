"""How a fit is getting on: a line that is redrawn on a terminal, a line every 10 % elsewhere."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from inrcodec.cli.console import Console, clock
from inrcodec.cli.live_line import LiveLine

if TYPE_CHECKING:
    from inrcodec.encoder import Progress

_REDRAW_SECONDS = 0.1

_PHASES = {"compile": "compiling the fit's kernels for this machine (once, some ten seconds)"}
"""Phases that need more words than their name."""


class ProgressLine:
    """An observer of the encoder that shows what it hears on stderr.

    Args:
        console: decides whether anything is said.
        name: the input, named on every line that is not redrawn.
    """

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._name = name
        self._line = LiveLine(_REDRAW_SECONDS)
        self._last_mark: tuple[str, int] | None = None

    def __call__(self, progress: Progress) -> None:
        """Take one report of the encoder."""
        if self._console.quiet:
            return
        if self._line.live:
            self._line.draw(lambda: describe_progress(progress))
        else:
            self._log(progress)

    def close(self) -> None:
        """Clear the redrawn line, so that the next words start on a clean one."""
        self._line.close()

    def _log(self, progress: Progress) -> None:
        mark = (progress.phase, int(10 * _fraction(progress)))
        if mark != self._last_mark:
            self._last_mark = mark
            self._console.say(f"{self._name}: {describe_progress(progress)}")


def describe_progress(progress: Progress) -> str:
    """Phase, share done, PSNR, bpp, multiplier and time left, in one line."""
    done = _fraction(progress)
    phase = _PHASES.get(progress.phase, progress.phase)
    parts = [
        f"{phase} {100 * done:3.0f} %" if done else phase,  # short phases report their start alone
        _number(progress.psnr, "{:.2f} dB"),
        _number(progress.bpp, "{:.4f} bpp"),
        _number(progress.multiplier, "multiplier {:.2f}"),
        f"{clock(progress.eta)} left" if math.isfinite(progress.eta) else "",
    ]
    return "  ".join(part for part in parts if part)


def _fraction(progress: Progress) -> float:
    return min(progress.step / progress.steps, 1.0) if progress.steps > 0 else 0.0


def _number(value: float, form: str) -> str:
    return form.format(value) if math.isfinite(value) else ""
