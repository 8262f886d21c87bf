from __future__ import annotations

import pytest

from inrcodec.fit.config import FitConfig
from inrcodec.fit.effort import EFFORTS, effort_config, expected_seconds
from inrcodec.net.arch import Arch


def test_overrides_parse_every_kind_of_field() -> None:
    config = FitConfig().override(
        [("steps", "12"), ("lr", "1e-4"), ("sigma", "0.3,0.2"), ("dual_restarts", "true"), ("gates", "none")]
    )
    assert (config.steps, config.lr, config.sigma, config.dual_restarts, config.gates) == (
        12,
        1e-4,
        (0.3, 0.2),
        True,
        "none",
    )
    assert FitConfig().override([]) == FitConfig()


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (("stepps", "1"), "no setting 'stepps'"),
        (("steps", "many"), "steps takes a int"),
        (("sigma", "0.3"), "sigma takes a tuple"),
        (("dual_restarts", "perhaps"), "bool"),
        (("steps", "0"), "steps"),
        (("gates", "ajar"), "gates"),
        (("dual", "magic"), "dual"),
        (("press", "1.5"), "press"),
        (("lr", "nan"), "lr"),
    ],
)
def test_bad_overrides_are_named(pair: tuple[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FitConfig().override([pair])


def test_efforts_are_a_ladder() -> None:
    steps = [effort_config(level).steps for level in EFFORTS]
    assert steps == sorted(set(steps))
    times = [expected_seconds(Arch((40,) * 5), effort_config(level), 393216) for level in EFFORTS]
    assert times == sorted(set(times))
    with pytest.raises(ValueError, match="1 to 9"):
        effort_config(10)
