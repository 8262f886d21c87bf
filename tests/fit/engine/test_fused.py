from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inrcodec.fit.engine import Engine, fused, reference
from inrcodec.fit.engine.layers import ACTIVATIONS, Layer, siren

Net = tuple[tuple[Layer, ...], Tensor, Tensor, Tensor]
MakeNet = Callable[..., Net]

ROOT = Path(__file__).parents[3]
WIDTHS = (1, 3, 8, 20, 28, 30, 31, 64, 128)
PIXELS = (1, 127, 128, 129, 1000)


def _everything(engine: Engine, net: Net, depth: torch.dtype = torch.float32) -> list[Tensor]:
    """Outputs, error and the gradients of both (of all outputs' sum, weighted) with respect to weights and inputs."""
    layers, x, flat, y = net
    x, flat, y = (tensor.detach().to(depth) for tensor in (x, flat, y))
    x.requires_grad_()
    flat.requires_grad_()
    out, error = engine.outputs(layers, x, flat), engine.mse(layers, x, flat, y)
    biases = sum(layer.outputs for layer in layers)
    weights, inputs = torch.autograd.grad(error, (flat, x))
    back_weights, back_inputs = torch.autograd.grad(out, (flat, x), y.cos())
    return [
        out.detach(),
        error.detach(),
        weights[:-biases],
        weights[-biases:],
        inputs,
        back_weights[:-biases],
        back_weights[-biases:],
        back_inputs,
    ]


def _distances(net: Net) -> list[float]:
    """Norms of what differs from the reference in float64, as shares of its own."""
    pairs = zip(_everything(fused, net), _everything(reference, net, torch.float64), strict=True)
    return [float((ours - theirs).norm() / theirs.norm()) for ours, theirs in pairs]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pixels", PIXELS)
def test_widths_and_pixel_counts_agree_with_float64(
    activation: str, width: int, pixels: int, make_net: MakeNet
) -> None:
    assert max(_distances(make_net((width, width), activation, pixels=pixels))) < 1e-4


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", range(10))
def test_depths_agree_with_float64(activation: str, hidden: int, make_net: MakeNet) -> None:
    assert max(_distances(make_net((12,) * hidden, activation, seed=1))) < 1e-4


@pytest.mark.parametrize("inputs", [1, 2, 8, 66])
@pytest.mark.parametrize("outputs", [1, 3, 5])
@pytest.mark.parametrize("last", ACTIVATIONS)
def test_inputs_and_outputs_agree_with_float64(inputs: int, outputs: int, last: str, make_net: MakeNet) -> None:
    net = make_net((20, 9), inputs=inputs, outputs=outputs, pixels=150, last=last)
    assert max(_distances(net)) < 1e-4


def test_large_nets_agree_with_float64(make_net: MakeNet) -> None:
    for activation in ACTIVATIONS:
        assert max(_distances(make_net((128, 64, 31, 30, 28, 20, 8, 3), activation, pixels=1500))) < 1e-4


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from(ACTIVATIONS)), max_size=5),
    st.integers(1, 20),
    st.integers(1, 6),
    st.integers(1, 400),
    st.integers(0, 2**31),
)
def test_any_net_agrees_with_float64(
    hidden: list[tuple[int, str]], inputs: int, outputs: int, pixels: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    widths = [inputs, *(width for width, _ in hidden), outputs]
    kinds = [*(kind for _, kind in hidden), "linear"]
    layers = tuple(Layer(a, b, kind) for (a, b), kind in zip(itertools.pairwise(widths), kinds, strict=True))
    scale = torch.cat([torch.full((layer.inputs * layer.outputs,), layer.inputs**-0.5) for layer in layers])
    flat = torch.randn(len(scale) + sum(widths[1:]), generator=generator)
    flat[: len(scale)] *= scale
    x = torch.rand(pixels, inputs, generator=generator) * 2 - 1
    net = layers, x, flat, torch.rand(pixels, outputs, generator=generator)
    for ours, theirs in zip(_everything(fused, net), _everything(reference, net, torch.float64), strict=True):
        assert float((ours - theirs).norm()) < 1e-4 * float(theirs.norm()) + 1e-5


@pytest.mark.parametrize("pixels", [1, 600, 5000, 9000])
def test_results_are_the_same_bits_for_any_number_of_threads_and_every_time(pixels: int, make_net: MakeNet) -> None:
    net = make_net((20, 20), pixels=pixels)
    first = None
    for count in (1, 2, 3, 1):
        assert fused.take_threads(count) == 1
        for _ in range(2):
            result = _everything(fused, net)
            first = result if first is None else first
            assert all(map(torch.equal, result, first))


def test_the_error_alone_is_that_of_the_outputs(make_net: MakeNet) -> None:
    layers, x, flat, y = make_net(pixels=777)
    with torch.no_grad():
        expected = (fused.outputs(layers, x, flat) - y).square().mean()
        assert float(fused.mse(layers, x, flat, y)) == pytest.approx(float(expected), rel=1e-6)


def test_arguments_may_lie_in_memory_in_any_way(make_net: MakeNet) -> None:
    layers, x, flat, y = make_net()
    scattered = (
        layers,
        x.T.contiguous().T,
        torch.stack([flat, flat], 1)[:, 0],
        torch.cat([torch.zeros(1), y.reshape(-1)])[1:].view_as(y),
    )
    assert all(map(torch.equal, _everything(fused, net=scattered), _everything(fused, (layers, x, flat, y))))
    out = fused.outputs(layers, x, flat.requires_grad_())
    (plain,) = torch.autograd.grad(out, flat, torch.ones_like(out), retain_graph=True)
    (expanded,) = torch.autograd.grad(out, flat, torch.ones(1, 1).expand_as(out))
    assert torch.equal(plain, expanded)


def test_arguments_are_left_alone(make_net: MakeNet) -> None:
    net = make_net()
    before = [tensor.clone() for tensor in net[1:]]
    _everything(fused, net)
    assert all(map(torch.equal, net[1:], before))


# What torch makes of the functions


def _composed(engine: Engine, net: Net, depth: torch.dtype) -> list[Tensor]:
    """Gradients of a loss with gates on the weights, a logarithm of the error and a price of the weights."""
    layers, x, flat, y = net
    weights = flat.detach().to(depth).requires_grad_()
    gate = torch.linspace(0.2, 1, len(flat), dtype=depth).requires_grad_()
    used = weights * gate
    x, y = x.to(depth), y.to(depth)
    error, out = engine.mse(layers, x, used, y), engine.outputs(layers, x[:50], used)
    loss = 3 * torch.log(error) + 0.1 * weights.abs().sum() + (out * out.detach().sin()).mean()
    loss.backward()
    assert weights.grad is not None
    assert gate.grad is not None
    return [loss.detach(), weights.grad, gate.grad]


@pytest.mark.parametrize("activation", ["sine", "gelu"])
def test_losses_made_of_more_have_the_references_gradients(activation: str, make_net: MakeNet) -> None:
    net = make_net((20, 20), activation)
    pairs = zip(_composed(fused, net, torch.float32), _composed(reference, net, torch.float64), strict=True)
    for ours, theirs in pairs:
        assert float((ours - theirs).norm()) < 1e-4 * float(theirs.norm())


def test_gradients_accumulate(make_net: MakeNet) -> None:
    layers, x, flat, y = make_net()
    flat.requires_grad_()
    fused.mse(layers, x, flat, y).backward()
    assert flat.grad is not None
    once = flat.grad.clone()
    fused.mse(layers, x, flat, y).backward()
    assert torch.equal(flat.grad, 2 * once)


def test_a_graph_can_be_gone_through_twice(make_net: MakeNet) -> None:
    layers, x, flat, y = make_net()
    flat.requires_grad_()
    for value in (fused.mse(layers, x, flat, y), fused.outputs(layers, x, flat).sum()):
        first, second = (torch.autograd.grad(value, flat, retain_graph=True)[0] for _ in range(2))
        assert torch.equal(first, second)


@pytest.mark.parametrize("upstream", [-2.5, 0.0, 1e-3])
def test_gradients_scale_with_what_comes_from_above(upstream: float, make_net: MakeNet) -> None:
    layers, x, flat, y = make_net()
    x.requires_grad_()
    flat.requires_grad_()
    plain = torch.autograd.grad(fused.mse(layers, x, flat, y), (flat, x))
    scaled = torch.autograd.grad(fused.mse(layers, x, flat, y), (flat, x), torch.tensor(upstream))
    for a, b in zip(plain, scaled, strict=True):
        assert torch.allclose(upstream * a, b, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("wanted", ["weights", "inputs", "neither"])
def test_only_what_asks_for_a_gradient_gets_one(wanted: str, make_net: MakeNet) -> None:
    layers, x, flat, y = make_net()
    both = _everything(fused, (layers, x, flat, y))
    x.requires_grad_(wanted == "inputs")
    flat.requires_grad_(wanted == "weights")
    for value in (fused.mse(layers, x, flat, y), fused.outputs(layers, x, flat).sum()):
        assert value.requires_grad == (wanted != "neither")
    if wanted == "neither":
        return
    fused.mse(layers, x, flat, y).backward()
    assert (x.grad is None) == (wanted == "weights")
    assert (flat.grad is None) == (wanted == "inputs")
    if x.grad is not None:
        assert torch.equal(x.grad, both[4])
    if flat.grad is not None:
        assert torch.equal(flat.grad, torch.cat(both[2:4]))


def test_second_derivatives_are_refused_rather_than_zero(make_net: MakeNet) -> None:
    layers, x, flat, y = make_net()
    flat.requires_grad_()
    for value in (fused.mse(layers, x, flat, y).log(), fused.outputs(layers, x, flat).square().sum()):
        (gradient,) = torch.autograd.grad(value, flat, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            gradient.square().sum().backward()


def test_weights_changed_between_outputs_and_gradients_are_noticed(make_net: MakeNet) -> None:
    layers, x, flat, _ = make_net()
    flat.requires_grad_()
    out = fused.outputs(layers, x, flat).sum()
    with torch.no_grad():
        flat.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


# What cannot be computed


@pytest.mark.parametrize("argument", ["x", "flat", "y"])
@pytest.mark.parametrize("depth", [torch.float64, torch.float16, torch.int32])
def test_other_depths_are_refused(argument: str, depth: torch.dtype, make_net: MakeNet) -> None:
    layers, x, flat, y = make_net()
    arguments = {"x": x, "flat": flat, "y": y}
    arguments[argument] = arguments[argument].to(depth)
    with pytest.raises(TypeError, match="the kernels take float32"):
        fused.mse(layers, **arguments)
    if argument != "y":
        arguments.pop("y")
        with pytest.raises(TypeError, match="the kernels take float32"):
            fused.outputs(layers, **arguments)


def test_other_shapes_are_refused(make_net: MakeNet) -> None:
    layers, x, flat, y = make_net()
    for wrong in (x[:, :1], x[0], x[None], torch.zeros(5, 3)):
        with pytest.raises(ValueError, match=r"inputs have shape \(pixels, 2\)"):
            fused.outputs(layers, wrong, flat)
    for wrong in (flat[1:], flat[None], torch.cat([flat, flat])):
        with pytest.raises(ValueError, match=f"this net has {len(flat)} weights"):
            fused.mse(layers, x, wrong, y)
    for wrong in (y[:-1], y[:, :1], y.reshape(-1), y[:1]):
        with pytest.raises(ValueError, match=r"samples have shape \(300, 3\)"):
            fused.mse(layers, x, flat, wrong)


def test_no_pixels_have_outputs_but_no_mean(make_net: MakeNet) -> None:
    layers, x, flat, y = make_net()
    x.requires_grad_()
    out = fused.outputs(layers, x[:0], flat.requires_grad_())
    assert out.shape == (0, 3)
    weights, inputs = torch.autograd.grad(out.sum(), (flat, x))
    assert not weights.any()
    assert not inputs.any()
    with pytest.raises(ValueError, match="no pixels have no mean"):
        fused.mse(layers, x[:0], flat, y[:0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 3e38])
def test_weights_that_are_no_numbers_spoil_the_error_and_nothing_else(
    activation: str, bad: float, make_net: MakeNet
) -> None:
    layers, x, flat, y = make_net((20, 20), activation)
    good = _everything(fused, (layers, x, flat, y))
    last = len(flat) - 1  # a bias of the outputs, past all activations
    for place in (0, last):
        spoilt = flat.clone()
        spoilt[place] = bad
        results = _everything(fused, (layers, x, spoilt, y))
        if math.isnan(bad) or place == last:
            assert not results[1].isfinite()
        if place == last:
            assert torch.equal(results[0][:, :-1], good[0][:, :-1])
    assert all(map(torch.equal, _everything(fused, (layers, x, flat, y)), good))


def test_a_pixel_that_is_no_number_spoils_its_own_outputs_only(make_net: MakeNet) -> None:
    layers, x, flat, _ = make_net()
    good = fused.outputs(layers, x, flat)
    x[130] = float("nan")
    out = fused.outputs(layers, x, flat)
    assert out[130].isnan().all()
    keep = torch.arange(len(x)) != 130
    assert torch.equal(out[keep], good[keep])


# Who computes


def test_two_python_threads_may_call_at_once(make_net: MakeNet) -> None:
    fused.take_threads(2)
    nets = [make_net((20, 8 + k), pixels=3000 + 400 * k, seed=k) for k in range(4)]
    alone = [_everything(fused, net) for net in nets]
    with ThreadPoolExecutor(4) as callers:
        for _ in range(3):
            for together, expected in zip(callers.map(lambda net: _everything(fused, net), nets), alone, strict=True):
                assert all(map(torch.equal, together, expected))


def test_working_memory_grows_with_the_net(make_net: MakeNet) -> None:
    def sizes() -> list[int]:
        found = []
        for width in (3, 128, 3):
            fused.outputs(*make_net((width,))[:3])
            found.append(len(fused._memory.buffer))
            assert fused._memory.buffer.ctypes.data % 64 == 0
        return found

    with ThreadPoolExecutor(1) as fresh:
        small, large, kept = fresh.submit(sizes).result()
    assert small < large == kept


_FORK = """
import os, torch
from inrcodec.fit.engine import fused
from inrcodec.fit.engine.layers import siren

fused.take_threads(2)
layers = siren((9, 9), 3)
torch.manual_seed(0)
flat = torch.randn(sum((layer.inputs + 1) * layer.outputs for layer in layers)).div_(9).requires_grad_()
x, y = torch.rand(3000, 2), torch.rand(3000, 3)

def gradient():
    return torch.autograd.grad(fused.mse(layers, x, flat, y), flat)[0]

expected = gradient()
for _ in range(2):
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(gradient(), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0
assert torch.equal(gradient(), expected)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_children_have_threads_of_their_own() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", _FORK]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_slots_cover_all_pixels_whatever_their_number() -> None:
    layers = siren((1,), 1, inputs=1, frequency=1)
    flat = torch.tensor([1.0, 1.0, 0.0, 0.0])
    for tiles in (1, 4, 7, 8, 9, 63, 64, 70):
        for extra in (-1, 0, 1):
            x = torch.linspace(-1, 1, tiles * fused.TILE + extra).view(-1, 1)
            assert torch.allclose(fused.outputs(layers, x, flat), x.sin(), atol=1e-6)
