from __future__ import annotations

import numpy as np
import pytest

from inrcodec.bench.codec import Picture


@pytest.fixture(scope="session")
def colours() -> Picture:
    """A small picture with smooth parts, edges and a little noise."""
    y, x = np.mgrid[0:96, 0:128]
    noise = np.random.default_rng(5).normal(0, 4, (96, 128, 3))
    waves = np.stack([128 + 90 * np.sin(x / 17), 128 + 80 * np.cos(y / 11 + x / 40), 200 - x], axis=2)
    waves[30:60, 40:90] = (220, 40, 90)
    return np.clip(waves + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def grays(colours: Picture) -> Picture:
    """The same, gray in three channels."""
    return np.repeat(colours[:, :, :1], 3, axis=2)
