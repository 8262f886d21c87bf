"""What a fit hands on to the landing, and what a checkpoint keeps of it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inrcodec.net.arch import Arch
from inrcodec.net.encoding import Encoding


@dataclass(frozen=True)
class FittedNet:
    """What a fit hands on: float weights after gates, and the step each tensor is quantised with.

    Attributes:
        arch: the network.
        tensors: float32 weights, in the order of :meth:`Arch.tensors`.
        step_codes: quantisation step of each tensor; empty for a fit without quantisation.
        multiplier: price of the budget at the end, -dlnMSE/dlnbits.
        steps: optimiser steps taken.
    """

    arch: Arch
    tensors: tuple[NDArray[np.float32], ...]
    step_codes: tuple[int, ...]
    multiplier: float
    steps: int

    @property
    def digest(self) -> str:
        """Short name of these very weights."""
        return hashlib.sha256(b"".join(tensor.tobytes() for tensor in self.tensors)).hexdigest()[:16]

    def state(self) -> dict[str, Any]:
        """Plain types and tensors, for a checkpoint."""
        return {
            "arch": asdict(self.arch),
            "tensors": [torch.from_numpy(tensor) for tensor in self.tensors],
            "step_codes": list(self.step_codes),
            "multiplier": self.multiplier,
            "steps": self.steps,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> FittedNet:
        """The inverse of :meth:`state`."""
        described = state["arch"]
        arch = Arch(**{**described, "encoding": Encoding(**described["encoding"])})
        tensors = tuple(tensor.numpy() for tensor in state["tensors"])
        return cls(arch, tensors, tuple(state["step_codes"]), state["multiplier"], state["steps"])
