"""Whether two decoders made the same of files: symbols equal, pixels within a level, hardly any of them different."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARE = {"photographs": 1e-4, "grids": 1e-4, "network": 1e-3}
"""Of the samples of 8 bits, that may differ by a level: of fitted files, of random latents, of random networks alone.

Random networks are wilder than fitted ones: they amplify the last bits of float32 sines, which NumPy rounds otherwise
where it has no AVX2 (5e-4 of the samples were the most that was seen; 1e-5 of a photograph by a network alone).
"""


@dataclass(frozen=True)
class Verdict:
    """About one file, or several.

    Attributes:
        files: how many were compared.
        symbols: names of those whose symbols differ.
        levels: names of those with a sample that differs by more than a level, or of another shape.
        many: names of those of whose samples more differ than may.
        shares: the largest share of samples that differ, by what draws them; 16-bit ones count as 8-bit ones would.
    """

    files: int = 0
    symbols: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    many: tuple[str, ...] = ()
    shares: tuple[tuple[str, float], ...] = ()

    @property
    def good(self) -> bool:
        """Whether every promise holds."""
        return self.files > 0 and not self.symbols and not self.levels and not self.many

    def __add__(self, other: Verdict) -> Verdict:
        worst: dict[str, float] = {}
        for kind, share in (*self.shares, *other.shares):
            worst[kind] = max(share, worst.get(kind, 0.0))
        return Verdict(
            self.files + other.files, self.symbols + other.symbols, self.levels + other.levels,
            self.many + other.many, tuple(worst.items()),
        )  # fmt: skip


@dataclass(frozen=True)
class Decoded:
    """What a decoder made of a file.

    Attributes:
        digest: of its symbols.
        pixels: as large as they were coded.
        large: drawn large enough to count those that differ.
    """

    digest: str
    pixels: NDArray[Any]
    large: NDArray[Any]


def compare(name: str, kind: str, here: Decoded, there: Decoded) -> Verdict:
    """About one file.

    Args:
        name: of the file.
        kind: a key of ``SHARE``.
        here: what is judged.
        there: what it should be.
    """
    symbols = () if here.digest == there.digest else (name,)
    pairs = ((here.pixels, there.pixels), (here.large, there.large))
    if any(a.shape != b.shape or a.dtype != b.dtype for a, b in pairs):
        return Verdict(1, symbols, (name,))
    differences = [np.abs(a.astype(int) - b.astype(int)) for a, b in pairs]
    levels = (name,) if max(int(difference.max()) for difference in differences) > 1 else ()
    # A 16-bit level is 1/257 as wide as an 8-bit one, so that many more samples lie at the edge of two.
    share = np.count_nonzero(differences[1]) / there.large.size / (1 if there.large.dtype == np.uint8 else 257)
    return Verdict(1, symbols, levels, (name,) if share > SHARE[kind] else (), ((kind, share),))


def judge(folder: Path, reference: Path) -> Verdict:
    """About all files that a probe left in a folder, against those of another."""
    here, there = (json.loads((place / "probe.json").read_text()) for place in (folder, reference))
    verdict = Verdict()
    for name, digest in there["digests"].items():
        found = Decoded(here["digests"].get(name, ""), *_pixels(folder, name))
        verdict += compare(name, there["kinds"][name], found, Decoded(digest, *_pixels(reference, name)))
    return verdict


def _pixels(folder: Path, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.load(folder / f"{name}.npy"), np.load(folder / f"{name}.large.npy")
