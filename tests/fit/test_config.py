from __future__ import annotations

import pytest

from inrcodec.fit.config import SIREN_ONLY, FitConfig, SirenConfig
from inrcodec.fit.effort import EFFORTS, effort_config, expected_seconds
from inrcodec.fit.grid.config import GridConfig
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


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (("excess", "0"), "excess"),
        (("path", "crooked"), "path is one of fixed, linear, geometric"),
        (("budgets", "mine"), "budgets is one of"),
        (("scope", "x"), "scope is one of"),
        (("ends", "x"), "ends is one of"),
        (("schedule", "x"), "schedule is one of"),
        (("sparsify", "1.5"), "sparsify lies between 0 and 1"),
        (("keep", "-0.1"), "keep lies between 0 and 1"),
        (("l1", "-1"), "l1 must not be negative"),
        (("price", "inf"), "price must not be negative, but is inf"),
        (("downscale", "0"), "downscale must be positive"),
        (("structured", "maybe"), "structured takes a bool"),
    ],
)
def test_bad_overrides_of_a_network_alone_are_named(pair: tuple[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SirenConfig().override([pair])


def test_settings_of_a_network_alone_are_not_those_of_grids() -> None:
    assert {"structured", "path", "l1"} <= SIREN_ONLY
    assert "lr" not in SIREN_ONLY
    with pytest.raises(ValueError, match="no setting 'structured'"):
        GridConfig().override([("structured", "true")])
    with pytest.raises(ValueError, match="no setting 'latent_lr'"):
        SirenConfig().override([("latent_lr", "0.1")])


def test_efforts_are_a_ladder() -> None:
    steps = [effort_config(level).steps for level in EFFORTS]
    assert steps == sorted(set(steps))
    times = [expected_seconds(Arch((40,) * 5), effort_config(level), 393216) for level in EFFORTS]
    assert times == sorted(set(times))
    with pytest.raises(ValueError, match="1 to 9"):
        effort_config(10)
