"""Noise for every latent in every step of a fit."""

from __future__ import annotations

import torch
from torch import Tensor

_LONGER = 1 << 18
"""Noise is drawn once, this much longer than the latents, and read from a new place every step."""

_APART = 7919
"""Numbers from one step's place to the next one's."""


class NoiseBank:
    """Gaussian noise of unit spread.

    Args:
        count: of latents.
        seed: of the noise.
        device: of the fit.
    """

    def __init__(self, count: int, seed: int, device: torch.device) -> None:
        self.count, self.seed = count, seed
        generator = torch.Generator().manual_seed((seed + 1) % 2**63)
        self._drawn = torch.randn(count + _LONGER, generator=generator).to(device)

    def stretch(self, step: int) -> Tensor:
        """The part of it, ``(count,)``, that a step reads."""
        place = (step * _APART + self.seed) % _LONGER
        return self._drawn[place : place + self.count]
