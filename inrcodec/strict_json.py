"""What JSON can say of numbers."""

from __future__ import annotations

import math


def finite(value: object) -> object:
    """A value of plain types with null for every number JSON does not know (``inf``, ``nan``)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
