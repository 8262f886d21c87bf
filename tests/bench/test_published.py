from __future__ import annotations

import numpy as np
import pytest

from inrcodec.bench.bdrate import front
from inrcodec.bench.pchip import Pchip
from inrcodec.bench.published import curve, curves

NAMES = {
    "COIN", "COIN++", "Strumpler basic", "Strumpler meta", "JPEG 2000 (ffmpeg)", "NIF25", "BPG 4:4:4", "VTM 4:4:4",
    "RECOMBINER", "C3", "Cool-chic 5.0.1",
}  # fmt: skip


def test_every_curve_has_a_source_and_points_that_grow() -> None:
    assert {published.name for published in curves()} == NAMES
    assert len(curves()) == len(NAMES)
    for published in curves():
        assert published.source
        assert len(published.points) >= 4
        assert front(published.points) == list(published.points)
        assert all(0.01 < bpp < 10 and 15 < psnr < 50 for bpp, psnr in published.points)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("COIN", 26.34), ("Strumpler basic", 28.44), ("NIF25", 29.85), ("C3", 31.69), ("Cool-chic 5.0.1", 32.21)],
)
def test_at_a_round_rate_they_are_what_is_known(name: str, expected: float) -> None:
    rates, psnrs = np.array(curve(name).points).T
    assert Pchip(np.log(rates), psnrs)(np.log(0.3)) == pytest.approx(expected, abs=0.006)


def test_a_name_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"no published curve 'JPEG'; there are COIN, "):
        curve("JPEG")
