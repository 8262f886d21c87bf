"""Bytes to pixels, in NumPy and constriction only: no torch, on any machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrcodec.coding.bytewise import sizes
from inrcodec.coding.symbols import Symbols
from inrcodec.coding.wavefront import latent_cost
from inrcodec.errors import LimitError
from inrcodec.format.alpha import read_alpha
from inrcodec.format.container import Container, Tag, read
from inrcodec.format.cut import cut_to, ended_with
from inrcodec.format.extras import Extras
from inrcodec.format.metadata import metadata_sizes, read_metadata
from inrcodec.format.stream import Stream, coding_work, describe, extract, live_grids, nested
from inrcodec.limits import Limits
from inrcodec.metrics import psnr
from inrcodec.net.arch import Arch
from inrcodec.net.canvas import Canvas
from inrcodec.net.coords import axes
from inrcodec.net.forward import render
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch, drawing
from inrcodec.net.layered import drawn as drawn_latents
from inrcodec.net.plane import PlaneCanvas
from inrcodec.net.upsample import UNIT
from inrcodec.net.work import canvas_work, siren_work
from inrcodec.pixels import Metadata, Pixels

STRIP = 1 << 20
"""Pixels drawn as floats at a time: the rest of a large picture takes no more memory than its integers."""
_Paint = Callable[[slice], NDArray[np.float32]]

_CLEARLY = 0.2
"""Decibels by which a part of a layer has to be nearer to the whole layer than the one below is, to be shown. With 0.1
it was 0.08 below that in the picture itself, with 0.2 as good or better (kodim05, 15, 20 and 23, both layers)."""

_CODERS = {Tag.HALVES: "dense16", Tag.BROTLI: "brotli"}
"""Sections that say how weights are coded, where that is not the arithmetic coder."""


@dataclass(frozen=True)
class View:
    """How to look at the picture.

    A network alone has no resolution of its own, and a drawing is samples of it. Latent grids have one: a smaller
    drawing shows averages over the area of its pixels, a larger one is interpolated.

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

    @property
    def whole(self) -> bool:
        """Whether this is the picture as it was coded, in size at least."""
        return (self.scale, self.width, self.height, self.crop) == (None, None, None, None)

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
        method: ``entropy`` (quantised, arithmetic-coded weights), ``brotli`` (quantised, under brotli) or ``dense16``
            (16 bits a weight).
        params: weights and biases of the network.
        channels: of colour, 1 or 3.
        bpp: bits of the whole file per pixel.
        w0: frequencies of the first and of the other sine layers.
        alpha: how the opacity is coded, ``constant``, ``lossless`` or ``lossy``; None if there is none.
        metadata: bytes of what is kept, ``icc``, ``exif`` or ``xmp``, before compression.
    """

    version: int
    width: int
    height: int
    channels: int
    depth: int
    bytes: int
    bpp: float
    arch: str
    w0: tuple[float, float]
    method: str
    params: int
    sections: tuple[SectionInfo, ...]
    alpha: str | None = None
    metadata: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON; alpha and metadata only where there are some."""
        values = asdict(self)
        for name in ("alpha", "metadata"):
            if not values[name]:
                del values[name]
        return values


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of the network, or one grid of latents: how many numbers are not zero and what they cost."""

    name: str
    shape: tuple[int, ...]
    kept: int
    total: int
    bits: float
    step: float


@dataclass(frozen=True)
class Account:
    """What a paper would say that a network takes.

    Attributes:
        paper: whose way of counting it is.
        counts: what is counted.
        bits: all together.
    """

    paper: str
    counts: str
    bits: float


def probe(data: bytes, limits: Limits | None = None) -> Info:
    """Describe a file; checks all of its framing and its CRC, decodes neither weights nor pixels.

    Raises:
        BitstreamError: not a valid file.
    """
    limits = limits or Limits()
    container = read(data, limits)
    arch = describe(container, limits)
    header, sections = container.header, container.sections
    parts = [SectionInfo("header", 0, container.header_bytes)]
    parts += [SectionInfo(t.name.lower(), container.offsets[t], len(b)) for t, b in sections.items()]
    return Info(
        version=data[8],
        width=header.width,
        height=header.height,
        channels=header.channels,
        depth=header.depth,
        bytes=len(data),
        bpp=8 * len(data) / header.pixels,
        arch=str(arch),
        w0=(arch.w0 / 8, arch.w0 / 8) if isinstance(arch, GridArch) else (arch.w0_first, arch.w0),
        method=next((name for tag, name in _CODERS.items() if tag in sections), "entropy"),
        params=arch.params,
        sections=tuple(parts),
        alpha=read_alpha(sections[Tag.ALPHA], header, limits).kind.name.lower() if header.alpha else None,
        metadata=metadata_sizes(sections[Tag.METADATA], limits) if Tag.METADATA in sections else {},
    )


def anatomy(data: bytes, limits: Limits | None = None) -> tuple[TensorInfo, ...]:
    """Where the bits went, tensor by tensor and then grid by grid (entropy-decodes the file, draws no pixels).

    Raises:
        BitstreamError: not a valid file.
    """
    limits = (limits or Limits()).of_file(len(data))
    return _anatomy(read(data, limits), limits)


def alpha_anatomy(data: bytes, limits: Limits | None = None) -> tuple[TensorInfo, ...]:
    """The same of the network inside the alpha section; nothing where there is none.

    Raises:
        BitstreamError: not a valid file.
    """
    limits = (limits or Limits()).of_file(len(data))
    container = read(data, limits)
    describe(container, limits)
    inner = nested(container, limits)
    return () if inner is None else _anatomy(inner, limits)


def _anatomy(container: Container, limits: Limits) -> tuple[TensorInfo, ...]:
    describe(container, limits)
    limits.check_work(coding_work(container) * 9 // 8)  # what latents cost takes another, shorter walk through them
    stream = extract(container, limits)
    weights = stream.weights
    specs = stream.arch.tensors()
    if isinstance(weights, Symbols):
        costs, steps = weights.tensor_bits(), [law.delta for law in weights.laws]
        if stream.coder == "brotli":  # whose bytes are nobody's own
            raw = sizes(stream.arch, weights.laws)
            costs = tuple(8 * len(container.sections[Tag.BROTLI]) * size / max(1, sum(raw)) for size in raw)
        kept = [int(np.count_nonzero(value)) for value in weights.values]
    else:
        costs, steps = tuple(16.0 * spec.size for spec in specs), [0.0] * len(specs)
        kept = [int(np.count_nonzero(weights[spec.name])) for spec in specs]
    parts = [
        TensorInfo(spec.name, spec.shape, k, spec.size, b, d)
        for spec, k, b, d in zip(specs, kept, costs, steps, strict=True)
    ]
    if isinstance(stream.arch, GridArch) and isinstance(weights, Symbols) and stream.latents:
        costs = latent_cost(stream.arch, weights, stream.latents)
        octaves = tuple(stream.arch.octaves)
        for at, (plane, b) in enumerate(zip(stream.latents, costs, strict=True)):
            layer, grid = divmod(at, len(octaves))
            step = UNIT * (stream.arch.unit(layer) if isinstance(stream.arch, LayeredArch) else 1.0)
            name = f"layer {layer} 1:{1 << octaves[grid]}" if layer else f"grid 1:{1 << octaves[grid]}"
            parts.append(TensorInfo(name, plane.shape, int(np.count_nonzero(plane)), plane.size, b, step))
    return tuple(parts)


def accounts(about: Info, tensors: Sequence[TensorInfo]) -> tuple[Account, ...]:
    """The size of a network alone as the papers count it, whose figures are of no file.

    Args:
        about: what :func:`probe` says of a file.
        tensors: what :func:`anatomy` says of it.

    Returns:
        One account a paper; none for latent grids, which those papers do not have.
    """
    sections = {section.name: section.bytes for section in about.sections}
    if Tag.GRID.name.lower() in sections:
        return ()
    described = ("header", *(tag.name.lower() for tag in (Tag.SIREN, Tag.ALPHA, Tag.METADATA)))
    coded = sum(size for name, size in sections.items() if name not in described)
    return (
        Account("COIN", "16 bits for every weight", 16.0 * about.params),
        Account("L0onie", "16 bits for every weight that is not zero", 16.0 * sum(tensor.kept for tensor in tensors)),
        Account("Struempler et al.", "coded weights, steps and laws; no header", 8.0 * coded),
    )


def decode_pixels(
    data: bytes, view: View | None = None, limits: Limits | None = None, *, max_bytes: int | None = None
) -> Pixels:
    """Decode a file.

    Args:
        data: the whole file, any bytes at all.
        view: size, crop and depth wanted; the coded picture itself if left out.
        limits: what the decode may cost.
        max_bytes: of a scalable file, draw only what so many bytes of it say.

    Returns:
        The picture, ``(height, width, channels)`` of the view, with its alpha and metadata.

    Raises:
        BitstreamError: not a valid file, or one that asks for more than the limits (``LimitError``).
        InrError: a file without layers is larger than ``max_bytes``, or the shortest cut of one with them.
        ValueError: the view makes no sense for this picture.
    """
    limits, view = (limits or Limits()).of_file(len(data)), view or View()
    # A view is judged by what is drawn of it, and may be a small part of a picture that is over the limits.
    container = read(data, limits if view.whole else replace(limits, max_pixels=limits.max_side**2))
    limits.check_work(_work(container, view, limits))
    if max_bytes is not None and len(data) > max_bytes:
        return draw(truncated(extract(container, limits), max_bytes, limits), view, limits)
    return draw(extract(container, limits), view, limits)


def truncated(stream: Stream, cap: int, limits: Limits | None = None) -> Stream:
    """The cut of a scalable file that shows the most.

    That is all that fits (:func:`inrcodec.format.cut.cut_to`), unless it ends in a layer of which too little fits to
    show more than the layer below. The picture itself is not here to tell; but a whole layer is nearer to it than
    either, and what either lacks of that is, on average, what it lacks of the picture more.

    Args:
        stream: what the file says.
        cap: bytes it may have.
        limits: what each of three drawings may cost, if not what a decode of the file may; of a picture that is over
            them a layer is left out of which less than half fits.

    Raises:
        InrError: see :func:`inrcodec.format.cut.cut_to`.
    """
    cut = cut_to(stream, cap)
    if cut is stream or not isinstance(cut.arch, LayeredArch) or not cut.arch.refinements:
        return cut
    below, layer = (ended_with(stream, cut.arch.refinements - back) for back in (1, 0))
    if all(map(np.array_equal, cut.latents or (), layer.latents or ())):
        return cut
    limits = limits or Limits().of_file(len(stream.data))
    try:
        whole, shown, before = (
            draw(replace(part, extras=Extras()), limits=limits).array for part in (layer, cut, below)
        )
    except LimitError:
        return cut if 2 * len(cut.data) >= len(below.data) + len(layer.data) else below
    return cut if psnr(whole, shown) > psnr(whole, before) + _CLEARLY else below


def decoding_work(data: bytes) -> int:
    """Work that decoding a whole file takes; see :mod:`inrcodec.net.work`.

    Raises:
        BitstreamError: not a valid file.
    """
    return _work(read(data), View(), Limits())


def _work(container: Container, view: View, limits: Limits) -> int:
    """Work of decoding a file and drawing a view of it, with that of a network for its alpha."""
    arch, header = describe(container, limits), container.header
    live = live_grids(container) if isinstance(arch, GridArch) else None
    work = coding_work(container) + _drawing_work(arch, (header.width, header.height), view, limits, live)
    inner = nested(container, limits)
    return work if inner is None else work + _work(inner, view, limits)


def _drawing_work(
    arch: Arch | GridArch, size: tuple[int, int], view: View, limits: Limits, live: Sequence[bool] | None
) -> int:
    """What drawing a view takes, once its size is checked; ``live`` grids are those that are not zero."""
    drawn = view.size(*size)
    if max(drawn) > limits.max_side * 64:
        raise LimitError(f"an output of {drawn[0]}x{drawn[1]} is out of bounds: its sides are over 64 times the limit")
    window = view.window(*drawn)
    limits.check_size(*window[2:])
    if isinstance(arch, GridArch):
        return canvas_work(arch, size, drawn, window, live or ())
    return siren_work(arch, window[2] * window[3])


def draw(stream: Stream, view: View | None = None, limits: Limits | None = None) -> Pixels:
    """Evaluate a stream's network over the view; see :func:`decode_pixels`."""
    limits, view = limits or Limits(), view or View()
    header, arch = stream.header, stream.arch
    size, live = (header.width, header.height), None
    if isinstance(arch, GridArch):
        latents = stream.latents or ()
        live = [any(plane.any() for plane in latents[grid :: arch.grids]) for grid in range(arch.grids)]
    work = _drawing_work(arch, size, view, limits, live)
    limits.check_work(work)
    drawn = view.size(*size)
    window, depth = view.window(*drawn), view.depth or header.depth
    rows, paint = _painter(stream, drawn, slice(window[0], window[0] + window[2]))
    array = _levels(paint, rows, window, arch.outputs, depth)
    return Pixels(array, depth, _opacity(stream, view, limits, work), _metadata(stream, limits))


def _levels(paint: _Paint, strip: int, window: tuple[int, int, int, int], channels: int, depth: int) -> NDArray[Any]:
    """A window, ``(rows, columns, channels)``, painted so many rows at a time."""
    _, y, w, h = window
    array = np.empty((h, w, channels), dtype=np.uint8 if depth == 8 else np.uint16)
    for top in range(0, h, strip):
        deep = min(strip, h - top)
        with np.errstate(all="ignore"):  # a hostile file may overflow; NaN is drawn as black
            samples = np.nan_to_num(paint(slice(y + top, y + top + deep)))
        array[top : top + deep] = Pixels.from_unit(samples, deep, w, depth).array
    return array


def _metadata(stream: Stream, limits: Limits) -> Metadata:
    body = stream.extras.metadata
    return Metadata() if body is None else read_metadata(body, limits)


def _opacity(stream: Stream, view: View, limits: Limits, work: int) -> NDArray[Any] | None:
    """The alpha as the view shows it, ``work`` having gone into the colours; None for an opaque picture."""
    header, body = stream.header, stream.extras.alpha
    if body is None:
        return None
    alpha = read_alpha(body, header, limits)
    if alpha.nested is not None:
        coded = sum(plane.size for plane in stream.latents or () if plane.any())
        left = limits.less(work=work, latents=coded)
        return draw(extract(alpha.nested, left), view, left).array[:, :, 0]
    limits.check_size(header.width, header.height)  # all of it is expanded, whatever the view
    plane, depth = alpha.plane(header), view.depth or header.depth
    drawn = view.size(header.width, header.height)
    x, y, w, h = window = view.window(*drawn)
    if drawn == (header.width, header.height) and depth == header.depth:
        return np.ascontiguousarray(plane[y : y + h, x : x + w])
    canvas = PlaneCanvas(plane, (1 << header.depth) - 1, drawn, slice(x, x + w))
    levels = _levels(lambda rows: canvas.rows(rows.start, rows.stop), max(1, STRIP // w), window, 1, depth)
    return levels[:, :, 0]


def _painter(stream: Stream, drawn: tuple[int, int], columns: slice) -> tuple[int, _Paint]:
    """How many rows to draw at a time, and what draws them: samples in raster order, ``(pixels, outputs)``."""
    header, arch, tensors = stream.header, stream.arch, stream.tensors()
    if isinstance(arch, GridArch):
        seen = drawn_latents(arch, stream.latents or ())
        canvas = Canvas(arch, drawing(arch, tensors), seen, (header.width, header.height), drawn, columns)
        return canvas.strip, lambda rows: canvas.rows(rows.start, rows.stop).reshape(arch.outputs, -1).T
    u, v = axes(header.width, header.height, *drawn)
    strip = max(1, STRIP // (columns.stop - columns.start))
    return strip, lambda rows: render(arch, tensors, u[columns], v[rows])
