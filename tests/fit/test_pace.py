from __future__ import annotations

import pytest

from inrcodec.fit.config import SirenConfig
from inrcodec.fit.pace import Pace


def test_the_cosine_is_the_default_and_watches_nothing() -> None:
    pace = Pace(SirenConfig())
    assert not pace.watches
    assert [pace.rate(t) for t in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.5, 0.0], abs=0.004)
    assert pace.rate(1.0) > 0


def test_a_constant_rate_stays() -> None:
    assert Pace(SirenConfig(schedule="constant")).rate(0.9) == 1.0


def test_a_plateau_halves_the_rate_after_its_patience() -> None:
    pace = Pace(SirenConfig(schedule="plateau", patience=30))
    assert pace.watches
    rates = []
    for done in range(0, 200, 10):
        pace.look(1.0 if done < 100 else 1.0 - done / 1000, done, 1000)
        rates.append(pace.rate(done / 1000))
    assert rates[:3] == [1.0] * 3
    assert rates[3:6] == pytest.approx([0.5] * 3, rel=0.01)
    assert rates[6:9] == pytest.approx([0.25] * 3, rel=0.01)
    assert len(set(rates[10:])) == 1  # it is getting better again


def test_gains_that_are_too_small_are_none() -> None:
    pace = Pace(SirenConfig(schedule="plateau", patience=20))
    for done in range(0, 60, 10):
        pace.look(1.0 - 1e-7 * done, done, 1000)
    assert pace.factor < 1


def test_an_early_stop_skips_to_the_end_of_the_phase() -> None:
    pace = Pace(SirenConfig(early=50))
    for done in range(0, 100, 10):
        pace.look(1.0, done, 800)
    assert pace.skipped == 750  # at step 50
    assert Pace(SirenConfig(early=0)).skipped == 0


def test_a_pace_goes_on_from_its_state() -> None:
    one, two = Pace(SirenConfig(schedule="plateau", patience=30)), Pace(SirenConfig(schedule="plateau", patience=30))
    for done in range(0, 50, 10):
        one.look(1.0, done, 1000)
    two.load_state_dict(one.state_dict())
    for done in range(50, 100, 10):
        one.look(1.0, done, 1000)
        two.look(1.0, done, 1000)
    assert (one.factor, one.skipped) == (two.factor, two.skipped)
    assert one.factor < 0.5
