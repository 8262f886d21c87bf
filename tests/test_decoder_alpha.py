"""Files with alpha and metadata, decoded: at any size, within limits, cut, damaged inside."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

import numpy as np
import pytest

import inrcodec
from inrcodec.decoder import View, accounts, anatomy, decode_pixels, decoding_work, probe
from inrcodec.errors import BitstreamError, LimitError
from inrcodec.format.alpha import lossless_alpha, lossy_alpha
from inrcodec.format.container import CRC_BYTES, read
from inrcodec.format.cut import cut_to
from inrcodec.format.extras import Extras, attach
from inrcodec.format.metadata import write_metadata
from inrcodec.format.stream import Stream, pack, unpack
from inrcodec.limits import Limits
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.pixels import Metadata, Pixels

MakeFile = Callable[..., bytes]
MakeStream = Callable[..., Stream]

GRAY = GridArch(0, 2, 2, 1, (2,), (2,), outputs=1)
TEXT = Metadata(xmp=b"<x/>" * 20)


def _plane(depth: int = 8) -> np.ndarray:
    kind = np.uint8 if depth == 8 else np.uint16
    return np.random.default_rng(0).integers(0, 1 << depth, (7, 9)).astype(kind)


@pytest.mark.parametrize(("channels", "depth"), [(1, 8), (3, 8), (1, 16), (3, 16)])
def test_a_lossless_plane_is_one_more_channel(channels: int, depth: int, make_file: MakeFile) -> None:
    plain = make_file(channels=channels, depth=depth)
    data = attach(plain, Extras(lossless_alpha(_plane(depth)), write_metadata(TEXT)))
    array = inrcodec.decode(data)
    assert array.shape == (7, 9, channels + 1)
    np.testing.assert_array_equal(array[:, :, :-1], inrcodec.decode(plain))
    np.testing.assert_array_equal(array[:, :, -1], _plane(depth))
    assert decode_pixels(data).metadata == TEXT
    assert not decode_pixels(plain).metadata


def test_other_depths(make_file: MakeFile) -> None:
    data = attach(make_file(), Extras(lossless_alpha(_plane())))
    wide = decode_pixels(data, View(depth=16)).alpha
    np.testing.assert_array_equal(wide, _plane().astype(np.uint16) * 257)
    deep = attach(make_file(depth=16), Extras(lossless_alpha(_plane(16))))
    narrow = decode_pixels(deep, View(depth=8)).alpha
    np.testing.assert_array_equal(narrow, np.rint(_plane(16) / 257))


VIEWS = [
    View(scale=2),
    View(scale=0.5),
    View(width=20, depth=16),
    View(crop=(2, 1, 5, 3)),
    View(scale=3, crop=(7, 5, 6, 9)),
]


@pytest.mark.parametrize("view", VIEWS)
def test_views(view: View, make_file: MakeFile, make_grid_stream: MakeStream) -> None:
    nested = pack(make_grid_stream(GRAY))
    for body in (lossless_alpha(_plane()), b"\x00\x33", lossy_alpha(nested)):
        data = attach(make_file(), Extras(body))
        pixels = decode_pixels(data, view)
        assert pixels.alpha is not None
        assert pixels.alpha.shape == pixels.array.shape[:2]
        assert pixels.alpha.dtype == pixels.array.dtype
        if body[0] == 0:
            assert np.unique(pixels.alpha).tolist() == [0x33 * (257 if view.depth == 16 else 1)]
        if body[0] == 2:
            np.testing.assert_array_equal(pixels.alpha, decode_pixels(nested, view).array[:, :, 0])
        whole = View(view.scale, view.width, depth=view.depth)
        if view.crop:
            x, y, w, h = view.crop
            np.testing.assert_array_equal(pixels.samples, decode_pixels(data, whole).samples[y : y + h, x : x + w])


def test_info_tells_and_adds_up(make_file: MakeFile, make_grid_stream: MakeStream) -> None:
    plain = make_file()
    data = attach(plain, Extras(lossy_alpha(pack(make_grid_stream(GRAY))), write_metadata(TEXT)))
    about = probe(data)
    assert (about.channels, about.alpha, about.metadata) == (3, "lossy", {"xmp": 80})
    assert [section.name for section in about.sections][-2:] == ["alpha", "metadata"]
    assert sum(section.bytes for section in about.sections) == len(data)
    assert about.as_dict()["alpha"] == "lossy"
    assert not {"alpha", "metadata"} & set(probe(plain).as_dict())
    # What papers count is the network's alone.
    assert accounts(about, anatomy(data)) == accounts(probe(plain), anatomy(plain))


def test_the_work_of_both_networks_is_limited(make_file: MakeFile) -> None:
    colours, gray = make_file(), make_file(channels=1)
    both = decoding_work(colours) + decoding_work(gray)
    data = attach(colours, Extras(lossy_alpha(gray)))
    decode_pixels(data, limits=Limits(max_work=both))
    with pytest.raises(LimitError, match="max_work"):
        decode_pixels(data, limits=Limits(max_work=both - 1))


def test_latents_of_both_are_limited(make_grid_stream: MakeStream) -> None:
    colours = make_grid_stream(GridArch(0, 2, 2, 1, (2,), (2,)))
    gray = make_grid_stream(GRAY)
    count = 2 * sum(plane.size for plane in colours.latents or ())
    data = attach(pack(colours), Extras(lossy_alpha(pack(gray))))
    decode_pixels(data, limits=Limits(max_latents=count))
    with pytest.raises(LimitError, match="latents"):
        decode_pixels(data, limits=Limits(max_latents=count - 1))


def test_cuts_keep_what_is_beside_the_colours(make_grid_stream: MakeStream) -> None:
    layered = LayeredArch(0, 2, 3, 2, (4,), (5,), refinements=2)
    whole = pack(make_grid_stream(layered, width=48, height=40))
    extras = Extras(lossless_alpha(np.full((40, 48), 9, np.uint8)), write_metadata(TEXT))
    data = attach(whole, extras)
    cap = len(whole) // 2
    cut = cut_to(unpack(data), cap)
    assert len(cut.data) <= cap
    assert unpack(cut.data).extras == extras
    plain = cut_to(unpack(whole), cap - extras.bytes)
    np.testing.assert_array_equal(decode_pixels(cut.data).array, decode_pixels(plain.data).array)
    drawn = decode_pixels(data, max_bytes=cap)
    np.testing.assert_array_equal(drawn.samples, decode_pixels(cut.data).samples)


def test_mutations_inside_with_repaired_checksums_are_survived(make_file: MakeFile) -> None:
    """Both CRCs are right, so that what is inside has to be refused, or drawn, for what it is."""
    rng, gray, accepted = random.Random(3), make_file(hidden=(2,), channels=1), 0
    said: set[str] = set()
    at = read(gray).header_bytes - CRC_BYTES
    for _ in range(400):
        damaged = bytearray(gray)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(8, len(gray))] = rng.randrange(256)
        head, body = bytes(damaged[:at]), bytes(damaged[at + CRC_BYTES :])
        inner = head + zlib.crc32(body, zlib.crc32(head)).to_bytes(CRC_BYTES, "big") + body
        data = attach(make_file(hidden=(2,)), Extras(lossy_alpha(inner)))
        try:
            pixels = decode_pixels(data, limits=Limits(max_params=1 << 16, max_work=1 << 26))
        except BitstreamError as error:
            said.add(str(error))
            continue
        assert isinstance(pixels, Pixels)
        assert pixels.alpha is not None
        accepted += 1
    assert 0 < accepted < 400
    assert len(said) > 10
    assert not any("\n" in message for message in said)


def test_mutated_planes_and_texts_with_a_right_checksum_are_survived(make_file: MakeFile) -> None:
    rng, accepted = random.Random(4), 0
    bodies = lossless_alpha(_plane()), write_metadata(TEXT)
    for trial in range(400):
        body = bytearray(bodies[trial % 2])
        for _ in range(rng.randrange(1, 3)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        extras = Extras(metadata=bytes(body)) if trial % 2 else Extras(bytes(body))
        try:
            decode_pixels(attach(make_file(hidden=(2,)), extras))
        except BitstreamError:
            continue
        accepted += 1
    assert 0 < accepted < 400
