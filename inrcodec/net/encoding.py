"""Input encodings: what a network is given of a pixel's position besides, or instead of, the position itself.

All of them are sines and cosines of a few linear functions of the coordinates ``x = (u, v)``,

    features = [x,] sin(A x), cos(A x),

and differ in the angular frequencies ``A`` alone:

- ``nerf`` (Mildenhall et al. 2020, section 5.1, with the base of Struempler et al. 2022, section 3.1): ``pi s^k`` along
  either axis, ``k < m``; the coordinates stay;
- ``positional`` (Tancik et al. 2020, section 6.1): ``2 pi s^(k / m)`` along either axis;
- ``gauss`` (the same section): ``2 pi s`` times a random matrix of m rows, which a seed stands for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inrcodec.errors import BitstreamError

ENCODINGS = ("none", "nerf", "positional", "gauss")
"""Names of the encodings, in the order of their codes in a file."""

MAX_FREQUENCIES = 64
MAX_HUNDREDTHS = 10_000
MAX_SEED = (1 << 32) - 1
MAX_NERF = 1 << 20

_DEFAULTS = {"none": (0, 0), "nerf": (16, 140), "positional": (16, 1000), "gauss": (64, 200)}
"""Frequencies and hundredths of the scale where only the kind is named; NeRF's are those of Struempler et al."""


@dataclass(frozen=True)
class Encoding:
    """An input encoding.

    Attributes:
        kind: one of ``ENCODINGS``.
        frequencies: m, 1 to 64; 0 of ``none``.
        hundredths: the scale s in hundredths, 1 to 10,000; 0 of ``none``.
        seed: of ``gauss``'s matrix, below 2^32; 0 of the others.
    """

    kind: str = "none"
    frequencies: int = 0
    hundredths: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ENCODINGS:
            raise BitstreamError(f"no input encoding {self.kind!r}; there are {', '.join(ENCODINGS)}")
        if self.kind == "none":
            sound = (self.frequencies, self.hundredths, self.seed) == (0, 0, 0)
        else:
            sound = 1 <= self.frequencies <= MAX_FREQUENCIES and 1 <= self.hundredths <= MAX_HUNDREDTHS
            sound = sound and (0 <= self.seed <= MAX_SEED if self.kind == "gauss" else self.seed == 0)
        if not sound:
            raise BitstreamError(
                f"{self.kind} takes 1 to {MAX_FREQUENCIES} frequencies and a scale of 0.01 to "
                f"{MAX_HUNDREDTHS / 100:g}, not {self.frequencies} and {self.hundredths / 100:g} (seed {self.seed})"
            )
        octaves = max(0, self.frequencies - 1)
        if self.kind == "nerf" and self.hundredths**octaves > MAX_NERF * 100**octaves:
            raise BitstreamError(f"{self} has a frequency over {MAX_NERF}, finer than any picture")

    @property
    def inputs(self) -> int:
        """Features a pixel."""
        per_frequency = {"none": 0, "nerf": 4, "positional": 4, "gauss": 2}[self.kind]
        return per_frequency * self.frequencies + (2 if self.keeps else 0)

    @property
    def keeps(self) -> bool:
        """Whether the coordinates are among the features."""
        return self.kind in ("none", "nerf")

    def angular(self) -> NDArray[np.float64]:
        """The matrix A, ``(angles, 2)``, in radians for each unit of the coordinates."""
        scale, count = self.hundredths / 100, self.frequencies
        if self.kind == "gauss":
            return 2 * np.pi * scale * normals(2 * count, self.seed).reshape(count, 2)
        powers = np.arange(count) / (count if self.kind == "positional" else 1)
        along = (2 if self.kind == "positional" else 1) * np.pi * scale**powers
        return np.concatenate([np.outer(along, axis) for axis in ((1.0, 0.0), (0.0, 1.0))])

    def features(self, coords: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the network is given.

        Args:
            coords: ``(n, 2)``.

        Returns:
            ``(n, inputs)``: the coordinates if they stay, the sines, the cosines.
        """
        if self.kind == "none":
            return coords
        angles = coords.astype(np.float64) @ self.angular().T
        angles -= 2 * np.pi * np.rint(angles / (2 * np.pi))  # so that float32 is exact enough for the sines
        small = angles.astype(np.float32)
        return np.concatenate([*((coords,) if self.keeps else ()), np.sin(small), np.cos(small)], axis=1)

    def __str__(self) -> str:
        seed = f":{self.seed}" if self.kind == "gauss" else ""
        return "none" if self.kind == "none" else f"{self.kind}:{self.frequencies}:{self.hundredths / 100:g}{seed}"


PLAIN = Encoding()
"""Bare coordinates."""


def parse_encoding(text: str) -> Encoding:
    """Read ``nerf``, ``nerf:16``, ``nerf:16:1.4`` or ``gauss:64:2:7`` (kind, frequencies, scale, seed).

    Raises:
        ValueError: the text is none of these, or out of bounds.
    """
    match = re.fullmatch(r"(\w+)(?::(\d{1,9})(?::(\d{1,9}(?:\.\d+)?)(?::(\d{1,10}))?)?)?", text.lower())
    if match is None or match[1] not in ENCODINGS or (match[1] == "none" and match[2]):
        raise ValueError(
            f"an encoding looks like nerf, nerf:16:1.4 or gauss:64:2:7 ({', '.join(ENCODINGS)}; frequencies, scale, "
            f"seed), not {text!r}"
        )
    kind = match[1]
    frequencies, hundredths = _DEFAULTS[kind]
    frequencies = int(match[2]) if match[2] else frequencies
    hundredths = round(100 * float(match[3])) if match[3] else hundredths
    try:
        return Encoding(kind, frequencies, hundredths, int(match[4] or 0))
    except BitstreamError as error:
        raise ValueError(str(error)) from None


def normals(count: int, seed: int) -> NDArray[np.float64]:
    """Numbers that are all but normally distributed, exactly the same everywhere.

    Each is the sum of twelve uniform 16-bit integers, which are three outputs of SplitMix64 (Steele et al. 2014), less
    its mean, as a fraction of its deviation.
    """
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, 3 * count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ state >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ state >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    quarters = state[:, None] >> np.arange(0, 64, 16, dtype=np.uint64) & np.uint64(0xFFFF)
    sums: NDArray[np.float64] = quarters.reshape(count, 12).sum(1).astype(np.float64)
    return (sums - 393210.0) / 65536.0
