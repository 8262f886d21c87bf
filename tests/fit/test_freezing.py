"""Weights that come to rest in turn."""

from __future__ import annotations

import pytest
import torch

from inrcodec.fit.freezing import held, laid_down, none_resting
from inrcodec.limits import MAX_SYMBOL

LEVELS = torch.tensor([0.4, 1.1, -2.02, 3.3])


def test_those_next_to_a_level_rest_first() -> None:
    resting = laid_down(none_resting(LEVELS), LEVELS, 0.5)
    assert torch.equal(torch.isnan(resting), torch.tensor([True, False, False, True]))
    assert resting[1:3].tolist() == [1.0, -2.0]


def test_what_rests_stays_whatever_happens_to_it() -> None:
    resting = laid_down(none_resting(LEVELS), LEVELS, 0.5)
    later = laid_down(resting, torch.tensor([0.01, 7.5, 9.5, 3.02]), 0.75)
    assert later[1:3].tolist() == [1.0, -2.0]
    assert torch.isnan(later).tolist() == [False, False, False, True]


def test_none_rests_before_its_time() -> None:
    assert torch.isnan(laid_down(none_resting(LEVELS), LEVELS, 0.0)).all()


def test_all_rest_in_the_end_on_levels_that_a_file_can_hold() -> None:
    levels = torch.tensor([[0.4, 1e9], [-1e9, -0.6]])
    assert laid_down(none_resting(levels), levels, 1.0).tolist() == [[0, MAX_SYMBOL], [-MAX_SYMBOL, -1]]


def test_each_net_of_several_has_its_own_turn() -> None:
    both = torch.stack([LEVELS, LEVELS.flip(0)])
    resting = laid_down(none_resting(both), both, 0.5)
    assert torch.equal(torch.isnan(resting[0]), torch.isnan(resting[1]).flip(0))


def test_what_rests_is_out_of_reach_of_gradients() -> None:
    levels = LEVELS.clone().requires_grad_(True)
    resting = laid_down(none_resting(LEVELS), LEVELS, 0.5)
    values = held(resting, levels)
    assert values.tolist() == pytest.approx([0.4, 1.0, -2.0, 3.3])
    values.sum().backward()
    assert levels.grad is not None
    assert levels.grad.tolist() == [1, 0, 0, 1]
    assert held(None, levels) is levels
    assert held(resting, LEVELS, 0.5).tolist() == pytest.approx([0.4, 0.5, -1.0, 3.3])
