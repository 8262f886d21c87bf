"""A line on stderr that is drawn again and again, where somebody watches a terminal."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable


class LiveLine:
    """The line that stands on the terminal.

    Args:
        period: seconds between two drawings, at least.

    Attributes:
        live: whether stderr is a terminal that can redraw a line.
    """

    def __init__(self, period: float) -> None:
        self.live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._period = period
        self._drawn = 0  # characters of what stands there
        self._last_time = -math.inf

    def draw(self, text: Callable[[], str]) -> None:
        """Draw over what stands there, if it is time to; ``text`` is asked only then."""
        now = time.monotonic()
        if now - self._last_time < self._period:
            return
        self._last_time = now
        words = text()
        sys.stderr.write("\r" + words.ljust(self._drawn))
        sys.stderr.flush()
        self._drawn = len(words)

    def close(self) -> None:
        """Clear it, so that the next words start on a clean line."""
        if self._drawn:
            sys.stderr.write("\r" + " " * self._drawn + "\r")
            sys.stderr.flush()
            self._drawn = 0
            self._last_time = -math.inf
