"""What an observer hears of an encode: where it is, how good it is, how long it will take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from inrcodec.encoder import Progress
from inrcodec.fit.descent import Descent, phase_of

TELL_SECONDS = 0.1
"""The observer hears no more often than this."""


class Teller:
    """Tells an observer about an encode, now and then.

    Args:
        observer: given every sign of life; None hears nothing.
        pixels: of the picture, to tell bits by.
    """

    def __init__(self, observer: Callable[[Progress], None] | None, pixels: int) -> None:
        self.observer, self.pixels = observer, pixels
        self.start = time.monotonic()
        self._told = 0.0
        self._begun = self.start, 0.0

    def begin(self, descent: Descent) -> None:
        """Note that a fit begins, to know later how long it has left."""
        self._begun = time.monotonic(), descent.progress

    def watch(self, descent: Descent) -> None:
        """Tell about a fit, if it is time to."""
        if not self._due(descent.done, descent.config.steps):
            return
        pulse = descent.pulse()
        start, before = self._begun
        gone = max(1e-6, descent.progress - before)
        eta = (time.monotonic() - start) * (1 - descent.progress) / gone
        self.tell(
            phase_of(descent), pulse.step, pulse.steps,
            mse=pulse.mse, bits=pulse.bits, multiplier=pulse.multiplier, eta=eta,
        )  # fmt: skip

    def tell(
        self,
        phase: str,
        step: int,
        steps: int,
        *,
        mse: float = math.nan,
        bits: float = math.nan,
        multiplier: float = math.nan,
        eta: float = math.nan,
    ) -> None:
        """Tell this, if it is time to."""
        now = time.monotonic()
        if self.observer is None or not self._due(step, steps):
            return
        self._told = now
        decibel = -10 * math.log10(mse) if mse > 0 else math.inf
        self.observer(Progress(phase, step, steps, decibel, bits / self.pixels, multiplier, now - self.start, eta))

    def _due(self, step: int, steps: int) -> bool:
        """Whether the observer is to hear of this step: of the first and the last, and of one now and then."""
        return self.observer is not None and not (time.monotonic() - self._told < TELL_SECONDS and 0 < step < steps)
