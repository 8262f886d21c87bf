"""Networks as they were while they grew up, for latents that come later.

Latents that start at zero under networks which stand still end behind those that grew up with them: in smooth parts the
laws that networks came to leave no way for a latent to grow. If the networks go the way once more that they came, in
the first half of the latents' fit, most of that is made up for (kodim23's middle at 0.3 bpp, 300 steps: 0.70 dB behind
without, 0.34 with; kodim15's 0.26 and 0.21).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.fitted import FittedGrid

_MOMENTS = 33
"""How often networks are looked at, from the beginning of the soft phase to its end."""

_YOUTH = 0.5
"""Part of the latents' fit in which networks grow up once more."""


class GrowingDescent(GridDescent):
    """A fit that notes how its networks come to be; see :class:`inrcodec.fit.grid.descent.GridDescent`.

    Attributes:
        noted: all weights, ``(params,)``, at equal parts of the soft phase so far.
    """

    noted: tuple[Tensor, ...] = ()

    def step(self) -> None:
        """One optimiser step."""
        if len(self.noted) < _MOMENTS and self.soft_progress * (_MOMENTS - 1) >= len(self.noted):
            self.noted = (*self.noted, self.free_weights().detach().cpu())
        super().step()

    def fitted(self) -> FittedGrid:
        """Hand on what there is, rounded for real if it was not yet, and how it came to be."""
        return replace(super().fitted(), growth=torch.stack(self.noted).numpy() if self.noted else None)

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the rest of the fit, in plain types and tensors."""
        return {**super().state_dict(), "noted": list(self.noted)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict` of a fit of the same picture, settings and seed."""
        super().load_state_dict(state)
        self.noted = tuple(state["noted"])


class Growth:
    """Weights that go the way once more that they came.

    Args:
        networks: the outcome of their fit.
        flat: all weights as they will be in the file, ``(params,)``.
    """

    def __init__(self, networks: FittedGrid, flat: Tensor) -> None:
        self.flat = flat
        self.moments = None if networks.growth is None else torch.from_numpy(networks.growth).to(flat.device)

    def at(self, t: float) -> Tensor:
        """All weights, ``(params,)``, once a part ``t`` of the latents' fit is done."""
        if self.moments is None or t >= _YOUTH:
            return self.flat
        place = t / _YOUTH * (len(self.moments) - 1)
        k = int(place)
        before, after = self.moments[k], self.moments[min(k + 1, len(self.moments) - 1)]
        return torch.lerp(before, after, place - k)
