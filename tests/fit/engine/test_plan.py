from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inrcodec.fit.engine.layers import Layer, siren
from inrcodec.fit.engine.micro import LANES, OUTER_A, OUTER_B, PANEL, ROWS
from inrcodec.fit.engine.plan import Plan, _balanced, plan

WIDTHS = st.lists(st.integers(1, 70), min_size=0, max_size=5)


def _net(hidden: list[int], inputs: int, outputs: int) -> tuple[Layer, ...]:
    return siren(hidden, outputs, inputs=inputs, frequency=7)


@given(st.integers(1, 2000), st.integers(1, 20))
def test_balanced_blocks_are_the_fewest_and_differ_by_one_at_most(count: int, block: int) -> None:
    sizes = _balanced(count, block)
    assert sum(sizes) == count
    assert len(sizes) == -(-count // block)
    assert max(sizes) <= block
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=60)
@given(WIDTHS, st.integers(1, 70), st.integers(1, 9))
def test_every_weight_has_one_place_of_its_own(hidden: list[int], inputs: int, outputs: int) -> None:
    layout = Plan(_net(hidden, inputs, outputs), PANEL)
    first_bias = int(layout.b_at[0])
    lanes = layout.sources[first_bias:, None] + np.arange(LANES)
    places = np.concatenate([layout.sources[:first_bias], lanes.reshape(-1)])
    assert len(np.unique(places)) == len(places)
    assert places.min() >= 0
    assert places.max() < layout.gradient_size


@settings(max_examples=60)
@given(WIDTHS, st.integers(1, 70), st.integers(1, 9))
def test_blocks_are_as_many_as_the_kernels_fill(hidden: list[int], inputs: int, outputs: int) -> None:
    layers = _net(hidden, inputs, outputs)
    expected = sum(
        LANES * (len(_balanced(layer.outputs, OUTER_A)) * len(_balanced(layer.inputs, OUTER_B)) + layer.outputs)
        for layer in layers
    )
    assert Plan(layers, PANEL).gradient_size == expected


@settings(max_examples=60)
@given(WIDTHS, st.integers(1, 70), st.integers(1, 9))
def test_nothing_in_a_tiles_memory_overlaps(hidden: list[int], inputs: int, outputs: int) -> None:
    layout = Plan(_net(hidden, inputs, outputs), 2 * PANEL)
    sizes = 2 * PANEL * np.concatenate([layout.widths, layout.widths[1:]])
    starts = np.concatenate([layout.h_at, layout.z_at])
    order = np.argsort(starts)
    assert np.array_equal(starts[order], np.cumsum([0, *sizes[order][:-1]]))
    assert layout.buffer_size == sizes.sum()


def test_weights_lie_matrix_by_matrix_then_bias_by_bias() -> None:
    layout = Plan((Layer(2, 5, "sine", 30), Layer(5, 4, "relu"), Layer(4, 1, "linear")), PANEL)
    assert layout.w_at.tolist() == [0, 10, 30]
    assert layout.b_at.tolist() == [34, 39, 43]
    assert layout.weights == 44
    expected = np.ones(44)
    expected[:10] = expected[34:39] = 30
    assert np.array_equal(layout.scale, expected)
    assert layout.widths.tolist() == [2, 5, 4, 1]
    assert layout.kinds.tolist() == [1, 2, 0]


def test_gathered_gradients_are_sums_over_workers_and_lanes_times_the_frequency() -> None:
    layout = Plan((Layer(3, 2, "sine", 10), Layer(2, 1, "linear")), PANEL)
    sums = np.random.default_rng(0).standard_normal((3, layout.gradient_size)).astype(np.float32)
    total = sums.astype(np.float64).sum(0)
    matrices = total[layout.sources[:8]]
    biases = [total[place : place + LANES].sum() for place in layout.sources[8:]]
    expected = np.concatenate([matrices, biases]) * [*[10] * 6, *[1] * 2, *[10] * 2, 1]
    assert np.allclose(layout.gather(sums), expected, rtol=1e-5, atol=1e-5)
    assert np.array_equal(layout.gather(sums[:1]), layout.gather(np.vstack([sums[:1], 0 * sums[:1]])))


def test_scaled_weights_have_the_frequency_in_them() -> None:
    layout = Plan((Layer(1, 2, "sine", 10), Layer(2, 1, "linear")), PANEL)
    assert layout.scaled(np.arange(7, dtype=np.float32)).tolist() == [0, 10, 2, 3, 40, 50, 6]
    assert layout.scaled(np.ones(7, np.float32)).dtype == np.float32


@pytest.mark.parametrize("tile", [1, PANEL - 1, PANEL + LANES])
def test_tiles_that_cannot_be_cut_are_refused(tile: int) -> None:
    with pytest.raises(ValueError, match=f"multiple of {PANEL} pixels, not {tile}"):
        plan(siren((8,), 3), tile)


def test_layers_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="gives 8 features, the next one takes 9"):
        plan((Layer(2, 8), Layer(9, 3, "linear")), PANEL)


def test_a_plan_is_made_once() -> None:
    assert plan(siren((8, 3), 3), PANEL) is plan(siren([8, 3], 3), PANEL)


def test_outer_blocks_fill_no_more_than_a_vector() -> None:
    assert OUTER_A * OUTER_B <= LANES
    assert ROWS >= 1
