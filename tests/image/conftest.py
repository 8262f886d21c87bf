from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Save = Callable[..., bytes]


@pytest.fixture
def noise() -> Callable[..., NDArray[np.uint8]]:
    """Samples that differ everywhere, so that a flip or a swap cannot go unseen."""

    def make(height: int = 5, width: int = 7, channels: int = 3) -> NDArray[np.uint8]:
        shape = (height, width) if channels == 1 else (height, width, channels)
        return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    return make


@pytest.fixture
def save() -> Save:
    """A Pillow picture, or an array, as the bytes of a file."""

    def to_bytes(picture: Image.Image | NDArray[Any], fmt: str = "PNG", **options: Any) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        buffer = BytesIO()
        image.save(buffer, fmt, **options)
        return buffer.getvalue()

    return to_bytes
