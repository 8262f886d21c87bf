from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from inrcodec.fit.engine import compiled, reference, siren
from inrcodec.fit.engine.compiled import PAYS

LAYERS = siren((5, 4), 3)
WEIGHTS = sum((layer.inputs + 1) * layer.outputs for layer in LAYERS)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_compiler", compiled._Compiler())


def _call(pixels: int = 10) -> torch.Tensor:
    flat = torch.linspace(-0.2, 0.2, WEIGHTS).requires_grad_()
    error = compiled.mse(LAYERS, torch.ones(pixels, 2), flat, torch.zeros(pixels, 3))
    return torch.autograd.grad(error, flat)[0]


def test_every_shape_is_compiled_once_and_only_if_it_is_asked_for_often(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def pretend(function: Callable[..., Any], **_: object) -> Callable[..., Any]:
        made.append(function)
        return function

    monkeypatch.setattr(torch, "compile", pretend)
    for _ in range(PAYS):
        _call()
    assert made == []
    for pixels in (10, 11):
        for _ in range(2 * PAYS):
            _call(pixels)
    assert len(made) == 2


def test_without_a_compiler_the_reference_goes_on_after_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", broken)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gradients = [_call() for _ in range(PAYS + 5)]
    assert [str(warning.message) for warning in caught] == [
        "torch.compile does not work here, going on without: no compiler"
    ]
    assert torch.equal(gradients[0], gradients[-1])


@pytest.mark.skipif("INRCODEC_SLOW" not in os.environ, reason="half a minute: set INRCODEC_SLOW=1")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile wants a C++ compiler")
def test_the_compiled_program_computes_the_same() -> None:
    x, y = torch.rand(30, 2), torch.rand(3, 30, 3)
    flat = (0.2 * torch.randn(3, WEIGHTS)).requires_grad_()
    for _ in range(PAYS + 2):
        errors = compiled.mse_stack(LAYERS, x, flat, y)
    assert len(compiled._compiler.programs) == 1
    expected = reference.mse_stack(LAYERS, x, flat, y)
    assert torch.allclose(errors, expected, rtol=1e-5)
    ours, theirs = (torch.autograd.grad(e.sum(), flat)[0] for e in (errors, expected))
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-4 * float(theirs.abs().max()))
