"""What only a GPU can tell; everything else about that path is tested without one (see test_stack.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from inrcodec.decoder import decode_pixels
from inrcodec.encoder import Encoded, EncodeOptions, Target, encode_pixels, encode_stack
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.descent import advance
from inrcodec.fit.engine import reference
from inrcodec.fit.grid import plain
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.stack import GridStack
from inrcodec.fit.stack import Stack
from inrcodec.fit.train import Trainer
from inrcodec.metrics import psnr
from inrcodec.net.arch import Arch
from inrcodec.net.grid import GridArch
from inrcodec.pixels import Pixels
from tests.fit.conftest import waves
from tests.fit.engine.conftest import Net, fresh_nets

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")

QUICK = EncodeOptions(
    effort=1, device="cuda", overrides=(("steps", "150"), ("landing", "3"), ("batch", "512"), ("lr", "1e-3"))
)


@pytest.fixture
def pictures() -> list[Pixels]:
    return [waves(), Pixels(255 - waves().array), waves(20, 12, 1)]


@pytest.fixture
def no_waiting() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode("default")


def _stack(pictures: list[Pixels], config: SirenConfig) -> Stack:
    canvases = [Canvas.of(picture, "cuda") for picture in pictures[:2]]
    return Stack([Trainer(canvas, Arch((14, 14)), config, 2200.0) for canvas in canvases])


def test_pictures_are_encoded_together(pictures: list[Pixels]) -> None:
    for picture, result in zip(pictures, encode_stack(pictures, Target("bytes", 400), QUICK), strict=True):
        assert isinstance(result, Encoded)
        assert len(result.data) <= 400
        assert psnr(picture.array, decode_pixels(result.data).array) == pytest.approx(result.report.psnr, abs=0.01)
        assert result.report.psnr > 15


def test_one_picture_is_encoded_alone(pictures: list[Pixels]) -> None:
    for options in (QUICK, replace(QUICK, method="coin")):
        assert encode_pixels(pictures[0], Target("bytes", 400), options).report.psnr > 15


def test_a_step_does_not_wait_for_the_device(
    pictures: list[Pixels], config: SirenConfig, request: pytest.FixtureRequest
) -> None:
    stack = _stack(pictures, config)
    for _ in range(30):  # with a refresh of the eigenbases, and a few epochs
        stack.step()
    request.getfixturevalue("no_waiting")
    for _ in range(30):
        stack.step()


def test_a_stack_goes_the_same_way_as_on_the_cpu(pictures: list[Pixels], config: SirenConfig) -> None:
    adam = replace(config, optimizer="adam")
    there = _stack(pictures, adam)
    canvases = [Canvas.of(picture) for picture in pictures[:2]]
    here = Stack([Trainer(canvas, Arch((14, 14)), adam, 2200.0) for canvas in canvases])
    for stack in (there, here):
        advance(stack, stop=lambda stack=stack: stack.done >= 20)  # type: ignore[misc]
    assert torch.allclose(there.model.weights.cpu(), here.model.weights, atol=1e-4)


GRIDS = EncodeOptions(effort=1, device="cuda", arch="grid", overrides=(("steps", "60"), ("optimizer", "muon")))


def _grids(pictures: list[Pixels], device: str, config: GridConfig) -> GridStack:
    arch = GridArch(0, 2, neighbours=4, parents=3, context=(4,), hidden=(8,), residuals=1)
    scenes = [Scene.of(picture, plain, device) for picture in pictures[:2]]
    return GridStack([GridDescent(scene, arch, config, 4000.0) for scene in scenes])


def test_latent_grids_are_encoded_together(pictures: list[Pixels]) -> None:
    for picture, result in zip(pictures, encode_stack(pictures, Target("bytes", 900), GRIDS), strict=True):
        assert isinstance(result, Encoded)
        assert len(result.data) <= 900
        assert psnr(picture.array, decode_pixels(result.data).array) == pytest.approx(result.report.psnr, abs=0.01)
        assert result.report.psnr > 15


def test_latent_grids_are_encoded_alone(pictures: list[Pixels]) -> None:
    for options in (GRIDS, replace(GRIDS, scalable=True)):
        assert encode_pixels(pictures[0], Target("bytes", 900), options).report.psnr > 15


@pytest.mark.parametrize("optimizer", ["soap", "muon", "adam"])
@pytest.mark.parametrize("done", [11, 51])  # of plain floats; pressed
def test_a_step_of_grids_waits_for_the_device_only_where_it_measures(
    pictures: list[Pixels], optimizer: str, done: int, request: pytest.FixtureRequest
) -> None:
    stack = _grids(pictures, "cuda", GridConfig(steps=70, optimizer=optimizer))
    while stack.done < done:
        stack.step()
    request.getfixturevalue("no_waiting")
    for _ in range(8):
        stack.step()


def test_a_stack_of_grids_goes_the_same_way_as_on_the_cpu(pictures: list[Pixels]) -> None:
    config = GridConfig(steps=200, optimizer="adam")
    there, here = (_grids(pictures, device, config) for device in ("cuda", "cpu"))
    for stack in (there, here):
        advance(stack, stop=lambda stack=stack: stack.done >= 20)  # type: ignore[misc]
    for ours, theirs in zip(there.members, here.members, strict=True):
        assert torch.allclose(ours.networks.weights.cpu(), theirs.networks.weights, atol=1e-3)
        assert torch.allclose(ours.latents.cpu(), theirs.latents, atol=1e-3)


def _nets(hidden: tuple[int, ...], inputs: int) -> Net:
    layers, x, flat, y = fresh_nets(hidden, inputs, 5000)
    return layers, x.cuda(), flat.detach().cuda().requires_grad_(), y.cuda()


@pytest.mark.parametrize(
    ("hidden", "inputs"), [((30,) * 5, 2), ((28,) * 10, 2), ((48,) * 4, 66), ((100, 20), 2), ((9,), 2)]
)
def test_the_kernel_is_the_reference_but_for_halves(hidden: tuple[int, ...], inputs: int) -> None:
    gpu = pytest.importorskip("inrcodec.fit.engine.gpu")
    layers, x, flat, y = _nets(hidden, inputs)
    weights = torch.tensor([1.0, 2.0, 3.0], device="cuda")
    found = {}
    for name, engine in (("gpu", gpu), ("again", gpu), ("torch", reference)):
        errors = engine.mse_stack(layers, x, flat, y)
        (gradient,) = torch.autograd.grad((errors * weights).sum(), flat)
        found[name] = errors.detach(), gradient
    assert torch.allclose(found["gpu"][0], found["torch"][0], rtol=1e-2)
    assert (found["gpu"][1] - found["torch"][1]).norm() < 5e-3 * found["torch"][1].norm()
    assert all(torch.equal(a, b) for a, b in zip(found["gpu"], found["again"], strict=True))
    assert not torch.equal(found["gpu"][1], found["torch"][1])  # it really was the kernel
    one = gpu.mse(layers, x, flat[1], y[1])
    assert one.ndim == 0
    assert torch.allclose(one, found["gpu"][0][1], rtol=1e-5)


def test_what_the_kernel_cannot_do_the_reference_does() -> None:
    gpu = pytest.importorskip("inrcodec.fit.engine.gpu")
    layers, x, flat, y = _nets((200, 12), 2)  # too wide
    assert torch.equal(gpu.mse_stack(layers, x, flat, y), reference.mse_stack(layers, x, flat, y))
    layers, x, flat, y = _nets((12,), 2)
    plain = flat.detach()  # nobody asks for gradients
    assert torch.equal(gpu.mse_stack(layers, x, plain, y), reference.mse_stack(layers, x, plain, y))
