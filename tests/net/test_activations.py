from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from inrcodec.net.activations import ACTIVATE

_EXACT: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sine": torch.sin,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
    "gauss": lambda x: torch.exp(-x * x / 2),
}


@pytest.mark.parametrize("name", ACTIVATE)
def test_they_are_exact_enough_everywhere(name: str) -> None:
    x = np.linspace(-12, 12, 100_001).astype(np.float32)
    h = x.copy()
    ACTIVATE[name](h)
    exact = _EXACT[name](torch.tensor(x, dtype=torch.float64)).numpy()
    assert h.dtype == np.float32
    assert np.abs(h - exact).max() < 2e-6


@pytest.mark.parametrize("name", ACTIVATE)
def test_hostile_values_stay_in_float32(name: str) -> None:
    h = np.array([math.inf, -math.inf, math.nan, 3e38, -3e38], np.float32)
    with np.errstate(all="ignore"):
        ACTIVATE[name](h)
    assert np.isnan(h[2])
