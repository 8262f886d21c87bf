"""How a comparison is getting on: a line that is redrawn on a terminal, a line every 10 % elsewhere."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from inrcodec.cli.console import Console, clock
from inrcodec.cli.live_line import LiveLine

if TYPE_CHECKING:
    from inrcodec.bench.row import Row
    from inrcodec.bench.runner import Standing

_REDRAW_SECONDS = 0.2


class BenchProgress:
    """Hears where the comparison stands and shows it on stderr.

    Args:
        console: decides whether anything is said.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._line = LiveLine(_REDRAW_SECONDS)
        self._last_mark = -1

    def __call__(self, standing: Standing) -> None:
        """Take one report of the runner."""
        for row in standing.latest:
            self._tell(row)
        if self._console.quiet:
            return
        if self._line.live:
            self._line.draw(lambda: describe_standing(standing))
        elif standing.latest:
            mark = 10 * standing.done // max(standing.total, 1)
            if mark != self._last_mark:
                self._last_mark = mark
                self._console.say(describe_standing(standing))

    def close(self) -> None:
        """Clear the redrawn line, so that the next words start on a clean one."""
        self._line.close()

    def _tell(self, row: Row) -> None:
        """Say what failed, and on request what went well."""
        what = "sweep" if math.isnan(row.target_bpp) else f"{row.target_bpp:g} bpp"
        if row.error:
            self.close()
            self._console.error(f"{row.picture} {row.codec} {what}: {row.error}")
        elif self._console.verbose:
            self.close()
            self._console.detail(
                f"{row.picture} {row.codec} {what}: {row.setting}, {row.bytes:,} bytes, {row.psnr:.2f} dB, "
                f"{row.encode_seconds:.1f} s"
            )


def describe_standing(standing: Standing) -> str:
    """Share done, what is at work, and time left, in one line."""
    share = 100 * standing.done // max(standing.total, 1)
    running = ", ".join(str(job) for job in standing.running[:2])
    more = len(standing.running) - 2
    parts = [
        f"{standing.done} of {standing.total} measured, {share} %",
        running + (f" and {more} more" if more > 0 else ""),
        f"{clock(standing.seconds_left)} left" if math.isfinite(standing.seconds_left) else "",
    ]
    return "  ".join(part for part in parts if part)
