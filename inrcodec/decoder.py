"""Bytes to pixels, in NumPy and constriction only: no torch, on any machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from inrcodec.coding.symbols import Symbols
from inrcodec.errors import LimitError
from inrcodec.format.container import Tag, read
from inrcodec.format.stream import Stream, describe, unpack
from inrcodec.limits import Limits
from inrcodec.net.coords import axes
from inrcodec.net.forward import render
from inrcodec.pixels import Pixels

STRIP = 1 << 20
"""Pixels drawn as floats at a time: the rest of a large picture takes no more memory than its integers."""


@dataclass(frozen=True)
class View:
    """How to look at the picture: a network has no resolution of its own.

    Attributes:
        scale: factor on both sides, e.g. 2 or 0.25; at most one of scale, width, height.
        width: columns of the output; the height follows.
        height: rows of the output; the width follows.
        crop: ``(x, y, width, height)`` in output pixels, after scaling; only these are computed.
        depth: bits a sample of the output, 8 or 16; the file's own if left out.
    """

    scale: float | None = None
    width: int | None = None
    height: int | None = None
    crop: tuple[int, int, int, int] | None = None
    depth: int | None = None

    def __post_init__(self) -> None:
        if self.depth not in (None, 8, 16):
            raise ValueError(f"a sample has 8 or 16 bits, not {self.depth}")

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Output size of a picture of ``width x height``.

        Raises:
            ValueError: contradicting or non-positive wishes.
        """
        wishes = [w for w in (self.scale, self.width, self.height) if w is not None]
        if len(wishes) > 1:
            raise ValueError("give one of scale, width and height, not several")
        if not wishes:
            return width, height
        if not 0 < wishes[0] < 1e9:  # also refuses NaN; the decoder's limits come later and are tighter
            raise ValueError(f"cannot draw a picture at {wishes[0]}")
        factor = self.scale if self.scale is not None else (self.width / width if self.width else wishes[0] / height)
        return (
            self.width or max(1, round(width * factor)),
            self.height or max(1, round(height * factor)),
        )

    def window(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The crop, checked against an output of ``width x height``.

        Raises:
            ValueError: it is empty or reaches outside.
        """
        x, y, w, h = self.crop or (0, 0, width, height)
        if min(w, h) < 1 or min(x, y) < 0 or x + w > width or y + h > height:
            raise ValueError(f"crop {x},{y},{w},{h} does not lie inside {width}x{height}")
        return x, y, w, h


@dataclass(frozen=True)
class SectionInfo:
    """Where a part of the file lies. Parts add up to the file."""

    name: str
    offset: int
    bytes: int


@dataclass(frozen=True)
class Info:
    """What is in a file, known without decoding a pixel.

    Attributes:
        method: ``entropy`` (quantised, arithmetic-coded weights) or ``dense16`` (16 bits a weight).
        params: weights and biases of the network.
        bpp: bits of the whole file per pixel.
    """

    version: int
    width: int
    height: int
    channels: int
    depth: int
    bytes: int
    bpp: float
    arch: str
    w0: tuple[int, int]
    method: str
    params: int
    sections: tuple[SectionInfo, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of the network: how many of its weights survived and what they cost."""

    name: str
    shape: tuple[int, ...]
    kept: int
    total: int
    bits: float
    step: float


def probe(data: bytes, limits: Limits | None = None) -> Info:
    """Describe a file; checks all of its framing and its CRC, decodes neither weights nor pixels.

    Raises:
        BitstreamError: not a valid file.
    """
    limits = limits or Limits()
    container = read(data, limits)
    arch = describe(container, limits)
    header = container.header
    parts = [SectionInfo("header", 0, container.header_bytes)]
    parts += [SectionInfo(t.name.lower(), container.offsets[t], len(b)) for t, b in container.sections.items()]
    return Info(
        version=data[8],
        width=header.width,
        height=header.height,
        channels=header.channels,
        depth=header.depth,
        bytes=len(data),
        bpp=8 * len(data) / header.pixels,
        arch=str(arch),
        w0=(arch.w0_first, arch.w0),
        method="dense16" if Tag.HALVES in container.sections else "entropy",
        params=arch.params,
        sections=tuple(parts),
    )


def anatomy(data: bytes, limits: Limits | None = None) -> tuple[TensorInfo, ...]:
    """Where the weights' bits went, tensor by tensor (entropy-decodes the weights, no pixels).

    Raises:
        BitstreamError: not a valid file.
    """
    stream = unpack(data, limits)
    weights = stream.weights
    specs = stream.arch.tensors()
    if isinstance(weights, Symbols):
        costs, steps = weights.tensor_bits(), [law.delta for law in weights.laws]
        kept = [int(np.count_nonzero(value)) for value in weights.values]
    else:
        costs, steps = tuple(16.0 * spec.size for spec in specs), [0.0] * len(specs)
        kept = [int(np.count_nonzero(weights[spec.name])) for spec in specs]
    return tuple(
        TensorInfo(spec.name, spec.shape, k, spec.size, b, d)
        for spec, k, b, d in zip(specs, kept, costs, steps, strict=True)
    )


def decode_pixels(data: bytes, view: View | None = None, limits: Limits | None = None) -> Pixels:
    """Decode a file.

    Args:
        data: the whole file, any bytes at all.
        view: size, crop and depth wanted; the coded picture itself if left out.
        limits: what the decode may cost.

    Returns:
        The picture, ``(height, width, channels)`` of the view.

    Raises:
        BitstreamError: not a valid file, or one that asks for more than the limits (``LimitError``).
        ValueError: the view makes no sense for this picture.
    """
    limits = limits or Limits()
    return draw(unpack(data, limits), view, limits)


def draw(stream: Stream, view: View | None = None, limits: Limits | None = None) -> Pixels:
    """Evaluate a stream's network over the view; see :func:`decode_pixels`."""
    limits, view = limits or Limits(), view or View()
    header, arch = stream.header, stream.arch
    out_width, out_height = view.size(header.width, header.height)
    if max(out_width, out_height) > limits.max_side * 64:
        raise LimitError(f"an output of {out_width}x{out_height} is out of bounds")
    x, y, w, h = view.window(out_width, out_height)
    limits.check_size(w, h)
    limits.check_work(w * h, arch.params)
    u, v = axes(header.width, header.height, out_width, out_height)
    u, v = u[x : x + w], v[y : y + h]
    tensors, depth = stream.tensors(), view.depth or header.depth
    array = np.empty((h, w, arch.outputs), dtype=np.uint8 if depth == 8 else np.uint16)
    rows = max(1, STRIP // w)
    for top in range(0, h, rows):
        strip = v[top : top + rows]
        with np.errstate(all="ignore"):  # a hostile file may overflow; NaN is drawn as black
            samples = np.nan_to_num(render(arch, tensors, u, strip))
        array[top : top + rows] = Pixels.from_unit(samples, len(strip), w, depth).array
    return Pixels(array, depth)
