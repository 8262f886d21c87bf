"""Encodes with latent grids at a price of bits, in place of a size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inrcodec.encoder import EncodeOptions, Target, encode_pixels
from inrcodec.fit.price import ENOUGH
from inrcodec.pixels import Pixels

QUICK = EncodeOptions(arch="grid", effort=1, threads=1, overrides=(("steps", "200"), ("landing", "1")))


def test_a_higher_price_gives_a_smaller_file(picture: Pixels) -> None:
    options = replace(QUICK, method="penalized")
    dear, cheap = (encode_pixels(picture, Target("lambda", price), options) for price in (6e-3, 6e-4))
    assert len(dear.data) < 0.8 * len(cheap.data)
    assert dear.report.psnr < cheap.report.psnr
    assert dear.report.cap_bytes is dear.report.use is None
    for coded, price in ((dear, 6e-3), (cheap, 6e-4)):  # each is the better one at its own price
        other = cheap if coded is dear else dear
        assert _cost(coded.report.psnr, coded.report.bpp, price) < _cost(other.report.psnr, other.report.bpp, price)


def _cost(psnr: float, bpp: float, price: float) -> float:
    """What a fit at a price makes small."""
    return float(10 ** (-psnr / 10) + price * bpp)


def test_a_search_for_a_price_ends_near_its_target(picture: Pixels) -> None:
    coded = encode_pixels(picture, Target("bytes", 450), replace(QUICK, method="bisect"))
    assert ENOUGH * 450 <= len(coded.data) <= 450
    assert coded.report.trials
    assert coded.report.trials[-1].steps == 200


@pytest.mark.parametrize("method", ["coin", "magnitude"])
def test_other_methods_are_for_networks_alone(picture: Pixels, method: str) -> None:
    with pytest.raises(ValueError, match=f"the method {method} is not for latent grids"):
        encode_pixels(picture, Target("bytes", 700), replace(QUICK, method=method))
