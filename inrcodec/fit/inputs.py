"""Input encodings as torch sees them; see :mod:`inrcodec.net.encoding`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from inrcodec.net.encoding import Encoding


class Inputs:
    """What a network is given of coordinates, on their device.

    They are worked out anew at every step: for a whole picture they would take up to a kilobyte a pixel.

    Args:
        encoding: the input encoding.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self._angular = torch.from_numpy(encoding.angular().T.copy()) if encoding.kind != "none" else torch.empty(0)

    def __call__(self, coords: Tensor) -> Tensor:
        """``(n, 2)`` coordinates to ``(n, inputs)`` features."""
        if self.encoding.kind == "none":
            return coords
        self._angular = self._angular.to(coords.device)
        angles = coords.double() @ self._angular
        small = (angles - 2 * math.pi * (angles / (2 * math.pi)).round()).float()
        return torch.cat([*((coords,) if self.encoding.keeps else ()), small.sin(), small.cos()], 1)
