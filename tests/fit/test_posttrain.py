from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from inrcodec.coding.law import step_size
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.landing import Search
from inrcodec.fit.model import SparseSiren
from inrcodec.fit.posttrain import Quantiser, adaround, post_train, range_code, retrain
from inrcodec.fit.train import Trainer, train
from inrcodec.net.arch import Arch
from inrcodec.net.encoding import Encoding
from tests.fit.conftest import waves

SETTINGS = SirenConfig(steps=500, batch=512, lr=1.5e-3, warmup=10, quant="nearest", bits=5, adaround_steps=200)


@pytest.fixture(scope="module")
def dense() -> tuple[Canvas, FittedNet]:
    """A dense fit with an encoding, and its picture."""
    torch.set_num_threads(1)
    canvas = Canvas.of(waves())
    return canvas, train(Trainer(canvas, Arch((16, 16), encoding=Encoding("nerf", 3, 140)), SETTINGS, None))


def _error(canvas: Canvas, fitted: FittedNet, config: SirenConfig) -> float:
    return Search(canvas, post_train(canvas, fitted, config)).mse


def _parts(canvas: Canvas, fitted: FittedNet, bits: int) -> tuple[SparseSiren, Quantiser, torch.Tensor]:
    net = SparseSiren(fitted.arch, canvas.samples.mean(0))
    codes = tuple(range_code(tensor, bits) for tensor in fitted.tensors)
    return net, Quantiser(net, codes, bits), torch.from_numpy(np.concatenate([t.ravel() for t in fitted.tensors]))


@pytest.mark.parametrize("bits", [3, 5, 8])
def test_weights_take_the_levels_there_are(dense: tuple[Canvas, FittedNet], bits: int) -> None:
    canvas, fitted = dense
    quantised = post_train(canvas, fitted, replace(SETTINGS, bits=bits))
    for tensor, code in zip(quantised.tensors, quantised.step_codes, strict=True):
        levels = tensor / np.float32(step_size(code))
        assert np.array_equal(levels, np.rint(levels))
        assert np.abs(levels).max() <= 2 ** (bits - 1) - 1


def test_more_bits_are_better(dense: tuple[Canvas, FittedNet]) -> None:
    errors = [_error(*dense, replace(SETTINGS, bits=bits)) for bits in (3, 5, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 2 * errors[2]


def test_a_range_that_clips_can_lose_less() -> None:
    tensor = np.random.default_rng(0).laplace(0, 1, 4000).astype(np.float32)
    step = step_size(range_code(tensor, 4))
    assert step < 0.75 * float(np.abs(tensor).max()) / 7

    def lost(step: float) -> float:
        return float(((tensor - np.clip(np.rint(tensor / step), -7, 7) * step) ** 2).sum())

    assert lost(step) < 0.9 * lost(float(np.abs(tensor).max()) / 7)


def test_a_range_of_nothing() -> None:
    assert step_size(range_code(np.zeros(5, np.float32), 8)) > 0


def test_adaround_beats_rounding_to_the_nearest(dense: tuple[Canvas, FittedNet]) -> None:
    canvas, fitted = dense
    net, quantiser, floats = _parts(canvas, fitted, 5)
    nearest = canvas.mse(net, quantiser.weights(quantiser.nearest(floats)))
    learned = adaround(canvas, net, quantiser, floats, SETTINGS, 0)
    assert canvas.mse(net, quantiser.weights(learned)) < 0.9 * nearest
    scaled = floats / quantiser.steps
    inside = scaled.abs() < quantiser.bound
    assert float((learned - scaled).abs()[inside].max()) < 1  # up or down, no further


def test_retraining_never_ends_worse_than_it_began(dense: tuple[Canvas, FittedNet]) -> None:
    canvas, fitted = dense
    net, quantiser, floats = _parts(canvas, fitted, 5)
    start = quantiser.nearest(floats)
    before = canvas.mse(net, quantiser.weights(start))
    wild = retrain(canvas, net, quantiser, start, replace(SETTINGS, qat_lr=5.0, qat_steps=60), 0)
    assert torch.equal(wild, start)  # of all it saw, nothing was better
    gentle = retrain(canvas, net, quantiser, start, replace(SETTINGS, qat_steps=200), 0)
    assert canvas.mse(net, quantiser.weights(gentle)) < 0.98 * before


def test_stages_add_up(dense: tuple[Canvas, FittedNet]) -> None:
    errors = [_error(*dense, replace(SETTINGS, quant=quant)) for quant in ("nearest", "adaround", "adaround+qat")]
    assert errors[2] <= errors[1] < errors[0]


def test_a_stop_leaves_the_nearest(dense: tuple[Canvas, FittedNet]) -> None:
    canvas, fitted = dense
    stopped = post_train(canvas, fitted, replace(SETTINGS, quant="adaround+qat"), stop=lambda: True)
    assert Search(canvas, stopped).mse <= _error(canvas, fitted, SETTINGS)


@pytest.mark.parametrize(
    ("name", "value", "words"), [("quant", "magic", "quant is trained"), ("bits", 1, "bits run from 2")]
)
def test_settings_that_make_no_sense(name: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(SETTINGS, **{name: value})  # type: ignore[arg-type]
