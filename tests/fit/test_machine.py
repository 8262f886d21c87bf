from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from inrcodec.fit import machine
from inrcodec.fit.engine import Engine, compiled, fused, reference
from inrcodec.fit.machine import device_of, use_threads, warm_up


@pytest.mark.parametrize("module", [fused, reference, compiled])
def test_threads_are_lent_and_given_back(module: object) -> None:
    engine = cast("Engine", module)
    before = engine.threads()
    with use_threads(engine, 3):
        assert engine.threads() == 3
        assert torch.get_num_threads() == (1 if module is fused else 3)
    assert engine.threads() == before != 3
    assert torch.get_num_threads() == 1


def test_threads_come_back_from_a_fit_that_fails() -> None:
    engine = cast("Engine", fused)
    before = engine.threads()
    with pytest.raises(ArithmeticError), use_threads(engine, before + 2):
        raise ArithmeticError
    assert engine.threads() == before
    assert torch.get_num_threads() == 1


def test_devices_have_names() -> None:
    assert device_of("cpu").type == "cpu"
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ValueError, match="no device 'abacus'; there are auto, cpu, cuda"):
        device_of("abacus")


def test_only_who_waits_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()
    warm_up(cast("Engine", SimpleNamespace(warm_up=lambda: None)), told.set)
    assert not told.is_set()
    monkeypatch.setattr(machine, "_PATIENCE", 0.0)
    warm_up(cast("Engine", SimpleNamespace(warm_up=lambda: told.wait(10))), told.set)
    assert told.is_set()
