"""How fast the float phase of a fit goes, where that depends on how it goes: plateaus and early stops."""

from __future__ import annotations

import math
from typing import Any

from inrcodec.fit.config import SirenConfig

_GAIN = 1e-4
"""Part of the error that a step forward takes off at least, or it is none (ReduceLROnPlateau's default)."""

_LEAST = 0.003
"""Of the peak, what a learning rate falls to."""


class Pace:
    """The learning rate's schedule and the end of the float phase (Struempler et al. 2022, section 4.1).

    Attributes:
        factor: what plateaus have made of the learning rate.
        skipped: steps that were left out at the end of the float phase.

    Args:
        config: settings.
    """

    def __init__(self, config: SirenConfig) -> None:
        self.config = config
        self.factor, self.skipped = 1.0, 0
        self._best, self._improved, self._halved = math.inf, 0, 0

    @property
    def watches(self) -> bool:
        """Whether the error makes a difference."""
        return self.config.schedule == "plateau" or self.config.early > 0

    def look(self, error: float, done: int, end: int) -> None:
        """Take note of the running error.

        Args:
            error: the mean squared error.
            done: steps taken.
            end: step at which the float phase would end by itself.
        """
        if error < self._best * (1 - _GAIN):
            self._best, self._improved = error, done
        since = done - self._improved
        if self.config.schedule == "plateau" and done - max(self._improved, self._halved) >= self.config.patience:
            self.factor, self._halved = self.factor / 2, done
        if self.config.early and since >= self.config.early and not self.skipped:
            self.skipped = max(0, end - done)

    def rate(self, progress: float) -> float:
        """The learning rate as a multiple of its peak, at this part of the fit."""
        if self.config.schedule == "cosine":
            falling = 0.5 * (1 + math.cos(math.pi * progress))
        else:
            falling = self.factor if self.config.schedule == "plateau" else 1.0
        return _LEAST + (1 - _LEAST) * falling

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides how it goes on."""
        return {name: value for name, value in vars(self).items() if name != "config"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        vars(self).update(state)
