"""What the fit of a modulated SIREN hands on to the landing, and what a checkpoint keeps of it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.net.prior import NO_PRIOR


@dataclass(frozen=True)
class FittedGrid:
    """What a fit hands on.

    Attributes:
        arch: the architecture.
        weights: float32 weights of all networks after gates, less the prior's, ``(params,)``.
        step_codes: quantisation step of each tensor.
        latents: float32, ``(latents,)``, in symbols: what their rounding is near to.
        multiplier: price of the budget at the end, -dlnMSE/dlnbits.
        steps: optimiser steps taken.
        prior: code of what the weights are measured from.
        growth: all weights at equal parts of the fit, ``(moments, params)``, where they were noted; see
            :mod:`inrcodec.fit.grid.growth`.
    """

    arch: GridArch
    weights: NDArray[np.float32]
    step_codes: tuple[int, ...]
    latents: NDArray[np.float32]
    multiplier: float
    steps: int
    prior: int = NO_PRIOR
    growth: NDArray[np.float32] | None = None

    @property
    def digest(self) -> str:
        """Short name of this very outcome."""
        return hashlib.sha256(self.weights.tobytes() + self.latents.tobytes()).hexdigest()[:16]

    def state(self) -> dict[str, Any]:
        """Plain types and tensors, for a checkpoint."""
        return {
            "arch": asdict(self.arch),
            "weights": torch.from_numpy(self.weights),
            "step_codes": list(self.step_codes),
            "latents": torch.from_numpy(self.latents),
            "multiplier": self.multiplier,
            "steps": self.steps,
            "prior": self.prior,
            "growth": None if self.growth is None else torch.from_numpy(self.growth),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> FittedGrid:
        """The inverse of :meth:`state`."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in state["arch"].items()
        }
        weights, latents = state["weights"].numpy(), state["latents"].numpy()
        codes = tuple(state["step_codes"])
        prior = state.get("prior", NO_PRIOR)
        growth = state.get("growth")
        kind = LayeredArch if "refinements" in fields else GridArch
        return cls(
            kind(**fields), weights, codes, latents, state["multiplier"], state["steps"], prior,
            None if growth is None else growth.numpy(),
        )  # fmt: skip
