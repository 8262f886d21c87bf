from __future__ import annotations

import pytest

from inrcodec.fit.engine.layers import ACTIVATIONS, Layer, siren


@pytest.mark.parametrize("name", ["", "tanh", "Sine"])
def test_unknown_activations_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"no activation '{name}'; there are linear, sine, relu, gelu"):
        Layer(2, 3, name)


@pytest.mark.parametrize(("inputs", "outputs"), [(0, 3), (3, 0), (-1, 2)])
def test_layers_without_features_are_refused(inputs: int, outputs: int) -> None:
    with pytest.raises(ValueError, match=f"needs features, not {inputs} and {outputs}"):
        Layer(inputs, outputs)


def test_equal_layers_are_one_key() -> None:
    assert len({siren((8, 8), 3), siren([8, 8], 3), siren((8, 9), 3)}) == 2


def test_a_siren_ends_with_a_linear_layer() -> None:
    assert siren((8, 5), 3, inputs=4, frequency=20) == (
        Layer(4, 8, "sine", 20),
        Layer(8, 5, "sine", 20),
        Layer(5, 3, "linear"),
    )
    assert siren((), 3) == (Layer(2, 3, "linear"),)


def test_the_kernels_codes_are_in_the_order_of_the_names() -> None:
    assert ACTIVATIONS == ("linear", "sine", "relu", "gelu", "gauss")
