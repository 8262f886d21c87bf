from __future__ import annotations

import pytest
import torch

from inrcodec.fit.magnitude import ends_of, largest, share_within
from inrcodec.fit.sizing import BITS_PER_WEIGHT
from inrcodec.net.arch import Arch

TENSOR_OF = torch.tensor([0] * 10 + [1] * 10)
WEIGHTS = torch.cat([torch.linspace(1, 2, 10), -torch.linspace(0.1, 1.05, 10)])


def test_layer_by_layer_every_tensor_keeps_its_largest() -> None:
    kept = largest(WEIGHTS, TENSOR_OF, 0.3)
    assert kept.nonzero().squeeze(1).tolist() == [7, 8, 9, 17, 18, 19]


def test_all_together_the_largest_of_all_stay() -> None:
    kept = largest(WEIGHTS, TENSOR_OF, 0.3, everywhere=True)
    assert kept.nonzero().squeeze(1).tolist() == [4, 5, 6, 7, 8, 9]


def test_spared_tensors_stay_whole_and_the_others_make_up_for_them() -> None:
    kept = largest(WEIGHTS, TENSOR_OF, 0.7, spared=(0,))
    assert kept[:10].all()
    assert kept[10:].nonzero().squeeze(1).tolist() == [6, 7, 8, 9]
    assert largest(WEIGHTS, TENSOR_OF, 0.2, spared=(0,)).sum() == 10  # they cannot make up for more than they are


@pytest.mark.parametrize("keep", [0.0, 1.0])
def test_nothing_and_everything(keep: float) -> None:
    assert largest(WEIGHTS, TENSOR_OF, keep).float().mean() == keep


def test_the_ends_are_the_first_and_the_last_layer() -> None:
    arch = Arch((5, 5))
    assert [arch.tensors()[k].name for k in ends_of(arch)] == ["W0", "W2", "b.out"]


def test_a_budget_pays_for_weights_and_for_telling_which() -> None:
    assert share_within(1000, 1000 * BITS_PER_WEIGHT) == 1.0
    half = share_within(1000, 500 * BITS_PER_WEIGHT + 1000)  # one bit for each of the thousand tells which half
    assert half == pytest.approx(0.5, abs=1e-6)
    assert share_within(1000, 0) == pytest.approx(0, abs=1e-6)
    shares = [share_within(1000, budget) for budget in range(0, 6000, 500)]
    assert shares == sorted(shares)
