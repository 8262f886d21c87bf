from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from inrcodec.coding.law import step_code, step_size
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.gated import Relaxation
from inrcodec.fit.model import SparseSiren, hard_symbols, initial_tensors
from inrcodec.net.arch import Arch, parse_activation
from inrcodec.net.encoding import parse_encoding
from inrcodec.net.forward import forward


def test_initial_tensorsialisation_has_the_published_ranges() -> None:
    arch = Arch((64, 64), w0=30)
    tensors = dict(
        zip(
            (s.name for s in arch.tensors()),
            initial_tensors(arch, torch.zeros(3), torch.Generator().manual_seed(0)),
            strict=True,
        )
    )
    for name, bound in (("W0", 1 / 2), ("W1", math.sqrt(6 / 64) / 30), ("W2", math.sqrt(6 / 64) / 30)):
        assert float(tensors[name].abs().max()) <= bound
        assert float(tensors[name].std()) == pytest.approx(bound / math.sqrt(3), rel=0.15)
    assert tensors["b.out"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("activation", ["relu", "gelu", "gauss"])
def test_other_activations_keep_the_scale_of_their_inputs(activation: str) -> None:
    arch = Arch((256,) * 6, w0_first=3, w0=7, activation=activation, encoding=parse_encoding("nerf:8"))
    weights = torch.cat(
        [t.reshape(-1) for t in initial_tensors(arch, torch.zeros(3), torch.Generator().manual_seed(0))]
    )
    coords = torch.rand(500, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    model = SparseSiren(arch, torch.zeros(3))
    samples = model(coords, weights) * arch.w0  # the output layer is made for an activation of that frequency
    assert 0.1 < float(samples.detach().std()) < 3


def test_gated_weights_start_at_the_scale_of_the_plain_net() -> None:
    arch, mean = Arch((20, 20)), torch.full((3,), 0.5)
    plain = SparseSiren(arch, mean, seed=3)
    gated = SparseSiren(arch, mean, gate_kind="median", droprate=0.5, seed=3)
    assert torch.allclose(gated.levels() * gated.steps(), plain.weights, atol=1e-6)


@pytest.mark.parametrize("activation", ["sine:30:25", "relu:2", "gelu:3:1", "gauss:9"])
@pytest.mark.parametrize("encoding", ["none", "nerf:6:1.8", "positional:4:10", "gauss:11:3:8"])
def test_torch_and_numpy_draw_the_same_picture(activation: str, encoding: str, canvas: Canvas) -> None:
    name, first, others = parse_activation(activation)
    arch = Arch((12, 9, 7), 3, first, others, name, parse_encoding(encoding))
    model = SparseSiren(arch, canvas.samples.mean(0), seed=1)
    parts = model.weights.detach().split(model.sizes)
    tensors = {s.name: w.view(s.shape).numpy() for s, w in zip(arch.tensors(), parts, strict=True)}
    expected = forward(arch, tensors, canvas.coords.numpy())
    assert np.abs(model(canvas.coords, model.weights).detach().numpy() - expected).max() < 1e-5


def test_purged_gates_leave_zeros_that_stay(canvas: Canvas) -> None:
    model = SparseSiren(Arch((8, 8)), canvas.samples.mean(0), gate_kind="median", droprate=0.5)
    assert model.log_alpha is not None
    with torch.no_grad():
        model.log_alpha[::2] = -3.0
        model.log_alpha[1::2] = 3.0
    before = model.levels()
    model.purge()
    assert model.open_probability() is None
    assert torch.allclose(model.levels(), before)
    assert (model.levels()[::2] == 0).all()
    model.weights.data += 1.0
    assert (model.levels()[::2] == 0).all()
    assert (model.levels()[1::2] != 0).all()


def test_effective_weights_follow_the_relaxation() -> None:
    model = SparseSiren(Arch((6,)), torch.zeros(3))
    model.log_step.data -= 3.0
    levels = model.levels()
    hard = model.effective(levels, Relaxation("hard"))
    assert torch.allclose(hard, levels.round() * model.steps())
    assert torch.allclose(model.effective(levels, Relaxation("none")), model.weights)
    soft = [model.effective(levels, Relaxation("soft", 0.1, 0.2)) for _ in range(2)]
    assert not torch.equal(soft[0], soft[1])


def test_snapped_steps_can_be_transmitted() -> None:
    model = SparseSiren(Arch((6,)), torch.zeros(3))
    model.log_step.data -= torch.linspace(0.1, 7, len(model.log_step))
    model.snap_steps()
    for step in torch.exp(model.log_step).tolist():
        assert step == pytest.approx(step_size(step_code(step)), rel=1e-6)


def test_hard_symbols_have_the_shapes_of_the_file() -> None:
    arch = Arch((6, 5), outputs=1)
    symbols = hard_symbols(SparseSiren(arch, torch.zeros(1)))
    assert [s.shape for s in symbols] == [spec.shape for spec in arch.tensors()]
    assert all(s.dtype == np.int32 for s in symbols)
