from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrcodec.errors import BitstreamError
from inrcodec.net.arch import Arch, parse_layers

HIDDEN = st.lists(st.integers(1, 4096), min_size=1, max_size=64).map(tuple)


def test_tensors_of_a_small_net() -> None:
    arch = Arch((5, 4), 1)
    assert [(spec.name, spec.shape, spec.size) for spec in arch.tensors()] == [
        ("W0", (5, 2), 10),
        ("W1", (4, 5), 20),
        ("W2", (1, 4), 4),
        ("b.hidden", (9,), 9),
        ("b.out", (1,), 1),
    ]
    assert (arch.depth, arch.params, str(arch)) == (2, 44, "1x5+1x4")


@given(HIDDEN, st.sampled_from([1, 3]))
def test_params_are_those_of_a_dense_net(hidden: tuple[int, ...], outputs: int) -> None:
    widths = (2, *hidden, outputs)
    assert Arch(hidden, outputs).params == sum((a + 1) * b for a, b in pairwise(widths))


def test_layers_get_their_own_biases_and_frequencies() -> None:
    arch = Arch((2, 3), 1, w0_first=7, w0=5)
    tensors = {spec.name: np.arange(1, spec.size + 1, dtype=np.float32).reshape(spec.shape) for spec in arch.tensors()}
    (w0, b0), (w1, b1), (w2, b2) = arch.layers(tensors)
    assert w0.tolist() == [[7, 14], [21, 28]]
    assert b0.tolist() == [7, 14]
    assert w1.tolist() == [[5, 10], [15, 20], [25, 30]]
    assert b1.tolist() == [15, 20, 25]
    assert (w2.tolist(), b2.tolist()) == ([[1, 2, 3]], [1])
    assert {array.dtype for pair in arch.layers(tensors) for array in pair} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "arguments",
    [
        ((),),
        ((3,) * 65,),
        ((0,),),
        ((4097,),),
        ((3,), 2),
        ((3,), 0),
        ((3,), 3, 0),
        ((3,), 3, 256),
        ((3,), 3, 30, 0),
        ((3,), 3, 30, 256),
    ],
)
def test_bounds(arguments: tuple[tuple[int, ...], int]) -> None:
    with pytest.raises(BitstreamError):
        Arch(*arguments)
    assert Arch((4096,) * 64, 3, 255, 255).params > 10**9


@given(HIDDEN)
def test_text_names_the_layers_and_is_read_back(hidden: tuple[int, ...]) -> None:
    assert parse_layers(str(Arch(hidden))) == hidden
    assert parse_layers(",".join(map(str, hidden))) == hidden


def test_texts() -> None:
    assert str(Arch((8, 8, 8, 5))) == "3x8+1x5"
    assert parse_layers("3X40+20") == (40, 40, 40, 20)
    assert parse_layers("2x6,1x5,4") == (6, 6, 5, 4)


@pytest.mark.parametrize("text", ["", "x", "4x", "0x8", "-1x8", "4x0", "4x-3", "4x4097", "65x4", "4x8+", "a", "2x3x4"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="layers look like"):
        parse_layers(text)
