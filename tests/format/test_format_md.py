"""FORMAT.md against the code: every table, and the Python blocks run on real files."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import brotli
import numpy as np
import pytest

from inrcodec import errors, limits
from inrcodec.coding import laplace, plane
from inrcodec.coding import law as law_module
from inrcodec.coding.law import Law
from inrcodec.coding.plane import FILTERS
from inrcodec.coding.symbols import Symbols
from inrcodec.decoder import decode_pixels
from inrcodec.errors import BitstreamError
from inrcodec.format import container, varint
from inrcodec.format.alpha import Kind, lossless_alpha
from inrcodec.format.container import Header, Tag, read, write
from inrcodec.format.cut import cut_at
from inrcodec.format.extras import Extras, attach
from inrcodec.format.metadata import KINDS, write_metadata
from inrcodec.format.sections import (
    LAW_BYTES,
    GridHead,
    LayersHead,
    write_grid,
    write_laws,
    write_layers,
    write_siren,
)
from inrcodec.format.stream import Stream, pack, unpack
from inrcodec.limits import Limits
from inrcodec.net import grid, upsample
from inrcodec.net.activations import ACTIVATE
from inrcodec.net.arch import Arch
from inrcodec.net.encoding import ENCODINGS, MAX_FREQUENCIES, MAX_HUNDREDTHS, MAX_NERF, MAX_SEED, Encoding
from inrcodec.net.grid import ACTIVATIONS, GridArch
from inrcodec.net.layered import BELOW, MAX_RATIO, MAX_REFINEMENTS, LayeredArch
from inrcodec.net.prior import PRIOR_ARCH, priors
from inrcodec.pixels import Metadata

MakeStream = Callable[..., Stream]
Rows = list[list[str]]

TEXT = (files("inrcodec.format") / "FORMAT.md").read_text(encoding="utf-8")


def _chapter(title: str) -> str:
    """The text below a heading, up to the next one of any level."""
    parts = re.split(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def _table(title: str, number: int = 0) -> Rows:
    """The cells of a chapter's table, without its head and backticks."""
    blocks = re.findall(r"(?:^\|.*\n)+", _chapter(title), flags=re.MULTILINE)
    rows = [[cell.strip().strip("`") for cell in line.strip("|\n").split("|")] for line in blocks[number].splitlines()]
    assert set("".join(rows[1])) == {"-"}
    return rows[2:]


@pytest.fixture(scope="module")
def code() -> dict[str, Any]:
    """What the Python blocks of the page define."""
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL):
        exec(block, names)
    return names


def _as_the_table_says(rows: Rows, values: dict[str, bytes]) -> bytes:
    """Lay out fields in the order of a table; constants come from the table, and lengths must be what it says."""
    out = b""
    for name, size, value in rows:
        field = values.get(name, bytes.fromhex(value) if re.fullmatch(r"([0-9A-F]{2} ?)+", value) else b"")
        field = field or bytes([int(value.split(",")[0])])
        if size.isdigit():
            assert len(field) == int(size), name
        out += field
    return out


def test_the_header_is_laid_out_as_its_table_says() -> None:
    sections = {Tag.SIREN: bytes(200), Tag.HALVES: bytes(3)}
    body = b"".join(sections.values())
    values = {
        "features": b"\x03",
        "width": varint.varint(768),
        "height": varint.varint(5),
        "sections": b"\x02",
        "table": b"".join(bytes([tag]) + varint.varint(len(data)) for tag, data in sections.items()),
    }
    *head, crc = _table("Header")
    assert crc[0] == "crc"
    start = _as_the_table_says(head, values)
    checksum = zlib.crc32(start + body).to_bytes(int(crc[1]), "big")
    assert write(Header(768, 5, 1, 16), sections) == start + checksum + body
    assert [row[0] for row in head] == ["magic", "version", *values]


def test_features() -> None:
    meanings: dict[str, tuple[str, Any]] = {
        "one channel": ("channels", 1),
        "16 bits a sample": ("depth", 16),
        "an opacity, in the section of that name": ("alpha", True),
    }
    clear = {"three channels, R G B": ("channels", 3), "8 bits a sample": ("depth", 8), "opaque": ("alpha", False)}
    found = 0
    for bit, name, meaning, otherwise in _table("Features"):
        value = int(bit, 16)
        found |= value
        assert getattr(container, name) == value
        attribute, expected = meanings[meaning]
        assert Header(1, 1, **{attribute: expected}).features == value
        attribute, expected = clear[otherwise]
        assert getattr(Header(1, 1), attribute) == expected
    assert found == container.KNOWN_FEATURES


def test_sections() -> None:
    assert [(int(tag), name) for tag, name, _ in _table("Sections")] == [(tag.value, tag.name) for tag in Tag]


def test_the_network_is_laid_out_as_its_table_says() -> None:
    rows = _table("SIREN")
    runs = [(3, 8), (1, 300)]
    values = {
        "activation": b"\x02",
        "encoding": b"\x03",
        "frequencies": b"\x09",
        "scale": varint.varint(150),
        "seed": varint.varint(77777),
        "w0_first": b"\x19",
        "w0": b"\x1e",
        "runs": b"\x02",
        "run": b"".join(bytes([count]) + varint.varint(width) for count, width in runs),
    }
    encoding = Encoding("gauss", 9, 150, 77777)
    assert _as_the_table_says(rows, values) == write_siren(Arch((8, 8, 8, 300), 3, 25, 30, "gelu", encoding))
    plain = [row for row in rows if row[0] not in ("frequencies", "scale", "seed")]
    values |= {"activation": b"\0", "encoding": b"\0"}
    assert _as_the_table_says(plain, values) == write_siren(Arch((8, 8, 8, 300), 3, 25, 30))
    assert [name.lower() for name in re.findall(r"\d, the (\w+)", rows[0][2])] == ["sine", "relu", "gelu", "gaussian"]
    assert len(ACTIVATE) == 4
    kinds = re.findall(r"(\d), (bare|NeRF|positional|Gaussian)", rows[1][2])
    assert [int(code) for code, _ in kinds] == list(range(len(ENCODINGS)))
    assert [name.lower()[:5] for _, name in kinds[1:]] == [name[:5] for name in ENCODINGS[1:]]
    assert rows[2][2].startswith(f"m, 1 to {MAX_FREQUENCIES};")
    assert f"1 to {MAX_HUNDREDTHS};" in rows[3][2]
    assert rows[3][2].endswith("at most 2^20")
    assert MAX_NERF == 2**20
    assert "below 2^32" in rows[4][2]
    assert MAX_SEED == 2**32 - 1


def test_tensors() -> None:
    rows = _table("SIREN", 1)
    hidden = (5, 7, 4)
    widths = (26, *hidden)
    expected: list[tuple[str, tuple[int, ...]]] = []
    for name, shape, _ in rows:
        if shape == "(nk+1, nk)":
            first, last = (part.strip() for part in name.split(".."))
            assert (first, last) == ("W0", "W(D-1)")
            expected += [(f"W{k}", (widths[k + 1], widths[k])) for k in range(len(hidden))]
        else:
            sizes = {"(C, nD)": (3, hidden[-1]), "(n1 + .. + nD)": (sum(hidden),), "(C)": (3,)}
            expected.append((name.replace("WD", f"W{len(hidden)}"), sizes[shape]))
    arch = Arch(hidden, encoding=Encoding("nerf", 6, 140))
    assert "4 m + 2\nwith NeRF, 4 m with the positional, 2 m with the Gaussian" in _chapter("SIREN")
    assert [(spec.name, spec.shape) for spec in arch.tensors()] == expected


def test_the_grid_network_is_laid_out_as_its_table_says() -> None:
    values = {
        "prior": b"\x00",
        "octaves": b"\x19",
        "context": b"\x72",
        "activation": b"\x11",
        "w0": b"\x20",
        "layers": b"\x21",
        "widths": bytes([5, 6, 7]),
        "coded": b"\x83\x01",
    }
    coded = (True, True, *[False] * 5, True, True)
    head = GridHead(GridArch(1, 9, 7, 2, (5, 6), (7,), "relu", 32, 1), coded)
    rows = _table("GRID")
    assert _as_the_table_says(rows, values) == write_grid(head)
    assert f"or 1 to {len(priors())}, a row" in rows[0][2]
    assert [int(code) for code in re.findall(r"(\d), the", rows[3][2])] == [0, 1, 2]
    assert [name.lower() for name in re.findall(r"the (\w+)", rows[3][2])][:3] == list(ACTIVATIONS)


@pytest.mark.parametrize(
    "arch",
    [
        GridArch(),
        GridArch(2, 7, 3, 1, (), (), residuals=0),
        GridArch(0, 0, context=(4,), hidden=(5, 6, 7), residuals=2, filtered=True),
        GridArch(1, 5, residuals=1, filtered=True),
    ],
)
def test_grid_tensors(arch: GridArch) -> None:
    context, hidden, grids, channels = (arch.inputs, *arch.context), (arch.grids, *arch.hidden), arch.grids, 3
    deep, wide = (widths[-1] if len(widths) > 1 else 0 for widths in (context, hidden))
    shapes: dict[str, list[tuple[int, ...]]] = {
        "C0 .. C(D-1)": [(context[k + 1], context[k]) for k in range(len(arch.context))],
        "C.out": [(2, deep + arch.inputs)],
        "C.bias": [(grids, sum(arch.context) + 2)],
        "S0 .. S(E-1)": [(hidden[k + 1], hidden[k]) for k in range(len(arch.hidden))],
        "S.out": [(channels, wide + grids)],
        "S.bias": [(sum(arch.hidden) + channels,)],
        "U": [(arch.coarsest, 4)] if arch.coarsest else [],
        "V": [(grids - 1, 4)] if arch.filtered and grids > 1 else [],
        "R0, R1": [(channels, channels, 3, 3)] * arch.residuals,
    }
    rows = _table("GRID", 1)
    assert [row[0] for row in rows] == list(shapes)
    expected = [
        (name if "0" not in name else f"{name[0]}{k}", shape) for name in shapes for k, shape in enumerate(shapes[name])
    ]
    assert [(spec.name, spec.shape) for spec in arch.tensors()] == expected


def test_layers_are_laid_out_as_their_table_says() -> None:
    values = {"layers": b"\x24", "scale": b"\x03", "coded": b"\x07\x80", "waves": varint.varint(300)}
    coded = tuple(k in (0, 1, 2, 15) for k in range(16))
    rows = _table("LAYERS")
    assert _as_the_table_says(rows, values) == write_layers(LayersHead(2, 4, 3, coded, 300))
    assert f"(0 to {MAX_REFINEMENTS}), plus the ratio (2 to {MAX_RATIO})" in rows[0][2]
    assert f"N + {len(BELOW)}" in _table("LAYERS", 1)[1][1]


@pytest.mark.parametrize(
    "arch",
    [
        LayeredArch(0, 3, 7, 2, (5, 6), refinements=2),
        LayeredArch(1, 1, context=()),
        LayeredArch(0, 2, 7, 2, (5, 6), (4,), residuals=2, filtered=True, refinements=3),
    ],
)
def test_refining_tensors(arch: LayeredArch) -> None:
    inputs, deep = arch.inputs + 9, arch.context[-1] if arch.context else 0
    widths = (inputs, *arch.context)
    shapes = {
        "D0 .. D(D-1)": [(widths[k + 1], widths[k]) for k in range(len(arch.context))],
        "D.out": [(2, deep + inputs)],
        "D.bias": [(arch.grids, sum(arch.context) + 2)],
    }
    assert [row[0] for row in _table("LAYERS", 1)] == [*shapes, "TS0 .. TR1"]
    own = [(name if "0" not in name else f"D{k}", shape) for name in shapes for k, shape in enumerate(shapes[name])]
    found, expected = ([(spec.name, spec.shape) for spec in network.tensors()] for network in (arch, arch.base))
    added = [(name, shape) for name, shape in expected if name[0] != "C"]
    for layer in range(arch.refinements):
        expected += [("DEF"[layer] + name[1:], shape) for name, shape in own]
        expected += [("TXY"[layer] + name, shape) for name, shape in added]
    assert found == expected


def test_the_kinds_of_alpha_are_those_of_their_table() -> None:
    assert [(int(code), name) for code, name, _ in _table("ALPHA")] == [(kind.value, kind.name) for kind in Kind]
    assert f"filter, 1 byte, 0 to {FILTERS};" in _table("ALPHA")[1][2]


def test_metadata_is_laid_out_as_its_table_says() -> None:
    parts = {"icc": bytes(300), "exif": b"MM", "xmp": b"<x/>"}
    rows = _table("METADATA")
    entries = b"".join(bytes([k]) + varint.varint(len(part)) for k, part in enumerate(parts.values(), 1))
    start = _as_the_table_says(rows, {"entries": b"\x03", "entry": entries})
    section = write_metadata(Metadata(**parts))
    assert section.startswith(start)
    assert brotli.decompress(section[len(start) :]) == b"".join(parts.values())
    kinds = re.findall(r"(\d), (?:an )?([A-Z]+)", rows[1][2])
    assert [(int(code), name.lower()) for code, name in kinds] == list(enumerate(KINDS, 1))
    assert f"1 to {len(KINDS)}" in rows[0][2]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("code_of_filter", range(FILTERS + 1))
def test_the_blocks_decode_alpha(
    depth: int, code_of_filter: int, make_stream: MakeStream, code: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    opacity = rng.integers(0, 1 << depth, (7, 9)).astype(np.uint8 if depth == 8 else np.uint16)
    filtered = plane._filtered
    monkeypatch.setattr(plane, "FILTERS", 0)  # one that is tried
    monkeypatch.setattr(plane, "_filtered", lambda samples, _: filtered(samples, code_of_filter))
    body = bytearray(lossless_alpha(opacity))
    body[1] = code_of_filter
    monkeypatch.undo()
    data = attach(pack(make_stream(depth=depth)), Extras(alpha=bytes(body)))
    section = read(data).sections[Tag.ALPHA]
    assert section[0] == Kind.LOSSLESS
    levels = code["opacity"](section[1], brotli.decompress(section[2:]), 9, 7, depth)
    assert levels == opacity.ravel().tolist()
    drawn = decode_pixels(data).alpha
    assert drawn is not None
    assert drawn.ravel().tolist() == levels


def test_laws() -> None:
    rows = _table("LAWS")
    assert sum(int(row[1]) for row in rows) == LAW_BYTES
    law = Law(11, 12, 13, 14, 15)
    assert list(write_laws((law,))) == [getattr(law, row[0]) for row in rows]
    for index, (name, _, span, _) in enumerate(rows):
        low, high = (int(end) for end in span.split(" to "))
        integers = [1, 1, 1, 1, 1]
        for value, legal in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
            integers[index] = value
            if legal:
                assert getattr(Law(*integers), name) == value
            else:
                with pytest.raises(BitstreamError):
                    Law(*integers)


def test_limits() -> None:
    for name, value, _ in _table("Limits"):
        places: list[object] = [Limits()] if name.islower() else [limits, varint]
        assert [getattr(place, name) for place in places if hasattr(place, name)] == [int(value)]
    lower = {row[0] for row in _table("Limits") if row[0].islower()}
    assert lower == set(vars(Limits()))
    assert {row[0] for row in _table("Limits")} - lower == {
        name for module in (limits, varint) for name in vars(module) if name.startswith("MAX_")
    }


def test_errors_exist_and_are_bitstream_errors() -> None:
    rows = _table("Reading")
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    named = {name for row in rows for name in re.findall(r"[A-Z][a-z]+[A-Z]\w+|Truncated", row[2])}
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, BitstreamError)}
    assert named == kinds


def test_prose_names_the_other_constants() -> None:
    assert f"`{container.INRIMAGE.decode()}`" in TEXT
    assert f"version {container.VERSION}" in TEXT.splitlines()[0]
    assert len(TEXT.splitlines()) < 490, "one (long) page"


def test_the_blocks_compute_every_code(code: dict[str, Any]) -> None:
    for name, count in (("step_size", 256), ("ratio", 256), ("largest", 144)):
        ours = getattr(law_module, "largest_symbol" if name == "largest" else name)
        assert [code[name](k) for k in range(count)] == [ours(k) for k in range(count)]


@pytest.mark.parametrize("integers", [(1, 128, 255, 255), (5, 7, 40, 60), (40, 255, 3, 250), (143, 1, 90, 255)])
def test_the_blocks_build_the_tables_to_the_last_bit(integers: tuple[int, ...], code: dict[str, Any]) -> None:
    table = law_module.table(Law(0, *integers)).tolist()
    total, sums = 0.0, []
    for probability in table:
        sums.append(total)
        total += probability
    scale = (2**24 - len(table)) / total
    assert code["cumulative"](*integers) == [int(part * scale) + k for k, part in enumerate(sums)] + [2**24]


def _decoded_by_the_page(data: bytes, code: dict[str, Any]) -> tuple[list[list[float]], np.ndarray]:
    """Weights and levels of a file, by the page's own code (the header is read by ours)."""
    parsed = read(data)
    header, sections = parsed.header, parsed.sections
    arch = unpack(data).arch
    assert isinstance(arch, Arch)
    sizes = [spec.size for spec in arch.tensors()]
    if Tag.HALVES in sections:
        flat = list(struct.unpack(f">{arch.params}e", sections[Tag.HALVES]))
        weights = [[flat.pop(0) for _ in range(size)] for size in sizes]
    else:
        laws = [tuple(sections[Tag.LAWS][k : k + 5]) for k in range(0, 5 * len(sizes), 5)]
        if Tag.BROTLI in sections:
            raw, symbols = brotli.decompress(sections[Tag.BROTLI]), []
            for law, size in zip(laws, sizes, strict=True):
                each = 2 if (top := code["largest"](law[1])) > 127 else 1 if top else 0
                part, raw = raw[: each * size], raw[each * size :]
                symbols.append(list(struct.unpack(f">{size}{'bh'[each - 1]}", part)) if each else [0] * size)
            assert raw == b""
        else:
            symbols = code["decode_symbols"](code["Coder"](sections[Tag.SYMBOLS]), laws, sizes)
        weights = [[s * code["step_size"](law[0]) for s in part] for law, part in zip(laws, symbols, strict=True)]
    *matrices, hidden_biases, last_biases = weights
    layers, inputs, rest = [], arch.encoding.inputs, hidden_biases
    for width, flat in zip(arch.hidden, matrices, strict=False):
        layers.append(([flat[k * inputs : (k + 1) * inputs] for k in range(width)], rest[:width]))
        inputs, rest = width, rest[width:]
    last = ([matrices[-1][k * inputs : (k + 1) * inputs] for k in range(arch.outputs)], last_biases)
    drawn = (header.width, header.height)
    kinds, fourier = tuple(ACTIVATE), arch.encoding
    described = ENCODINGS.index(fourier.kind), fourier.frequencies, fourier.hundredths, fourier.seed
    network = layers, last, arch.w0_first, arch.w0, kinds.index(arch.activation), described
    levels = [
        [
            [code["level"](value, header.depth) for value in code["sample"](x, y, *drawn, *drawn, *network)]
            for x in range(header.width)
        ]
        for y in range(header.height)
    ]
    return weights, np.array(levels)


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"halves": True},
        {"hidden": (5,), "channels": 1},
        {"width": 5, "height": 12},
        {"hidden": (4, 4, 9), "depth": 16, "seed": 3},
        {"coder": "brotli"},
        {"activation": "relu:9", "encoding": "nerf:5:1.7"},
        {"activation": "gelu:12:7", "encoding": "positional:3:6"},
        {"activation": "gauss:8", "encoding": "gauss:10:1.25:4294967295", "hidden": (9,)},
    ],
)
def test_the_blocks_are_a_decoder(kind: dict[str, Any], make_stream: MakeStream, code: dict[str, Any]) -> None:
    data = pack(make_stream(**kind))
    weights, levels = _decoded_by_the_page(data, code)
    ours = unpack(data).tensors()
    assert weights == [tensor.ravel().tolist() for tensor in ours.values()]
    pixels = decode_pixels(data)
    assert np.abs(levels - pixels.array.astype(int)).max() <= 1
    assert np.mean(levels != pixels.array) < (0.01 if pixels.depth == 8 else 0.1)


@pytest.mark.parametrize("seed", range(4))
def test_the_blocks_decode_long_streams_and_wide_alphabets(seed: int, code: dict[str, Any]) -> None:
    from inrcodec.coding import rangecoder
    from inrcodec.coding.estimate import fit_law

    rng = np.random.default_rng(seed)
    parts = [np.rint(rng.laplace(0, s, 300)).clip(-3968, 3968).astype(np.int32) for s in (0.1, 2, 90, 1500)]
    laws = [fit_law(part, 0) for part in parts]
    payload = rangecoder.encode(list(zip(laws, parts, strict=True)))
    integers = [(law.step, law.reach, law.zero, law.decay, law.bend) for law in laws]
    assert code["decode_symbols"](code["Coder"](payload), integers, [300] * 4) == [part.tolist() for part in parts]


def test_the_blocks_refuse_what_the_coder_refuses(code: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a stream"):
        code["decode_symbols"](code["Coder"](b"\xff" * 8), [(0, 1, 128, 255, 255)], [1])


def test_the_weights_are_exact_in_single_precision(make_stream: MakeStream) -> None:
    weights = make_stream().weights
    assert isinstance(weights, Symbols)
    extremes = [s * law_module.step_size(code) for code in range(256) for s in (1, 3967, 3968)]
    assert np.array_equal(np.array(extremes, np.float32).astype(np.float64), extremes)


def test_the_blocks_have_the_constants(code: dict[str, Any]) -> None:
    assert tuple(code["CAUSAL"]) == grid.CAUSAL
    assert tuple(code["PARENTS"]) == grid.PARENTS
    assert code["BICUBIC"] == upsample.BICUBIC
    assert code["UNIT"] == upsample.UNIT


@pytest.mark.parametrize("scale", [0, 40, 116, 163, 164, 200, 255])
def test_the_blocks_build_the_masses_to_the_last_bit(scale: int, code: dict[str, Any]) -> None:
    table = laplace.table()
    for fraction in (0, 1, 31, 32, 63):
        assert code["masses"](scale, fraction) == table[scale * 64 + fraction].tolist()
    assert code["masses"](scale) == table[laplace.TAIL + scale].tolist()


def _base(prior: int, arch: GridArch) -> dict[str, np.ndarray]:
    """What the page says weights are added to: the tensors of GRID in order, stretched and averaged as it has them."""
    row = np.load(Path(str(files("inrcodec"))) / "net" / "priors.npy")[prior - 1].astype(np.float64)
    shapes = {
        "C0": (24, 25), "C1": (24, 24), "C.out": (2, 24 + 25), "C.bias": (7, 24 + 24 + 2),
        "S0": (24, 7), "S1": (24, 24), "S.out": (3, 24 + 7), "S.bias": (24 + 24 + 3,),
        "U": (6, 4), "R0": (3, 3, 3, 3),
    }  # fmt: skip
    base, at = {}, 0
    for name, shape in shapes.items():
        base[name] = row[at : at + int(np.prod(shape))].reshape(shape)
        at += base[name].size
    assert at == len(row)
    theirs = [6 - min(octave, 6) for octave in range(arch.coarsest, arch.finest - 1, -1)]
    base["C.bias"], base["S0"] = base["C.bias"][theirs], base["S0"][:, theirs]
    base["S.out"] = np.hstack([base["S.out"][:, :24], base["S.out"][:, 24:][:, theirs]])
    base["U"] = base["U"][[6 - min(octave, 6) for octave in range(arch.coarsest, 0, -1)]]
    if arch.filtered:
        base["V"] = np.zeros((arch.grids - 1, 4))
    if arch.outputs == 1:
        base["S.out"] = base["S.out"].mean(0, keepdims=True)
        base["S.bias"] = np.append(base["S.bias"][:48], base["S.bias"][48:].mean())
        base["R0"] = base["R0"].sum(1, keepdims=True).mean(0, keepdims=True)
    return base


GRIDS = [
    ({}, GridArch(0, 2, 12, 6, (4, 3), (5,), residuals=1)),
    ({"width": 12, "height": 3, "spread": 100.0}, GridArch(0, 1, 3, 1, (), (4, 4), "gelu", residuals=2)),
    ({"depth": 16, "width": 9, "height": 9}, GridArch(1, 3, 14, 11, (6,), (), outputs=1)),
    ({"width": 1, "height": 1}, GridArch(0, 0, 1, 0, (2,), (3,), "relu", residuals=0)),
    ({"prior": 1}, PRIOR_ARCH),
    ({"width": 11, "height": 6}, GridArch(1, 3, 2, 1, (3,), (4,), residuals=1, filtered=True)),
    ({"prior": 3, "width": 9}, replace(PRIOR_ARCH, coarsest=2, filtered=True)),
    ({"prior": 4, "width": 11, "spread": 60.0}, replace(PRIOR_ARCH, finest=1, coarsest=8, outputs=1)),
    ({"prior": 5, "width": 4, "depth": 16}, replace(PRIOR_ARCH, coarsest=2)),
    ({}, LayeredArch(0, 2, 12, 6, (4, 3), (5,), refinements=2)),
    ({"width": 12}, LayeredArch(0, 1, 3, 1, (), (4,), outputs=1, refinements=1, ratio=3, scale=1)),
    ({"prior": 2, "width": 5, "cut": (9, 7)}, LayeredArch.over(replace(PRIOR_ARCH, coarsest=3), 2, scale=1)),
    ({"cut": (1, 5)}, LayeredArch(0, 2, 2, 1, (3,), (5,))),
    ({"width": 11}, LayeredArch(0, 2, 2, 1, (3,), (5,), filtered=True, refinements=3)),
    ({"prior": 3, "cut": (6, 6)}, LayeredArch.over(replace(PRIOR_ARCH, coarsest=2), 2)),
]


def _planes_by_the_page(
    sections: Mapping[Tag, bytes], arch: GridArch, size: tuple[int, int], coder: Any, tensors: dict[str, Any],
    code: dict[str, Any],
) -> tuple[list[list[list[int]]], list[np.ndarray], float]:  # fmt: skip
    """What each grid of the stream adds to the one below, all of the last layer's, and their unit."""
    planes: list[list[list[int]]] = []
    added: list[list[list[int]]] = []
    flags = [sections[Tag.GRID][-1] >> k & 1 for k in range(arch.grids)]
    ratio, refinements, scale, waves = 1, 0, 0, 0
    if Tag.LAYERS in sections:
        first, scale, *rest = sections[Tag.LAYERS]
        refinements, ratio = first >> 4 & 3, first & 15
        count = -(-refinements * arch.grids // 8)
        flags += [rest[k // 8] >> k % 8 & 1 for k in range(refinements * arch.grids)]
        waves = varint.Reader(bytes(rest[count:]), name="waves").varint("waves")
    last = max(k for k, flag in enumerate(flags) if flag)
    for k, flag in enumerate(flags):
        rows, columns = arch.shapes(*size)[k % arch.grids]
        own = planes[k - k % arch.grids :]
        below = None if k < arch.grids else (ratio * np.array(planes[k - arch.grids])).tolist()
        missing, model = below or [[0] * columns for _ in range(rows)], "CDEF"[k // arch.grids]
        inputs = (coder, own, rows, columns, tensors, arch.context, arch.neighbours, arch.parents, below, model)
        grid = code["decode_grid"](*inputs, waves if k == last else 0) if flag else missing
        planes.append(grid)
        added.append((np.array(grid) - (0 if below is None else np.array(below))).tolist())
    return added, [np.array(grid) for grid in planes[-arch.grids :]], float(ratio) ** (scale - refinements)


@pytest.mark.parametrize(("kind", "arch"), GRIDS)
def test_the_blocks_decode_grids(
    kind: dict[str, Any], arch: GridArch, make_grid_stream: MakeStream, code: dict[str, Any]
) -> None:
    stream = make_grid_stream(arch, **{key: value for key, value in kind.items() if key != "cut"})
    if "cut" in kind:
        stream = cut_at(stream, *kind["cut"])
        assert isinstance(stream.arch, LayeredArch)
        arch = stream.arch
    data = pack(stream)
    sections, header = read(data).sections, stream.header
    specs = arch.tensors()
    laws = [tuple(sections[Tag.LAWS][k : k + 5]) for k in range(0, 5 * len(specs), 5)]
    coder = code["Coder"](sections[Tag.SYMBOLS])
    symbols = code["decode_symbols"](coder, laws, [spec.size for spec in specs])
    exact = {
        spec.name: (np.array(part) * code["step_size"](law[0])).reshape(spec.shape)
        for spec, law, part in zip(specs, laws, symbols, strict=True)
    }
    prior = sections[Tag.GRID][0]
    assert prior == kind.get("prior", 0)
    if prior:
        base = _base(prior, arch)
        for layer in range(1, getattr(arch, "refinements", 0) + 1):
            above = _base(max(prior - layer, 1), arch)
            for name in ("C0", "C1", "C.out", "C.bias"):
                blind = np.zeros((len(above[name]), 9 if name in ("C0", "C.out") else 0))
                base["CDEF"[layer] + name[1:]] = np.hstack([above[name], blind])
        exact = {name: base.get(name, 0.0) + part for name, part in exact.items()}
    for name in [name for name in exact if name[0] in "TXY"]:
        exact[name[1:]] = exact[name[1:]] + exact[name]
    tensors = {name: part.tolist() for name, part in exact.items()}
    planes, sums, unit = _planes_by_the_page(sections, arch, (header.width, header.height), coder, tensors, code)
    assert stream.latents is not None
    assert planes == [plane.tolist() for plane in stream.latents]
    grids = [(plane * unit).tolist() for plane in sums[-arch.grids :]]

    size = (header.width, header.height)
    stack = code["upsampled"](grids, tensors.get("U", []), tensors.get("V", []), *size, arch.finest, arch.coarsest)
    activation = ACTIVATIONS.index(arch.activation)
    picture = np.array(
        [
            [code["synthesised"](z, tensors, arch.hidden, activation, arch.w0) for z in zip(*lines, strict=True)]
            for lines in zip(*stack, strict=True)
        ]
    )
    channels = picture.transpose(2, 0, 1).tolist()
    for k in range(arch.residuals):
        channels = code["residual"](channels, tensors[f"R{k}"])
    levels = np.array([[[code["level"](v, header.depth) for v in line] for line in plane] for plane in channels])
    pixels = decode_pixels(data)
    assert np.abs(levels.transpose(1, 2, 0) - pixels.array.astype(int)).max() <= 1
    assert len(np.unique(levels)) > 2


def test_the_page_is_shipped_in_the_package() -> None:
    assert Path(str(files("inrcodec") / "format" / "FORMAT.md")).is_file()
