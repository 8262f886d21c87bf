"""The effort ladder: what each level spends, and what that takes."""

from __future__ import annotations

from inrcodec.fit.config import FitConfig
from inrcodec.net.arch import Arch

EFFORTS = range(1, 10)

_STEPS = {1: 1_500, 2: 3_000, 3: 5_000, 4: 8_000, 5: 12_000, 6: 24_000, 7: 50_000, 8: 100_000, 9: 200_000}


def effort_config(effort: int) -> FitConfig:
    """Settings of an effort level.

    Raises:
        ValueError: not 1 to 9.
    """
    if effort not in EFFORTS:
        raise ValueError(f"effort runs from 1 to 9, not {effort}")
    return FitConfig(steps=_STEPS[effort])


def expected_seconds(arch: Arch, config: FitConfig, pixels: int) -> float:
    """Rough wall time of a fit and its landing on two ordinary cores, in seconds."""
    work = arch.params + 40 * sum(arch.hidden)
    step = 1.2e-3 + 7.5e-11 * work * min(config.batch, pixels) * 1.1
    return config.steps * step + 40 * 6.0e-11 * work * pixels / 3
