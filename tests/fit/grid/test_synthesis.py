from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import inrcodec
from inrcodec.fit.engine import fused
from inrcodec.fit.grid import ladder, reference, synthesis
from inrcodec.net.grid import GridArch
from inrcodec.net.upsample import UNIT

ROOT = Path(__file__).parents[3]

_SOURCES = Path(inrcodec.__file__).parent / "fit" / "engine"
for _kernel in ("block", "upsample", "filter"):
    for _index in _SOURCES.glob(f"__pycache__/{_kernel}_kernel.*.nbi"):
        # Numba compiles again when a kernel's file changes, not when what it imports does.
        if _index.stat().st_mtime < max(source.stat().st_mtime for source in _SOURCES.glob("*.py")):
            _index.unlink()

Case = tuple[Tensor, Tensor, Tensor]

ARCHS = (
    GridArch(),
    GridArch(residuals=0),
    GridArch(residuals=2, outputs=1),
    GridArch(finest=1, coarsest=3, hidden=(16,), activation="relu"),
    GridArch(finest=2, hidden=(24, 24, 8), activation="gelu", residuals=2),
    GridArch(coarsest=0, hidden=()),
    GridArch(coarsest=1, hidden=(), residuals=2, outputs=1),
    GridArch(finest=1, coarsest=1, hidden=(5, 3, 2, 7), activation="gelu", residuals=0),
    GridArch(finest=2, coarsest=3, hidden=(128,), outputs=1, residuals=1),
    GridArch(filtered=True),
    GridArch(finest=1, coarsest=3, hidden=(5,), activation="relu", outputs=1, filtered=True),
    GridArch(finest=0, coarsest=1, hidden=(), residuals=0, filtered=True),
)
SIZES = ((1, 1), (1, 7), (40, 1), (2, 2), (33, 3), (37, 53), (101, 67))


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = fused.threads()
    yield
    fused.take_threads(before)


def case(arch: GridArch, width: int, height: int, seed: int = 0) -> Case:
    """Flat weights whose features neither die nor explode, latents, and samples the picture is far from."""
    generator = torch.Generator().manual_seed(seed)
    weights = []
    for spec in arch.tensors():
        matrix = len(spec.shape) == 2 and spec.name not in "UV"
        bound = spec.shape[1] ** -0.5 if matrix else 0.1 if spec.name[0] in "UVR" else 0.3
        weights.append(torch.randn(spec.size, generator=generator) * bound)
    latents = torch.randn(arch.latents(width, height), generator=generator) * 0.5 / UNIT
    return torch.cat(weights), latents, torch.rand(arch.outputs, height, width, generator=generator)


def tensors(arch: GridArch, flat: Tensor) -> dict[str, Tensor]:
    parts = flat.split([spec.size for spec in arch.tensors()])
    return {spec.name: part.view(spec.shape) for spec, part in zip(arch.tensors(), parts, strict=True)}


def planes(arch: GridArch, latents: Tensor, width: int, height: int) -> list[Tensor]:
    shapes = arch.shapes(width, height)
    parts = latents.split([rows * columns for rows, columns in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def expected(arch: GridArch, given: Case) -> list[Tensor]:
    """The reference's error and its gradients, in float64."""
    flat, latents, target = (tensor.double() for tensor in given)
    flat.requires_grad_()
    latents.requires_grad_()
    height, width = target.shape[1:]
    error = reference.mse(arch, tensors(arch, flat), planes(arch, latents, width, height), target)
    return [error.detach(), *torch.autograd.grad(error, (flat, latents), allow_unused=True, materialize_grads=True)]


def found(arch: GridArch, given: Case) -> list[Tensor]:
    """The kernels' error and its gradients."""
    flat, latents, target = (tensor.clone() for tensor in given)
    error = synthesis.mse(arch, flat.requires_grad_(), latents.requires_grad_(), target)
    return [error.detach(), *torch.autograd.grad(error, (flat, latents))]


def distance(ours: Tensor, theirs: Tensor) -> float:
    """Norm of what differs, as a share of theirs; of nothing it has to be nothing."""
    return float((ours - theirs).norm() / theirs.norm()) if theirs.any() else float(ours.norm())


def assert_agrees(arch: GridArch, given: Case) -> None:
    ours, theirs = found(arch, given), expected(arch, given)
    assert distance(ours[0], theirs[0]) < 1e-5
    assert distance(ours[2], theirs[2]) < 1e-4
    gradients = tensors(arch, theirs[1])
    for name, gradient in tensors(arch, ours[1]).items():
        assert distance(gradient, gradients[name]) < 1e-4, name


@pytest.mark.parametrize("width_height", SIZES, ids=str)
@pytest.mark.parametrize("arch", ARCHS, ids=str)
def test_error_and_gradients_agree_with_float64(arch: GridArch, width_height: tuple[int, int]) -> None:
    assert_agrees(arch, case(arch, *width_height))


@pytest.mark.parametrize("activation", ["sine", "relu", "gelu"])
@pytest.mark.parametrize("finest", [0, 1, 2])
@pytest.mark.parametrize("residuals", [0, 1, 2])
def test_every_kind_agrees_with_float64(activation: str, finest: int, residuals: int) -> None:
    for coarsest in {finest, 3, 6}:
        arch = GridArch(finest=finest, coarsest=coarsest, activation=activation, residuals=residuals)
        assert_agrees(arch, case(arch, 70, 45, seed=1))


@pytest.mark.parametrize("residuals", [0, 1, 2])
@pytest.mark.parametrize("outputs", [1, 3])
def test_blocks_of_any_cut_agree_with_float64(residuals: int, outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "_STRIP", 40)
    monkeypatch.setattr(synthesis, "_BLOCK_ROWS", 1)
    monkeypatch.setattr(ladder, "_PIECE", 64)
    monkeypatch.setattr(ladder, "_PIECE_ROWS", 1)
    arch = GridArch(residuals=residuals, outputs=outputs, hidden=(9,))
    for width, height in ((130, 34), (101, 67), (64, 3)):
        assert_agrees(arch, case(arch, width, height))


@pytest.mark.parametrize("arch", ARCHS, ids=str)
def test_the_picture_is_the_references(arch: GridArch) -> None:
    width, height = 67, 41
    flat, latents, _ = case(arch, width, height)
    sizes = [(-(-height >> octave), -(-width >> octave)) for octave in range(arch.coarsest - 1, -1, -1)]
    named = tensors(arch, flat.double())
    stack = reference.upsampled(arch, named, planes(arch, latents.double(), width, height), sizes)
    drawn = synthesis.picture(arch, width, height, flat.requires_grad_(), latents)
    assert not drawn.requires_grad
    assert distance(drawn, reference.synthesise(arch, named, stack)) < 1e-5


def test_results_are_the_same_bits_for_any_number_of_threads_and_every_time() -> None:
    arch = GridArch(residuals=2)
    given = case(arch, 301, 403)
    first = None
    for count in (1, 2, 3, 1):
        fused.take_threads(count)
        for _ in range(2):
            result = [*found(arch, given), synthesis.picture(arch, 301, 403, *given[:2])]
            first = result if first is None else first
            assert all(map(torch.equal, result, first))


def test_without_gradients_the_error_is_the_same() -> None:
    arch = GridArch()
    flat, latents, target = case(arch, 90, 60)
    plain = synthesis.mse(arch, flat, latents, target)
    with torch.no_grad():
        quiet = synthesis.mse(arch, flat.clone().requires_grad_(), latents, target)
    assert not plain.requires_grad
    assert not quiet.requires_grad
    assert torch.equal(plain, quiet)
    assert distance(plain, found(arch, (flat, latents, target))[0]) < 1e-6


def test_gradients_are_scaled_by_what_comes_from_above() -> None:
    arch = GridArch(coarsest=2, hidden=(4,))
    flat, latents, target = case(arch, 20, 30)
    _, of_weights, of_latents = found(arch, (flat, latents, target))
    (3 * synthesis.mse(arch, flat.requires_grad_(), latents.requires_grad_(), target)).backward()
    assert flat.grad is not None
    assert latents.grad is not None
    assert distance(flat.grad, 3 * of_weights) < 1e-6
    assert distance(latents.grad, 3 * of_latents) < 1e-6


def test_a_diverged_fit_leaves_nothing_behind() -> None:
    arch = GridArch()
    flat, latents, target = case(arch, 50, 70)
    first = found(arch, (flat, latents, target))
    for broken in ((flat * float("nan"), latents, target), (flat, latents * float("inf"), target)):
        found(arch, broken)
    assert all(map(torch.equal, first, found(arch, (flat, latents, target))))


def test_what_does_not_fit_is_refused() -> None:
    arch = GridArch(coarsest=2)
    flat, latents, target = case(arch, 20, 30)
    for wrong in ((flat.double(), latents, target), (flat, latents.double(), target), (flat, latents, target.double())):
        with pytest.raises(TypeError, match="float32"):
            synthesis.mse(arch, *wrong)
    for wrong in ((flat[1:], latents, target), (flat, latents[1:], target), (flat, latents, target[:1])):
        with pytest.raises(ValueError, match="not"):
            synthesis.mse(arch, *wrong)
    with pytest.raises(ValueError, match="latents"):
        synthesis.picture(arch, 21, 30, flat, latents)


# The features are another machine's for as long as the modules choose their blocks; numba keeps this machine's.
_ELSEWHERE = """
import sys
import llvmlite.binding as llvm
real, llvm.get_host_cpu_features = llvm.get_host_cpu_features, lambda: dict.fromkeys(sys.argv[4:], True)
from inrcodec.fit.engine import micro
llvm.get_host_cpu_features = real
assert micro.LANES == int(sys.argv[1])
sys.path.insert(0, sys.argv[2])
import test_synthesis as tests
for number in map(int, sys.argv[3].split(",")):
    tests.assert_agrees(tests.ARCHS[number], tests.case(tests.ARCHS[number], 101, 67))
"""


@pytest.mark.parametrize(("lanes", "archs", "features"), [(8, "2,4", ["avx"]), (4, "1,3", [])], ids=str)
def test_other_machines_blocks_compute_the_same(lanes: int, archs: str, features: list[str], tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", _ELSEWHERE, str(lanes), str(Path(__file__).parent), archs, *features]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
