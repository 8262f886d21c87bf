"""Quantisation after the fit, as Struempler et al. 2022 (section 3.3) do it: nearest, AdaRound, retraining.

A dense fit is given b bits a weight, tensor by tensor, over a range that is searched for. AdaRound (Nagel et al. 2020)
then learns, layer by layer, which weights to round up; quantisation-aware training moves weights on with
straight-through gradients. Whatever a stage does is kept only if the picture gains by it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inrcodec.coding.law import step_code, step_size
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.engine import reference
from inrcodec.fit.engine.layers import Layer
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.gated import as_tensors
from inrcodec.fit.model import SparseSiren
from inrcodec.fit.softround import hard_round

_SAMPLE = 16_384
"""Pixels whose activations AdaRound matches."""

_BATCH = 2_048
_NARROWEST = 0.3
"""Least part of a tensor's range that a search of ranges considers."""

_STRETCH = (-0.1, 1.1)
_HOT, _COLD = 20.0, 2.0
_WARM = 0.2
"""AdaRound's rectified sigmoid, its annealed exponent, and the part of its steps before that begins (section 3.3)."""

Progress = Callable[[int, int], None]


def post_train(
    canvas: Canvas, fitted: FittedNet, config: SirenConfig, *, seed: int = 0, stop: Callable[[], bool] | None = None
) -> FittedNet:
    """Quantise a dense fit.

    Args:
        canvas: the picture.
        fitted: its outcome, without steps.
        config: ``quant`` names the stages, ``bits`` the levels.
        seed: of the pixels that each step sees.
        stop: polled at every step; True ends the stages with what there is.

    Returns:
        The net with steps; its weights are whole multiples of them.
    """
    mean = canvas.samples.mean(0).cpu()
    net = SparseSiren(fitted.arch, mean, engine=canvas.engine).to(canvas.coords.device)
    codes = tuple(range_code(tensor, config.bits) for tensor in fitted.tensors)
    quantiser = Quantiser(net, codes, config.bits)
    floats = torch.from_numpy(np.concatenate([t.ravel() for t in fitted.tensors])).to(canvas.coords.device)
    best = quantiser.nearest(floats)
    for stage in config.quant.split("+"):
        if stage == "adaround":
            rounded = adaround(canvas, net, quantiser, floats, config, seed, stop)
        elif stage == "qat":
            rounded = retrain(canvas, net, quantiser, best, config, seed, stop)
        else:
            continue
        if canvas.mse(net, quantiser.weights(rounded)) < canvas.mse(net, quantiser.weights(best)):
            best = rounded
    flat: NDArray[np.float32] = quantiser.weights(best).cpu().numpy()
    return replace(fitted, tensors=as_tensors(fitted.arch, flat), step_codes=codes)


def range_code(tensor: NDArray[np.float32], bits: int) -> int:
    """Code of the step that loses the least when a tensor gets 2^bits - 1 levels around 0.

    A narrower range clips the largest weights and tells the others better.
    """
    levels = 2 ** (bits - 1) - 1
    widest = step_code(max(float(np.abs(tensor).max()), 1e-9) / levels)
    lost = {}
    for code in range(max(0, widest + 1 + round(8 * math.log2(_NARROWEST))), min(255, widest + 1) + 1):
        step = step_size(code)
        rounded = np.clip(np.rint(tensor / step), -levels, levels) * step
        lost[code] = float(((tensor - rounded) ** 2).sum())
    return min(lost, key=lambda code: (lost[code], -code))


class Quantiser:
    """Levels of a net's weights.

    Args:
        net: the net; its weights do not matter.
        codes: step of each tensor.
        bits: a weight.
    """

    def __init__(self, net: SparseSiren, codes: tuple[int, ...], bits: int) -> None:
        self.bound = 2 ** (bits - 1) - 1
        steps = torch.tensor([step_size(code) for code in codes], dtype=torch.float32)
        self.steps = steps.to(net.weights.device)[net.tensor_of]

    def nearest(self, floats: Tensor) -> Tensor:
        """The nearest levels of float weights, ``(weights,)``."""
        return (floats / self.steps).round().clamp(-self.bound, self.bound)

    def weights(self, levels: Tensor) -> Tensor:
        """Weights of levels."""
        return levels * self.steps


def retrain(
    canvas: Canvas,
    net: SparseSiren,
    quantiser: Quantiser,
    levels: Tensor,
    config: SirenConfig,
    seed: int,
    stop: Callable[[], bool] | None = None,
) -> Tensor:
    """Quantisation-aware training: Adam on weights that every step rounds; returns the best levels seen.

    Args:
        canvas: the picture.
        net: the net.
        quantiser: its levels.
        levels: where to start; they are among those to choose from, so that the end is never worse.
        config: ``qat_steps``, and ``qat_lr`` in quantisation steps.
        seed: of the order of pixels.
        stop: polled at every step.
    """
    moving = nn.Parameter(levels.clone())
    optimiser = torch.optim.Adam([moving], lr=config.qat_lr)
    best, lowest = levels, canvas.mse(net, quantiser.weights(levels))
    for step, index in enumerate(_batches(canvas, config.batch, config.qat_steps, seed)):
        if stop and stop():
            break
        rounded = hard_round(moving.clamp(-quantiser.bound, quantiser.bound))
        loss = net.mse(canvas.coords[index], quantiser.weights(rounded), canvas.samples[index])
        optimiser.zero_grad()
        torch.log(loss + 1e-12).backward()
        optimiser.step()
        if (step + 1) % 50 == 0 or step + 1 == config.qat_steps:
            trial = moving.detach().round().clamp(-quantiser.bound, quantiser.bound)
            error = canvas.mse(net, quantiser.weights(trial))
            if error < lowest:
                best, lowest = trial, error
    return best


def adaround(
    canvas: Canvas,
    net: SparseSiren,
    quantiser: Quantiser,
    floats: Tensor,
    config: SirenConfig,
    seed: int,
    stop: Callable[[], bool] | None = None,
) -> Tensor:
    """Learn for every weight of the matrices whether to round it up or down (Nagel et al. 2020, equation 21).

    Layer by layer, with what the rounded layers before hand on, the layer's activations are to be those of the float
    net. Biases are rounded to the nearest.

    Args:
        canvas: the picture.
        net: the net.
        quantiser: its levels.
        floats: its float weights, ``(weights,)``.
        config: ``adaround_steps`` a layer, and ``adaround_reg``, the weight of the term that makes choices definite.
        seed: of the pixels that each step sees.
        stop: polled at every step.

    Returns:
        Levels, ``(weights,)``.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(canvas.count, generator=generator)[:_SAMPLE].to(canvas.coords.device)
    exact = rounded = net.inputs(canvas.coords[chosen])
    levels = quantiser.nearest(floats)
    count = len(net.layers)
    for k, layer in enumerate(net.layers):
        matrix, bias = _places(net.layers, k)
        aim = _through(layer, exact, floats[matrix], floats[bias])
        fixed = quantiser.weights(levels)[bias]
        step = quantiser.steps[matrix]
        levels[matrix] = _choose(
            layer, rounded, aim, floats[matrix] / step, step, fixed, quantiser.bound, config, generator, stop
        )
        exact, rounded = aim, _through(layer, rounded, levels[matrix] * step, fixed)
        if stop and stop() and k + 1 < count:
            break
    return levels


def _choose(
    layer: Layer,
    inputs: Tensor,
    aim: Tensor,
    scaled: Tensor,
    step: Tensor,
    bias: Tensor,
    bound: int,
    config: SirenConfig,
    generator: torch.Generator,
    stop: Callable[[], bool] | None,
) -> Tensor:
    """Levels of one matrix whose activations come nearest to ``aim``."""
    below = scaled.floor()
    rest = (scaled - below).clamp(0.01, 0.99)
    low, high = _STRETCH
    choice = nn.Parameter(torch.logit((rest - low) / (high - low)))
    optimiser = torch.optim.Adam([choice], lr=config.adaround_lr)
    steps = config.adaround_steps
    scale = aim.square().mean().clamp(min=1e-9)
    for done in range(steps):
        if stop and stop():
            break
        drawn_pixels = torch.randint(len(inputs), (min(_BATCH, len(inputs)),), generator=generator)
        index = drawn_pixels.to(inputs.device, non_blocking=True)
        up = (torch.sigmoid(choice) * (high - low) + low).clamp(0, 1)
        drawn = _through(layer, inputs[index], (below + up).clamp(-bound, bound) * step, bias)
        loss = (drawn - aim[index]).square().mean() / scale
        t = (done / steps - _WARM) / (1 - _WARM)
        if t > 0:
            exponent = _COLD + 0.5 * (_HOT - _COLD) * (1 + math.cos(math.pi * t))
            loss = loss + config.adaround_reg * (1 - (2 * up - 1).abs().pow(exponent)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return (below + (choice.detach() > 0)).clamp(-bound, bound)  # where the rectified sigmoid is over a half


def _places(layers: tuple[Layer, ...], k: int) -> tuple[slice, slice]:
    """Where a layer's matrix and its biases lie in the flat weights."""
    matrices = [layer.inputs * layer.outputs for layer in layers]
    start = sum(matrices[:k])
    first = sum(matrices) + sum(layer.outputs for layer in layers[:k])
    return slice(start, start + matrices[k]), slice(first, first + layers[k].outputs)


def _through(layer: Layer, inputs: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
    """One layer's activations."""
    return reference.outputs((layer,), inputs, torch.cat([matrix, bias]))


def _batches(canvas: Canvas, size: int, steps: int, seed: int) -> Iterator[Tensor | slice]:
    """Indices of the pixels of every step, drawn without replacement epoch by epoch; of all of them, as they are."""
    generator = torch.Generator().manual_seed(seed)
    size, done = min(size, canvas.count), 0
    if size == canvas.count:
        yield from itertools.repeat(slice(None), steps)
        return
    while done < steps:
        order = torch.randperm(canvas.count, generator=generator).to(canvas.coords.device)
        for start in range(0, canvas.count - size + 1, size):
            if done == steps:
                return
            yield order[start : start + size]
            done += 1
