from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest
from numba import types
from numba.core.errors import TypingError

from inrcodec.fit.engine import micro
from inrcodec.fit.engine.micro import LANES, ORDER, START_BIAS, TIMES

ROOT = Path(__file__).parents[3]

# The features are another machine's for as long as the module chooses its blocks; numba keeps this machine's.
_ELSEWHERE = """
import sys
import llvmlite.binding as llvm
real, llvm.get_host_cpu_features = llvm.get_host_cpu_features, lambda: dict.fromkeys(sys.argv[2:], True)
from inrcodec.fit.engine import micro
llvm.get_host_cpu_features = real
import torch
from inrcodec.fit.engine import fused, reference
from inrcodec.fit.engine.layers import Layer

assert micro.LANES == int(sys.argv[1])
torch.manual_seed(0)
widths = (3, 1, 9, 20, 31, 5)
layers = tuple(Layer(a, b, kind) for a, b, kind in zip(widths, widths[1:], ("sine", "gelu", "sine", "relu", "linear")))
flat = torch.randn(sum((layer.inputs + 1) * layer.outputs for layer in layers)) / 3
x, y = torch.randn(333, 3), torch.randn(333, 5)

def everything(engine, depth):
    w, v = (tensor.to(depth).requires_grad_() for tensor in (flat, x))
    loss = engine.mse(layers, v, w, y.to(depth))
    return [engine.outputs(layers, v, w), loss, *torch.autograd.grad(loss, (w, v))]

for ours, theirs in zip(everything(fused, torch.float32), everything(reference, torch.float64)):
    assert float((ours - theirs).norm()) < 1e-5 * float(theirs.norm())
"""


def test_the_order_of_lanes_is_a_permutation() -> None:
    assert sorted(ORDER) == list(range(LANES))


@pytest.mark.parametrize(
    ("features", "lanes", "rows"),
    [({"avx512f", "avx"}, 16, 8), ({"avx", "sse2"}, 8, 5), ({"neon"}, 4, 6), ({"sse2"}, 4, 5), (set(), 4, 5)],
)
def test_blocks_fit_the_registers(features: set[str], lanes: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: dict.fromkeys(features, True))
    assert micro._machine() == (lanes, rows)


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_the_tree_of_sums_adds_every_lane_of_every_vector_once(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(micro, "LANES", lanes)
    order = micro._lane_order()
    assert sorted(order) == list(range(lanes))
    vectors = [[{(v, lane)} for lane in range(lanes)] for v in range(lanes)]
    level = 0
    while len(vectors) > 1:
        low, high = micro._shuffles(level)
        assert not set(low) & set(high)
        pairs = [a + b for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
        vectors = [[pair[i] | pair[j] for i, j in zip(low, high, strict=True)] for pair in pairs]
        level += 1
    assert vectors == [[{(v, lane) for lane in range(lanes)} for v in order]]


def test_what_a_panel_does_is_known_when_it_is_compiled() -> None:
    assert [micro._literal(types.literal(kind)) for kind in (START_BIAS, TIMES)] == [0, 1]
    with pytest.raises(TypingError, match="literal integer"):
        micro._literal(types.intp)


@pytest.mark.parametrize(("lanes", "features"), [(8, ["avx"]), (4, ["neon"])])
def test_the_kernels_of_other_machines_compute_the_same(lanes: int, features: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", _ELSEWHERE, str(lanes), *features]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
