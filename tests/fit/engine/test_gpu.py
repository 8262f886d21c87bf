"""The Triton kernel without a GPU: what it computes, as Triton's interpreter sees it, and that it compiles for one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

COMPARE = """
import torch
from inrcodec.fit.engine import Layer, gpu, reference, siren
from tests.fit.engine.conftest import fresh_nets

for hidden, inputs, pixels in (((30,) * 3, 2, 150), ((20, 12), 2, 130), ((48,) * 2, 66, 100), ((16,), 2, 70)):
    layers, x, flat, y = fresh_nets(hidden, inputs, pixels)
    found = []
    for engine in (gpu, reference):
        errors = engine.mse_stack(layers, x, flat, y)
        found.append((errors.detach(), torch.autograd.grad(errors @ torch.tensor([1.0, 2.0, 3.0]), flat)[0]))
    (ours, ours_felt), (theirs, felt) = found
    assert torch.allclose(ours, theirs, rtol=1e-3), (hidden, ours, theirs)
    off = float((ours_felt - felt).norm() / felt.norm())
    assert 0 < off < 2e-3, (hidden, off)  # halves were used, and are all the difference
    assert torch.allclose(gpu.mse(layers, x, flat[1], y[1]), theirs[1], rtol=1e-3)
relu = (Layer(2, 8, "relu"), Layer(8, 3, "linear"))
assert not gpu.fits(relu) and gpu.fits(siren((128,), 16)) and not gpu.fits(siren((129,), 3))
assert not gpu.fits(siren((8,), 17))
print("as the reference")
"""

COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from inrcodec.fit.engine.gpu_kernel import sweep

kinds = {name: "*fp32" for name in ("x", "y", "packed", "sums")} | {"halves": "*fp16"}
for capability in (80, 90):
    for depth, width, chunks in ((5, 32, 1), (4, 64, 5)):
        fixed = {"DEPTH": depth, "WIDTH": width, "CHUNKS": chunks, "TILE": 64, "EXACT": False}
        types = {name: "constexpr" if name in fixed else kinds.get(name, "i32") for name in sweep.arg_names}
        source = ASTSource(fn=sweep, signature=types, constexprs=fixed)
        made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": 4})
        assert made.asm["cubin"]
print("compiled")
"""


@pytest.mark.parametrize(
    ("program", "word"), [(COMPARE, "as the reference"), (COMPILE, "compiled")], ids=["interpreted", "compiled"]
)
def test_the_kernel_without_a_gpu(program: str, word: str, tmp_path: Path) -> None:
    pytest.importorskip("triton")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "TRITON_CACHE_DIR": str(tmp_path),
    }
    if program is COMPARE:
        environment["TRITON_INTERPRET"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert word in done.stdout
