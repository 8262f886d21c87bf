"""A SIREN over pixels and back in one Triton kernel: forward, squared error and gradients, tile by tile.

A small network alone leaves a GPU waiting for memory: plain torch writes every layer's activations out and reads them
back some eighteen times a step. Here a program takes a tile of pixels through all layers and back, and keeps what it
needs on the way, each layer's phase reduced to one turn, in registers: all loops over layers are unrolled. Every
program sums gradients of its own, and these are added in order: the same input gives the same bits.

Products are of halves, summed in float32, but for the first layer, whose coordinates need all of their digits.
"""

# Triton reads annotations as they stand, so `from __future__ import annotations` must not be here.

import triton
import triton.language as tl

CHUNK = 16
"""Inputs a product takes at a time, and outputs: the least that a tensor core does."""

_CHUNK = tl.constexpr(CHUNK)
_TURN = tl.constexpr(6.283185307179586)
_ROUND = tl.constexpr(1.5 * 2**23)
"""What has no room for a fraction beside it: adding it rounds."""


@triton.jit  # type: ignore[untyped-decorator]
def _sine(phase: tl.tensor, EXACT: tl.constexpr) -> tl.tensor:
    """Sine of phases within half a turn."""
    if EXACT:
        return tl.sin(phase)
    return tl.inline_asm_elementwise("sin.approx.f32 $0, $1;", "=f,f", [phase], dtype=tl.float32, is_pure=True, pack=1)


@triton.jit  # type: ignore[untyped-decorator]
def _cosine(phase: tl.tensor, EXACT: tl.constexpr) -> tl.tensor:
    """Cosine of phases within half a turn."""
    if EXACT:
        return tl.cos(phase)
    return tl.inline_asm_elementwise("cos.approx.f32 $0, $1;", "=f,f", [phase], dtype=tl.float32, is_pure=True, pack=1)


@triton.jit  # type: ignore[untyped-decorator]
def _reduced(phase: tl.tensor) -> tl.tensor:
    """Phases within half a turn."""
    return phase - _TURN * ((phase * (1 / _TURN) + _ROUND) - _ROUND)


@triton.jit  # type: ignore[untyped-decorator]
def _add(place: tl.tensor, value: tl.tensor) -> None:
    """Add to sums that are this program's own: atomic only in name, and without waiting for what is there."""
    tl.atomic_add(place, value, sem="relaxed", scope="cta")


@triton.jit  # type: ignore[untyped-decorator]
def _part(
    values: tl.tensor, there: tl.tensor, columns: tl.tensor, first: tl.constexpr, TILE: tl.constexpr
) -> tl.tensor:
    """``(TILE, 16)`` of the values ``(TILE, columns)``, from the first column on; zeros where there are none."""
    row, column = tl.arange(0, TILE)[:, None], first + tl.arange(0, _CHUNK)[None, :]
    return tl.load(values + row * columns + column, mask=there[:, None] & (column < columns), other=0.0)


@triton.jit  # type: ignore[untyped-decorator]
def sweep(
    x: tl.tensor,
    y: tl.tensor,
    packed: tl.tensor,
    halves: tl.tensor,
    sums: tl.tensor,
    pixels: tl.tensor,
    inputs: tl.tensor,
    outputs: tl.tensor,
    size: tl.tensor,
    DEPTH: tl.constexpr,
    WIDTH: tl.constexpr,
    CHUNKS: tl.constexpr,
    TILE: tl.constexpr,
    EXACT: tl.constexpr,
) -> None:
    """All tiles of a picture, shared among the programs of the grid's first axis; its second is the pictures.

    Args:
        x: ``(pixels, inputs)`` float32, of all pictures.
        y: ``(pictures, pixels, outputs)`` float32.
        packed: ``(pictures, size)`` float32, weights as :class:`inrcodec.fit.engine.gpu.Packing` lays them.
        halves: the same in float16.
        sums: ``(pictures, programs a picture, size + 1)`` float32 zeros; becomes half the gradient of the summed
            squared error, packed, and that error.
        pixels: their count.
        inputs: of the first layer.
        outputs: of the last one, at most ``CHUNK``.
        size: packed weights.
        DEPTH: hidden layers.
        WIDTH: of each, padded to a power of two.
        CHUNKS: of inputs.
        TILE: pixels.
        EXACT: full sines (where there is no GPU to ask for quick ones).
    """
    group, groups = tl.program_id(0), tl.num_programs(0)
    picture = tl.program_id(1).to(tl.int64)
    packed += picture * size
    halves += picture * size
    y += picture * pixels * outputs
    sums += (picture * groups + group) * (size + 1)

    wide, few, row = tl.arange(0, WIDTH), tl.arange(0, _CHUNK), tl.arange(0, TILE)
    square = wide[:, None] * WIDTH + wide[None, :]
    narrow = wide[:, None] * _CHUNK + few[None, :]
    entry = few[:, None] * WIDTH + wide[None, :]
    hidden_at = CHUNKS * _CHUNK * WIDTH
    last_at = hidden_at + (DEPTH - 1) * WIDTH * WIDTH
    bias_at = last_at + WIDTH * _CHUNK
    end_at = bias_at + DEPTH * WIDTH

    error = tl.zeros((TILE, _CHUNK), tl.float32)
    for tile in range(group, tl.cdiv(pixels, TILE), groups):
        start = tl.cast(tile, tl.int64) * TILE
        there = start + row < pixels
        z = tl.zeros((TILE, WIDTH), tl.float32) + tl.load(packed + bias_at + wide)[None, :]
        for c in tl.static_range(CHUNKS):
            part = _part(x + start * inputs, there, inputs, c * _CHUNK, TILE)
            z += tl.dot(part, tl.load(packed + c * _CHUNK * WIDTH + entry), input_precision="tf32x3")
        z = _reduced(z)
        phases = (z.to(tl.float16),)
        h = _sine(z, EXACT).to(tl.float16)
        for k in tl.static_range(1, DEPTH):
            matrix = tl.load(halves + hidden_at + (k - 1) * WIDTH * WIDTH + square)
            z = _reduced(tl.dot(h, matrix) + tl.load(packed + bias_at + k * WIDTH + wide)[None, :])
            phases = phases + (z.to(tl.float16),)  # type: ignore[assignment] # noqa: RUF005 - Triton knows no stars
            h = _sine(z, EXACT).to(tl.float16)
        last = tl.load(halves + last_at + narrow)
        drawn = tl.dot(h, last) + tl.load(packed + end_at + few)[None, :]
        missed = drawn - _part(y + start * outputs, there, outputs, 0, TILE)
        missed = tl.where(there[:, None] & (few < outputs)[None, :], missed, 0.0)
        error += missed * missed
        excess = missed.to(tl.float16)
        _add(sums + last_at + narrow, tl.dot(tl.trans(h), excess))
        _add(sums + end_at + few, tl.sum(missed, 0))
        felt = tl.dot(excess, tl.trans(last))
        for k in tl.static_range(DEPTH - 1, 0, -1):
            felt *= _cosine(phases[k].to(tl.float32), EXACT)
            _add(sums + bias_at + k * WIDTH + wide, tl.sum(felt, 0))
            pull = felt.to(tl.float16)
            before = _sine(phases[k - 1].to(tl.float32), EXACT).to(tl.float16)
            _add(sums + hidden_at + (k - 1) * WIDTH * WIDTH + square, tl.dot(tl.trans(before), pull))
            matrix = tl.load(halves + hidden_at + (k - 1) * WIDTH * WIDTH + square)
            felt = tl.dot(pull, tl.trans(matrix))
        felt *= _cosine(phases[0].to(tl.float32), EXACT)
        _add(sums + bias_at + wide, tl.sum(felt, 0))
        pull = felt.to(tl.float16)
        for c in tl.static_range(CHUNKS):
            part = _part(x + start * inputs, there, inputs, c * _CHUNK, TILE)
            _add(sums + c * _CHUNK * WIDTH + entry, tl.dot(tl.trans(part.to(tl.float16)), pull))
    _add(sums + size, tl.sum(error))
