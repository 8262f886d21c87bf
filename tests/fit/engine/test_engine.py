from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from inrcodec.fit import engine as package
from inrcodec.fit.engine import ENGINES, compiled, engine, fused, reference

ROOT = Path(__file__).parents[3]
COMPILED = ("fused", "plan", "kernel", "activations", "micro")


@pytest.fixture
def without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that has never seen the kernels and cannot import numba."""
    for name in COMPILED:
        monkeypatch.delitem(sys.modules, f"inrcodec.fit.engine.{name}", raising=False)
        monkeypatch.delattr(package, name, raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] in ("numba", "llvmlite")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("numba", "llvmlite"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the kernel for a GPU."""
    for name in ("gpu", "gpu_kernel"):
        monkeypatch.delitem(sys.modules, f"inrcodec.fit.engine.{name}", raising=False)
        monkeypatch.delattr(package, name, raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "triton"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "triton", None)


def test_engines_have_names() -> None:
    assert ENGINES == ("auto", "numba", "triton", "torch", "compile")
    assert engine("auto") is fused
    assert engine("numba") is fused
    assert engine("torch") is reference


@pytest.mark.parametrize("name", ["", "cuda", "Torch"])
def test_unknown_engines_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"no engine '{name}'; there are auto, numba, triton, torch"):
        engine(name)


def test_off_the_cpu_there_is_torch_plain_or_compiled(without_triton: None) -> None:
    assert engine("auto", "cuda") is reference
    assert engine("torch", "cuda") is reference
    assert engine("compile", "cuda") is compiled
    with pytest.raises(ValueError, match=r"cannot be used here: .*triton"):
        engine("triton", "cuda")


@pytest.mark.parametrize(("name", "device", "other"), [("numba", "cuda", "triton"), ("triton", "cpu", "numba")])
def test_kernels_run_on_their_own_device(name: str, device: str, other: str) -> None:
    with pytest.raises(ValueError, match=f"the {name} engine does not run on {device}; use --engine {other} or torch"):
        engine(name, device)


def test_kernels_for_a_gpu_are_taken_where_triton_is() -> None:
    pytest.importorskip("triton")
    gpu = importlib.import_module("inrcodec.fit.engine.gpu")
    assert engine("auto", "cuda") is gpu
    assert engine("triton", "cuda") is gpu


def test_auto_falls_back_to_torch_where_numba_is_missing(without_numba: None) -> None:
    assert engine("auto") is reference
    with pytest.raises(ValueError, match=r"cannot be used here: .*(numba|llvmlite)"):
        engine("numba")


def test_auto_falls_back_to_torch_where_llvm_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> ModuleType:
        raise OSError("Could not find/load shared object file")

    monkeypatch.setattr(importlib, "import_module", broken)
    assert engine("auto") is reference
    with pytest.raises(ValueError, match="cannot be used here: Could not find"):
        engine("numba")


def test_the_reference_needs_no_numba() -> None:
    code = "import sys, inrcodec.fit.engine; assert not {'numba', 'llvmlite'} & set(sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)


@pytest.mark.parametrize("module", [fused, reference])
def test_engines_say_how_many_threads_torch_should_have(module: Any) -> None:
    assert module.take_threads(3) == (1 if module is fused else 3)
