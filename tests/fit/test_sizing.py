from __future__ import annotations

import pytest

from inrcodec.encoder import EncodeOptions
from inrcodec.errors import TargetError
from inrcodec.fit.methods import METHODS, method
from inrcodec.fit.sizing import BITS_PER_WEIGHT, auto_dense, auto_sparse, check_dense, payload_budget, smallest_file
from inrcodec.format.container import Header
from inrcodec.net.arch import Arch, parse_layers
from inrcodec.net.encoding import Encoding
from inrcodec.recipes import load

KODAK = Header(768, 512)


@pytest.mark.parametrize("bpp", [0.07, 0.15, 0.3, 0.6])
def test_the_automatic_net_fills_the_budget(bpp: float) -> None:
    cap = int(bpp * KODAK.pixels / 8)
    arch = auto_sparse(KODAK, cap)
    assert 0.9 < arch.params * BITS_PER_WEIGHT / payload_budget(KODAK, arch, cap) <= 1.0
    assert arch.depth == 7


def test_more_bytes_more_weights() -> None:
    params = [auto_sparse(KODAK, cap).params for cap in (70, 150, 400, 1000, 3000, 10000, 40000)]
    assert params == sorted(params)


@pytest.mark.parametrize("bpp", [0.07, 0.15, 0.3, 0.6])
def test_coin_fills_the_cap_with_sixteen_bit_weights(bpp: float) -> None:
    cap = int(bpp * KODAK.pixels / 8)
    arch = auto_dense(KODAK, cap)
    used = 16 * arch.params / payload_budget(KODAK, arch, cap, halves=True)
    assert 0.99 < used <= 1.0
    assert max(arch.hidden[:-1]) - min(arch.hidden[:-1]) <= 1


def test_hopeless_caps_name_the_smallest_file() -> None:
    for size in (auto_sparse, auto_dense):
        with pytest.raises(TargetError) as caught:
            size(KODAK, 30)
        assert caught.value.smallest_bytes is not None
        size(KODAK, caught.value.smallest_bytes)  # the named size works
    assert smallest_file(KODAK) < 60


def test_the_registry_knows_its_methods() -> None:
    assert set(METHODS) == {"l0", "coin", "penalized", "bisect", "magnitude"}
    assert method("l0").quantised
    assert not method("coin").quantised
    with pytest.raises(ValueError, match="l0, coin, penalized, bisect, magnitude"):
        method("magic")


def test_layers_override_the_automatic_size() -> None:
    arch = method("l0").size(Header(64, 64, 1), 4000, EncodeOptions(layers="3x17"))
    assert (arch.hidden, arch.outputs) == ((17, 17, 17), 1)
    with pytest.raises(ValueError, match="layers look like"):
        method("l0").size(KODAK, 4000, EncodeOptions(layers="big"))


@pytest.mark.parametrize("name", METHODS)
def test_an_encoding_takes_its_part_of_the_budget(name: str) -> None:
    plain = method(name).size(KODAK, 8000, EncodeOptions())
    encoded = method(name).size(KODAK, 8000, EncodeOptions(activation="relu:3", encoding="nerf:8:1.5"))
    assert (encoded.activation, encoded.w0_first, encoded.w0) == ("relu", 3, 3)
    assert encoded.encoding == Encoding("nerf", 8, 150)
    assert max(encoded.hidden) < max(plain.hidden)
    assert 0.85 < encoded.params / plain.params < 1.01


def test_guesses_grow_with_quality() -> None:
    guesses = [method("l0").guess(KODAK, goal) for goal in (20, 24, 28, 32)]
    assert guesses == sorted(set(guesses))


def test_dense_weights_that_are_more_than_the_cap_are_refused() -> None:
    arch = Arch((30,) * 5)
    check_dense(KODAK, arch, 7837)
    with pytest.raises(
        TargetError, match=r"5x30 network take 7,837 bytes, more than 7,836; ask for 0.16 bpp"
    ) as caught:
        check_dense(KODAK, arch, 7836)
    assert caught.value.smallest_bytes == 7837


def test_coins_networks_fit_the_rates_their_recipe_names() -> None:
    for bpp, options in load("coin").targets:
        check_dense(KODAK, Arch(parse_layers(options["layers"])), int(bpp * KODAK.pixels / 8))
