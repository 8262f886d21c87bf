"""Pixels from weights and latents: FORMAT.md, "The picture"."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tests.naive.container import File
from tests.naive.networks import Grids, Siren
from tests.naive.weights import Weights

Float = NDArray[np.float64]

BICUBIC = np.array([-0.03515625, 0.26171875, 0.87890625, -0.10546875])


def activated(code: int, z: Float) -> Float:
    if code == 0:
        return np.sin(z)
    if code == 1:
        return np.maximum(z, 0.0)
    if code == 2:
        return np.array([value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in z])
    return np.array([math.exp(-value * value / 2) for value in z])


def normals(count: int, seed: int) -> list[float]:
    """Sums of twelve 16-bit integers, which three outputs of a 64-bit generator make."""
    low, found, state = (1 << 64) - 1, [], seed
    for _ in range(count):
        total = 0
        for _ in range(3):
            state = state + 0x9E3779B97F4A7C15 & low
            z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & low
            z = (z ^ z >> 27) * 0x94D049BB133111EB & low
            z ^= z >> 31
            total += sum(z >> bits & 0xFFFF for bits in (0, 16, 32, 48))
        found.append((total - 393210) / 65536)
    return found


def encoded(u: float, v: float, encoding: tuple[int, int, int, int]) -> Float:
    kind, m, hundredths, seed = encoding
    s = hundredths / 100
    if kind == 0:
        return np.array([u, v])
    if kind == 3:
        random = normals(2 * m, seed)
        angles = [2 * math.pi * s * (random[2 * k] * u + random[2 * k + 1] * v) for k in range(m)]
    else:
        speed = [math.pi * s**k if kind == 1 else 2 * math.pi * s ** (k / m) for k in range(m)]
        angles = [each * c for c in (u, v) for each in speed]
    kept = [u, v] if kind == 1 else []
    return np.array([*kept, *np.sin(angles), *np.cos(angles)])


def draw_siren(file: File, net: Siren, tensors: Weights) -> Float:
    """Samples ``(height, width, channels)``."""
    samples = np.zeros((file.height, file.width, file.channels))
    longer = max(file.width, file.height)
    for y in range(file.height):
        for x in range(file.width):
            u = ((2 * x + 1) / file.width - 1) * file.width / longer
            v = ((2 * y + 1) / file.height - 1) * file.height / longer
            h, at = encoded(u, v, net.encoding), 0
            for k, width in enumerate(net.hidden):
                z = tensors[f"W{k}"] @ h + tensors["b.hidden"][at : at + width]
                h, at = activated(net.activation, (net.w0 if k else net.w0_first) * z), at + width
            samples[y, x] = tensors[f"W{len(net.hidden)}"] @ h + tensors["b.out"]
    return samples


def twice(lines: Float, taps: Float) -> Float:
    """Two samples for each one along the last axis; beyond its ends a line goes on as it ends."""
    length = lines.shape[-1]
    found = np.zeros((*lines.shape[:-1], 2 * length))
    for i in range(length):
        for j in range(4):
            left, right = min(max(i + j - 2, 0), length - 1), min(max(i + 2 - j, 0), length - 1)
            found[..., 2 * i] += taps[j] * lines[..., left]
            found[..., 2 * i + 1] += taps[j] * lines[..., right]
    return found


def through_own_filter(lines: Float, taps: Float) -> Float:
    """Seven symmetric taps along the last axis, as what is added to each sample."""
    length = lines.shape[-1]
    found = lines.copy()
    for i in range(length):
        found[..., i] += taps[0] * lines[..., i]
        for j in range(1, 4):
            left, right = lines[..., max(i - j, 0)], lines[..., min(i + j, length - 1)]
            found[..., i] += taps[j] * (left + right)
    return found


def upsampled(grids: Grids, seen: list[Float], tensors: Weights, file: File) -> Float:
    """All grids at full size, ``(grids, height, width)``."""
    stack: list[Float] = []
    for octave in range(grids.coarsest, -1, -1):
        rows, columns = math.ceil(file.height / 2**octave), math.ceil(file.width / 2**octave)
        if stack:
            taps = BICUBIC + tensors["U"][grids.coarsest - octave - 1]
            stack = [twice(twice(plane.T, taps)[:, :rows].T, taps)[:, :columns] for plane in stack]
        if octave >= grids.finest:
            plane = seen[grids.coarsest - octave]
            if stack and "V" in tensors:
                taps = tensors["V"][grids.coarsest - octave - 1]
                plane = through_own_filter(through_own_filter(plane.T, taps).T, taps)
            stack.append(plane)
    return np.array(stack)


def residual(picture: Float, kernel: Float) -> Float:
    """A 3x3 layer on ``(channels, rows, columns)``, added; edges go on beyond the picture."""
    _, rows, columns = picture.shape
    result = picture.copy()
    for y in range(rows):
        for x in range(columns):
            for dy in range(3):
                for dx in range(3):
                    near = picture[:, min(max(y + dy - 1, 0), rows - 1), min(max(x + dx - 1, 0), columns - 1)]
                    result[:, y, x] += kernel[:, :, dy, dx] @ near
    return result


def draw_grids(file: File, grids: Grids, sums: list[Float], tensors: Weights) -> Float:
    """Samples ``(height, width, channels)``."""
    stack = upsampled(grids, sums, tensors, file)
    picture = np.zeros((file.channels, file.height, file.width))
    for y in range(file.height):
        for x in range(file.width):
            z = stack[:, y, x]
            h, at = z, 0
            for k, width in enumerate(grids.hidden):
                h = tensors[f"S{k}"] @ h + tensors["S.bias"][at : at + width]
                h, at = activated(grids.activation, h * (grids.w0 / 8 if grids.activation == 0 else 1)), at + width
            seen = np.concatenate([h, z]) if grids.hidden else z
            picture[:, y, x] = tensors["S.out"] @ seen + tensors["S.bias"][at:]
    for k in range(grids.residuals):
        picture = residual(picture, tensors[f"R{k}"])
    return picture.transpose(1, 2, 0)


def levels(samples: Float, depth: int) -> NDArray[np.int64]:
    """Whole levels, halves to even; what is no number is 0."""
    clipped = np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    whole: NDArray[np.int64] = np.rint(clipped * (2**depth - 1)).astype(np.int64)
    return whole
