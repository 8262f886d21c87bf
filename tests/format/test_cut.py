"""Files in layers: their stream, and what is left when they are cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.neighbourhood import wave_count, wave_of, wave_order
from inrcodec.coding.symbols import Symbols
from inrcodec.decoder import anatomy, decode_pixels, probe, truncated
from inrcodec.errors import BitstreamError, InrError, TargetError, Truncated
from inrcodec.format.container import Tag, read, write
from inrcodec.format.cut import cut_at, cut_to, ended_with
from inrcodec.format.sections import LayersHead, read_layers, write_layers
from inrcodec.format.stream import Stream, overhead, pack, unpack
from inrcodec.limits import Limits
from inrcodec.metrics import psnr
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch
from tests.format.test_grid_stream import SIDES, SMALL

MakeStream = Callable[..., Stream]

ARCH = LayeredArch(0, 2, 3, 2, (4,), (5,), refinements=2)
ARCHES = st.builds(LayeredArch.over, SMALL, st.integers(1, 3), st.integers(2, 4), st.integers(0, 3))


def _latents(stream: Stream) -> list[list[list[int]]]:
    return [plane.tolist() for plane in stream.latents or ()]


@given(ARCHES, SIDES, SIDES, st.sampled_from([0, 0.05, 1]), st.integers(0, 9))
@settings(max_examples=60)
def test_what_was_packed_is_unpacked_and_packs_to_the_same_bytes(
    make_grid_stream: MakeStream, arch: LayeredArch, width: int, height: int, density: float, seed: int
) -> None:
    stream = make_grid_stream(arch, width=width, height=height, density=density, seed=seed)
    data = pack(stream)
    back = unpack(data)
    assert (back.arch, back.end, _latents(back)) == (arch, None, _latents(stream))
    assert pack(back) == data
    assert len(anatomy(data)) == len(arch.tensors()) + arch.planes


def test_overhead_is_everything_but_weights_and_latents(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(ARCH, width=40, height=30)
    data = pack(stream)
    payload = len(read(data).sections[Tag.SYMBOLS])
    assert overhead(stream.header, ARCH, payload) == len(data) - payload


def test_every_wave_is_a_place_to_cut(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(ARCH, width=14, height=10)
    sizes: list[tuple[int, int]] = []
    for plane, grid in enumerate(stream.latents or ()):
        for end in range(wave_count(grid.shape) + 1):
            data = pack(cut := cut_at(stream, plane, end))
            sizes.append((len(cut.arch.tensors()), len(data)))
            back = unpack(data)
            assert (back.arch, back.end, _latents(back)) == (cut.arch, cut.end, _latents(cut))
            assert pack(back) == data
            assert decode_pixels(data).array.shape == (10, 14, 3)
            order, waves = wave_order(grid.shape)
            known = order[waves < end]
            if plane < len(back.latents or ()):
                assert back.latents is not None
                assert np.array_equal(back.latents[plane].ravel()[known], grid.ravel()[known])
    assert sizes[-1][1] == len(pack(stream))
    kinds = {kind for kind, _ in sizes}  # networks of a layer come at one go
    assert len(kinds) == 3
    for which in kinds:
        part = [size for kind, size in sizes if kind == which]
        assert np.corrcoef(np.arange(len(part)), part)[0, 1] > 0.9


def test_a_base_alone_is_an_ordinary_file(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(ARCH, width=20, height=14)
    base = cut_at(stream, 2, wave_count((14, 20)))
    assert base.arch == ARCH.base
    assert Tag.LAYERS not in read(pack(base)).sections
    assert isinstance(base.weights, Symbols)
    assert base.weights.arch.tensors() == ARCH.base.tensors()
    data = pack(base)  # shorter than if a wave were missing, which takes saying so
    assert len(pack(cut_at(stream, 2, wave_count((14, 20)) - 1))) >= len(data)
    assert cut_to(stream, len(data)).data == data


def test_a_scale_stays_with_the_base(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(replace(ARCH, scale=1), width=20, height=14)
    base = unpack(pack(cut_at(stream, 2, wave_count((14, 20)))))
    assert isinstance(base.arch, LayeredArch)
    assert (base.arch.refinements, base.arch.scale, base.end) == (0, 1, None)
    assert base.arch.unit(0) == 2.0


@pytest.mark.parametrize("prior", [0, 2])
def test_the_most_that_fits(make_grid_stream: MakeStream, prior: int) -> None:
    arch = ARCH if not prior else LayeredArch(0, 6, 14, 11, (24, 24), (24, 24), refinements=2)
    stream = make_grid_stream(arch, width=50, height=40, prior=prior)
    whole = pack(stream)
    networks, grids = len(pack(cut_at(stream, 0, 0))), arch.grids
    ends = [cut_at(stream, k * grids - 1, wave_count((40, 50))) for k in (1, 2)]
    latents = stream.latents or ()
    first = [next(plane for plane in range(k * grids, (k + 1) * grids) if latents[plane].any()) for k in (1, 2)]
    starts = [min(wave_of(latents[plane].shape)[latents[plane] != 0]) + 1 for plane in first]
    shortest = [len(pack(cut_at(stream, plane, start))) for plane, start in zip(first, starts, strict=True)]
    for cap in np.linspace(networks, len(whole), 13).astype(int).tolist():
        cut = cut_to(stream, cap)
        assert cut.data == pack(cut)
        assert len(cut.data) <= cap
        between = [end for end, start in zip(ends, shortest, strict=True) if len(end.data) <= cap < start]
        if between:  # the networks of a refinement are in the file with a latent of its own, or not at all
            assert cut.data == between[0].data
        else:
            assert len(cut.data) > 0.97 * cap - 25
        assert cut_to(cut, cap).data == cut.data
        drawn = decode_pixels(truncated(stream, cap).data).array
        assert decode_pixels(whole, max_bytes=cap).array.tolist() == drawn.tolist()
    assert cut_to(stream, len(whole)).data == whole
    smaller = cut_to(stream, len(whole) // 2)
    assert cut_to(cut_to(stream, len(whole) * 3 // 4), len(whole) // 2).data == smaller.data
    with pytest.raises(TargetError, match="its shortest cut has") as caught:
        cut_to(stream, networks - 1)
    assert caught.value.smallest_bytes == networks


def test_the_cut_that_shows_more_is_the_one_nearer_to_the_whole_layer(make_grid_stream: MakeStream) -> None:
    seen = 0
    for seed in range(3):
        stream = make_grid_stream(ARCH, width=50, height=40, seed=seed, density=0.3)
        sizes = [len(ended_with(stream, layer).data) for layer in range(3)]
        for layer in (1, 2):
            below, whole = (decode_pixels(ended_with(stream, k).data).array for k in (layer - 1, layer))
            for cap in np.linspace(sizes[layer - 1], sizes[layer], 8).astype(int).tolist():
                most, cut = cut_to(stream, cap), truncated(stream, cap)
                nearer = psnr(whole, decode_pixels(most.data).array) > psnr(whole, below) + 0.2
                assert cut.data == (most if nearer else ended_with(stream, layer - 1)).data
                seen += most.end is not None
    assert seen > 6


def test_a_layer_of_which_too_little_fits_to_show_more_is_left_out(make_grid_stream: MakeStream) -> None:
    arch = LayeredArch(0, 2, 3, 2, (4,), (), residuals=0, refinements=1)
    stream = make_grid_stream(arch, width=50, height=40)
    assert isinstance(stream.weights, Symbols)
    values = [np.full(spec.shape, 9 if spec.name == "S.out" else 0, np.int32) for spec in arch.tensors()]
    laws = [fit_law(value, law.step) for value, law in zip(values, stream.weights.laws, strict=True)]
    latents = [np.zeros_like(plane) for plane in stream.latents or ()]
    latents[2][:] = np.arange(50) % 3  # what the base shows
    latents[3][:], latents[5][:] = 7, -7  # what the layer's finest grid takes back of its coarsest's
    stream = replace(stream, weights=Symbols(arch, tuple(laws), tuple(values)), latents=tuple(latents))
    below, whole = ended_with(stream, 0), ended_with(stream, 1)
    cap = (len(below.data) + 2 * len(whole.data)) // 3
    most = cut_to(stream, cap)
    assert isinstance(most.arch, LayeredArch)
    assert most.arch.refinements == 1
    assert truncated(stream, cap).data == below.data
    unseen = Limits(max_pixels=50)
    assert truncated(stream, cap, unseen).data == most.data  # more than half of the layer
    assert truncated(stream, (2 * len(below.data) + len(whole.data)) // 3, unseen).data == below.data
    assert truncated(stream, len(whole.data)).data == whole.data
    assert decode_pixels(pack(stream), max_bytes=cap).array.tolist() == decode_pixels(below.data).array.tolist()


def test_files_without_layers_cannot_be_cut(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(ARCH.base)
    size = len(pack(stream))
    assert cut_to(stream, size).data == pack(stream)
    with pytest.raises(InrError, match="--scalable"):
        cut_to(stream, size - 1)


def _with_layers(stream: Stream, head: LayersHead) -> bytes:
    container = read(pack(stream))
    return write(container.header, {**container.sections, Tag.LAYERS: write_layers(head)})


ALL = (True,) * 6


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b"", Truncated, "layers"),
        (b"\x22", Truncated, "scale"),
        (b"\x22\x00", Truncated, "flags"),
        (b"\x22\x00\x3f", BitstreamError, "waves"),
        (b"\x22\x00\x7f\x00", BitstreamError, "others set"),
        (b"\x22\x00\x3f\x00\x00", BitstreamError, "too many"),
        (b"\x82\x00\x3f\x00", BitstreamError, "8 refinements"),
        (b"\x42\x00\x05", BitstreamError, "4 refinements"),
        (b"\x21\x00\x3f\x00", BitstreamError, "factor of 1"),
        (b"\x25\x00\x3f\x00", BitstreamError, "factor of 5"),
        (b"\x22\x04\x3f\x00", BitstreamError, "layer 4 cannot"),
        (b"\x02\x00\x00", BitstreamError, "no layers"),
    ],
)
def test_what_is_wrong_is_named(body: bytes, error: type[BitstreamError], words: str) -> None:
    with pytest.raises(error, match=words):
        read_layers(body, ARCH.base)


def test_cuts_that_are_none_are_refused(make_grid_stream: MakeStream) -> None:
    stream = make_grid_stream(ARCH, width=20, height=14)
    whole = wave_count((14, 20))
    for end in (whole, whole + 1, 1 << 20):
        with pytest.raises(BitstreamError, match="no grid ends before wave"):
            unpack(_with_layers(stream, LayersHead(2, 2, 0, ALL, end)))
    with pytest.raises(BitstreamError):  # the stream goes on
        unpack(_with_layers(stream, LayersHead(2, 2, 0, ALL, whole - 9)))
    with pytest.raises(ValueError, match="beyond wave 5"):
        pack(replace(stream, end=5))


def test_layers_need_grids(make_stream: MakeStream) -> None:
    container = read(pack(make_stream()))
    with pytest.raises(BitstreamError, match="do not make a picture"):
        unpack(write(container.header, {**container.sections, Tag.LAYERS: write_layers(LayersHead(2, 2, 0, ALL))}))


def test_sums_over_the_bound_are_refused(make_grid_stream: MakeStream) -> None:
    arch = LayeredArch(0, 0, 1, 0, (), (), refinements=1, ratio=4)
    stream = make_grid_stream(arch, width=1, height=1)
    large = replace(stream, latents=(np.array([[1500]], np.int32), np.array([[7]], np.int32)))
    with pytest.raises(ValueError, match="over 4095"):
        pack(large)
    fine = pack(replace(large, latents=(np.array([[1000]], np.int32), np.array([[7]], np.int32))))
    container = read(fine)
    assert unpack(fine).latents is not None
    four = replace(arch, ratio=2)
    sections = {**container.sections, Tag.LAYERS: write_layers(LayersHead(1, four.ratio, 0, (True,)))}
    assert _latents(unpack(write(container.header, sections))) != []  # whatever it says, it is within bounds


def test_so_are_those_of_a_grid_that_is_missing(make_grid_stream: MakeStream) -> None:
    """A grid that a layer does not refine is ``ratio`` times that of the layer below."""
    arch = LayeredArch(0, 1, 1, 0, (), (), refinements=1, ratio=4)
    stream = make_grid_stream(arch, width=2, height=1)
    files = []
    for large in (1023, 1024):
        grids = [[[large]], [[0, 0]], [[0]], [[5, 5]]]
        stream = replace(stream, latents=tuple(np.array(grid, np.int32) for grid in grids))
        container = read(pack(replace(stream, arch=replace(arch, ratio=2))))
        layers = write_layers(LayersHead(1, 4, 0, (False, True)))
        files.append(write(container.header, {**container.sections, Tag.LAYERS: layers}))
    assert unpack(files[0]).data == files[0]
    with pytest.raises(BitstreamError, match="over 4095, in grid 2"):
        unpack(files[1])
    with pytest.raises(ValueError, match="over 4095"):
        pack(stream)


def test_parts_of_the_file_are_named(make_grid_stream: MakeStream) -> None:
    data = pack(make_grid_stream(ARCH, width=20, height=14))
    names = [part.name for part in anatomy(data)]
    assert names[-9:] == [*(f"grid 1:{k}" for k in (4, 2, 1)), *(f"layer {n} 1:{k}" for n in (1, 2) for k in (4, 2, 1))]
    assert [part.step for part in anatomy(data)][-9:] == [1.0] * 3 + [0.5] * 3 + [0.25] * 3
    assert "layers" in [section.name for section in probe(data).sections]
    assert probe(data).arch.endswith("in 3 layers")


def test_small_drawings_of_layered_files(make_grid_stream: MakeStream) -> None:
    from inrcodec.decoder import View

    data = pack(make_grid_stream(ARCH, width=40, height=32))
    assert decode_pixels(data, View(scale=0.25)).array.shape == (8, 10, 3)
    assert isinstance(unpack(data).arch, GridArch)
