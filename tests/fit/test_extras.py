"""Encodes of pictures with alpha or metadata: the cap holds for all of the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inrcodec.decoder import decode_pixels, probe
from inrcodec.encoder import EncodeOptions, Target, encode_pixels, encode_stack
from inrcodec.errors import InrError, TargetError
from inrcodec.metrics import picture_psnr, psnr
from inrcodec.pixels import Metadata, Pixels

QUICK = EncodeOptions(effort=1, arch="siren", threads=1, overrides=(("steps", "30"), ("candidates", "1")))
TEXT = Metadata(exif=b"MM\0*" + bytes(range(40)))


def _picture(channels: int = 3, depth: int = 8, kind: str = "mask") -> Pixels:
    y, x = np.mgrid[0:24, 0:32]
    waves = np.stack([0.5 + 0.3 * np.sin(x / 5 + c) + 0.15 * np.cos(y / 4 - c) for c in range(channels)], 2)
    opacity = {
        "mask": (x - 16) ** 2 + (y - 12) ** 2 < 80,
        "soft": (x + y) / 54,
        "noise": np.random.default_rng(0).random((24, 32)),
        "flat": np.full((24, 32), 0.4),
        "nothing": np.zeros((24, 32)),
    }[kind]
    peak, dtype = (1 << depth) - 1, np.uint8 if depth == 8 else np.uint16
    return Pixels((waves * peak).astype(dtype), depth, (opacity * peak).astype(dtype))


@pytest.mark.parametrize(
    ("channels", "depth", "kind", "coded_as"),
    [
        (3, 8, "mask", "lossless"), (1, 16, "mask", "lossless"), (1, 8, "soft", "lossless"), (3, 8, "noise", "lossy"),
        (3, 16, "noise", "lossy"), (3, 8, "flat", "constant"), (3, 8, "nothing", "constant"),
    ],
)  # fmt: skip
def test_an_encode_keeps_its_promises(channels: int, depth: int, kind: str, coded_as: str) -> None:
    picture = replace(_picture(channels, depth, kind), metadata=TEXT)
    coded = encode_pixels(picture, Target("bytes", 600), QUICK)
    report, drawn = coded.report, decode_pixels(coded.data)
    assert len(coded.data) == report.bytes <= 600
    assert report.cap_bytes == 600
    assert report.use is not None
    assert report.use > 0.9
    assert (report.alpha, probe(coded.data).alpha) == (coded_as, coded_as)
    assert drawn.metadata == TEXT
    assert drawn.depth == depth
    assert drawn.alpha is not None
    assert picture.alpha is not None
    assert picture_psnr(picture, drawn.array) == pytest.approx(report.psnr, abs=0.01)
    sections = {section.name: section.bytes for section in probe(coded.data).sections}
    assert (sections["alpha"], sections["metadata"]) == (report.alpha_bytes, report.metadata_bytes)
    if coded_as == "lossy":
        assert report.alpha_psnr == pytest.approx(psnr(picture.alpha, drawn.alpha), abs=0.01)
        assert sections["alpha"] < 0.25 * 600
    else:
        np.testing.assert_array_equal(drawn.alpha, picture.alpha)


def test_a_mask_is_worth_more_than_other_planes() -> None:
    """This one takes between a fifth and two fifths."""
    picture = _picture(kind="noise")
    assert picture.alpha is not None
    picture = replace(picture, alpha=np.where(picture.alpha > 127, 255, 0).astype(np.uint8))
    cap = round(3.2 * encode_pixels(picture, Target("bytes", 600), QUICK).report.alpha_bytes)
    assert encode_pixels(picture, Target("bytes", cap), QUICK).report.alpha == "lossless"
    assert picture.alpha is not None
    soft = picture.alpha.copy()
    soft[12, 16] = 254  # three levels
    assert encode_pixels(replace(picture, alpha=soft), Target("bytes", cap), QUICK).report.alpha == "lossy"


def test_colours_that_nobody_sees_do_not_matter() -> None:
    one = _picture()
    assert one.alpha is not None
    noise = np.random.default_rng(5).integers(0, 256, one.array.shape, dtype=np.uint8)
    other = replace(one, array=np.where(one.alpha[:, :, None] > 0, one.array, noise))
    assert not np.array_equal(one.array, other.array)
    first, second = (encode_pixels(picture, Target("bytes", 500), QUICK) for picture in (one, other))
    assert first.data == second.data
    assert first.report.psnr == second.report.psnr


def test_metadata_alone() -> None:
    picture = replace(_picture(), alpha=None, metadata=TEXT)
    coded = encode_pixels(picture, Target("bpp", 5.0), QUICK)
    assert len(coded.data) <= 480
    assert coded.report.alpha is None
    assert decode_pixels(coded.data).alpha is None
    assert decode_pixels(coded.data).metadata == TEXT


def test_a_quality_is_that_of_the_colours() -> None:
    picture = _picture(1, kind="noise")
    coded = encode_pixels(picture, Target("psnr", 16.0), replace(QUICK, overrides=(("steps", "200"),)))
    drawn = decode_pixels(coded.data)
    assert picture_psnr(picture, drawn.array) >= 16
    assert coded.report.cap_bytes is None
    assert coded.report.alpha is not None


@pytest.mark.parametrize("kind", ["mask", "noise", "flat"])
@pytest.mark.parametrize("arch", ["siren", "grid"])
def test_a_cap_below_the_smallest_file_names_one_that_will_do(kind: str, arch: str) -> None:
    picture = replace(_picture(kind=kind), metadata=TEXT)
    options = replace(QUICK, arch=arch, overrides=(("steps", "3"),))
    with pytest.raises(TargetError, match=r"beside \d+ bytes of alpha and metadata") as caught:
        encode_pixels(picture, Target("bytes", 70), options)
    assert caught.value.smallest_bytes is not None
    assert len(encode_pixels(picture, Target("bytes", caught.value.smallest_bytes), options).data) > 70


def test_methods_of_a_network_alone_have_alpha_too() -> None:
    coin = replace(QUICK, method="coin", layers="1x4", overrides=(("steps", "20"),))
    for options in (coin, replace(QUICK, coder="brotli")):
        coded = encode_pixels(_picture(kind="noise"), Target("bytes", 600), options)
        assert len(coded.data) <= 600
        assert coded.report.alpha == "lossy"


def test_a_killed_encode_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    picture, target = _picture(kind="noise"), Target("bytes", 500)
    kept = replace(QUICK, checkpoint=tmp_path / "a.ckpt")
    first = encode_pixels(picture, target, kept)
    assert (tmp_path / "a.ckpt.alpha").exists()
    again = encode_pixels(picture, target, replace(kept, resume=True))
    assert again.data == first.data
    assert encode_pixels(picture, target, QUICK).data == first.data


def test_in_a_stack_they_stay_alone() -> None:
    plain = replace(_picture(), alpha=None)
    pictures = [_picture(), plain, plain, replace(plain, metadata=TEXT)]
    results = encode_stack(pictures, Target("bytes", 500), replace(QUICK, stack=4))
    for picture, coded in zip(pictures, results, strict=True):
        assert not isinstance(coded, InrError)
        assert len(coded.data) <= 500
        drawn = decode_pixels(coded.data)
        assert (drawn.alpha is None) == (picture.alpha is None)
        assert drawn.metadata == picture.metadata
    alone = encode_pixels(pictures[0], Target("bytes", 500), QUICK)
    assert not isinstance(results[0], InrError)
    assert results[0].data == alone.data
