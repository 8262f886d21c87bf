"""The effort ladder: what each level spends, and what that takes."""

from __future__ import annotations

from dataclasses import replace

from inrcodec.fit.config import SirenConfig
from inrcodec.net.arch import Arch

EFFORTS = range(1, 10)

_STEPS = {1: 600, 2: 1_300, 3: 2_500, 4: 4_500, 5: 7_000, 6: 10_000, 7: 14_000, 8: 20_000, 9: 30_000}

_BATCH = {1: 4096}
"""Pixels a step where they are not the default's.

What counts is the product: kodim15 at 0.3 bpp came to 30.37, 30.89 and 31.25 dB after 12,000 steps of 2,048, 4,096
and 8,192 pixels, and 24,000 steps of 2,048 or 6,000 of 8,192 ended where 12,000 of 4,096 did. So a step should be as
large as makes its fixed costs small, and no larger: 3,000 of 16,384 lost 0.15 dB.
"""


_LANDING = {1: 3, 2: 6}
"""Rounds of the search after the fit where they are not the default's: each costs as much as thirty steps."""


def effort_config(effort: int) -> SirenConfig:
    """Settings of an effort level.

    Raises:
        ValueError: not 1 to 9.
    """
    if effort not in EFFORTS:
        raise ValueError(f"effort runs from 1 to 9, not {effort}")
    default = SirenConfig()
    return replace(
        default,
        steps=_STEPS[effort],
        batch=_BATCH.get(effort, default.batch),
        landing=_LANDING.get(effort, default.landing),
    )


def expected_seconds(arch: Arch, config: SirenConfig, pixels: int) -> float:
    """Rough wall time of a fit and its landing on two ordinary cores, in seconds."""
    work = arch.params + 8 * sum(arch.hidden)
    step = 1.3e-3 + 2.4e-11 * work * min(config.batch, pixels)
    return 2.0 + 1.1 * config.steps * step + 40 * 2.4e-11 * work * pixels / 2
