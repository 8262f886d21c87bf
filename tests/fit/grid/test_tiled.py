"""Whole encodes in tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inrcodec.coding import wavefront
from inrcodec.decoder import decode_pixels
from inrcodec.encoder import EncodeOptions, Progress, Target, encode_pixels, plan, tile_side
from inrcodec.errors import TargetError
from inrcodec.fit.architectures import session_of
from inrcodec.fit.descent import Diverged
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.scalable import ScalableSession
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.grid.tile import TileDescent
from inrcodec.fit.grid.tiled import TiledSession
from inrcodec.fit.grid.tiles import tile_config
from inrcodec.format.stream import pack, unpack
from inrcodec.metrics import psnr
from inrcodec.pixels import Pixels

QUICK = EncodeOptions(
    effort=1, arch="grid", threads=1, tile=64, overrides=(("landing", "1"), ("steps", "40"), ("gates", "none"))
)
CAP = 1200
TARGET = Target("bytes", CAP)


def picture(height: int = 64, width: int = 160) -> Pixels:
    """Waves, with something to spend bytes on."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / (9 + c)) + np.cos(y / (11 + c)) for c in range(3)], -1)
    waves += np.random.default_rng(0).normal(0, 0.15, waves.shape)
    return Pixels(((waves.clip(-2, 2) + 2) / 4 * 255).astype(np.uint8))


def after(phase: str) -> tuple[Callable[[Progress], None], Callable[[], bool]]:
    """An observer, and whether it has heard of a phase."""
    heard: list[str] = []
    return lambda progress: heard.append(progress.phase), lambda: any(name.startswith(phase) for name in heard)


@pytest.fixture(scope="module")
def whole() -> bytes:
    """The file of the picture, in tiles."""
    return encode_pixels(picture(), TARGET, QUICK).data


def test_a_picture_in_tiles_keeps_its_promises() -> None:
    coded = encode_pixels(picture(), TARGET, QUICK)
    assert 0.95 * CAP <= len(coded.data) <= CAP
    assert psnr(picture().array, decode_pixels(coded.data).array) == pytest.approx(coded.report.psnr, abs=0.01)
    assert coded.report.psnr > 20


def test_large_pictures_are_fitted_in_tiles_and_others_where_that_is_asked_for() -> None:
    usual, target = EncodeOptions(), Target("bpp", 0.3)
    assert session_of(usual, target, 24 * 10**6) is TiledSession
    assert session_of(usual, target, 768 * 512) is GridSession
    assert session_of(replace(usual, tile=0), target, 24 * 10**6) is GridSession
    assert session_of(replace(usual, tile=256), target, 768 * 512) is TiledSession
    assert session_of(replace(usual, tile=1024), target, 768 * 512) is GridSession  # one tile would be all of it
    assert session_of(replace(usual, scalable=True), target, 24 * 10**6) is ScalableSession
    assert tile_side(usual, 24 * 10**6) > 0
    with pytest.raises(ValueError, match="--tile is for --arch grid"):
        session_of(replace(usual, tile=256, arch="siren"), target, 768 * 512)
    with pytest.raises(ValueError, match="scalable"):
        EncodeOptions(tile=256, scalable=True)


def test_seams_are_no_worse_than_what_is_between_them() -> None:
    original, error = picture(128, 128), np.zeros((128, 128))
    for seed in range(3):  # of one alone the two differ by some percent either way
        drawn = decode_pixels(encode_pixels(original, Target("bytes", 1800), replace(QUICK, seed=seed)).data).array
        error += ((drawn.astype(float) - original.array) ** 2).mean(-1)
    near = np.zeros(error.shape, bool)
    near[60:68] = near[:, 60:68] = True
    assert error[near].mean() <= 1.05 * error[~near].mean()


def test_an_interrupted_encode_goes_on_where_it_was(tmp_path: Path, whole: bytes) -> None:
    kept = replace(QUICK, checkpoint=tmp_path / "fit.ckpt")
    for phase in ("fit", "tile 2"):
        observer, stop = after(phase)
        cut = encode_pixels(picture(), TARGET, replace(kept, resume=True), observer=observer, stop=stop)
        assert cut.report.interrupted
        assert len(cut.data) <= CAP
    resumed = encode_pixels(picture(), TARGET, replace(kept, resume=True))
    assert resumed.data == whole
    assert resumed.report.steps > 0


def test_a_tile_that_was_begun_goes_on_in_its_middle(tmp_path: Path, whole: bytes) -> None:
    kept = replace(QUICK, checkpoint=tmp_path / "fit.ckpt", overrides=(*QUICK.overrides, ("save_every", "0.0")))
    plain = encode_pixels(picture(), TARGET, replace(QUICK, overrides=kept.overrides))
    observer, stop = after("tile 3")
    encode_pixels(picture(), TARGET, kept, observer=observer, stop=stop)
    assert encode_pixels(picture(), TARGET, replace(kept, resume=True)).data == plain.data
    assert whole


def test_what_is_missing_after_an_interrupt_is_drawn_in_haste() -> None:
    observer, stop = after("tile 1")
    coded = encode_pixels(picture(), TARGET, QUICK, observer=observer, stop=stop)
    drawn = decode_pixels(coded.data).array.astype(float)
    error = ((drawn - picture().array) ** 2).mean(-1)
    assert error[:, 128:].mean() < picture().array.var()
    assert len(coded.data) <= CAP


def test_a_price_in_place_of_a_size() -> None:
    penalized = replace(QUICK, method="penalized")
    cheap, dear = (len(encode_pixels(picture(), Target("lambda", p), penalized).data) for p in (3e-4, 3e-3))
    assert cheap > dear


def test_a_quality_is_reached() -> None:
    coded = encode_pixels(picture(64, 96), Target("psnr", 22.0), QUICK)
    assert coded.report.psnr >= 22.0


def test_a_cap_below_the_smallest_file_says_so() -> None:
    with pytest.raises(TargetError) as caught:
        encode_pixels(picture(), Target("bytes", 40), QUICK)
    assert caught.value.smallest_bytes is not None


def test_the_time_allowed_is_kept() -> None:
    slow = replace(QUICK, max_time=4.0, overrides=(("steps", "100000"),))
    coded = encode_pixels(picture(), TARGET, slow)
    assert coded.report.seconds < 20
    assert coded.report.steps < 50_000


def test_a_plan_counts_tiles() -> None:
    once, tiled = (plan(4000, 3000, 3, Target("bpp", 0.3), EncodeOptions(tile=tile)).seconds for tile in (0, 1280))
    assert tiled < once


def test_large_grids_are_written_in_pieces_and_the_bytes_are_the_same(
    monkeypatch: pytest.MonkeyPatch, whole: bytes
) -> None:
    stream = unpack(whole)
    monkeypatch.setattr(wavefront, "PIECE", 300)
    assert pack(stream) == whole


@pytest.mark.parametrize("depth", [8, 16])
def test_gray_pictures_with_an_opacity(depth: int) -> None:
    colours = picture()
    kind, times = (np.uint8, 1) if depth == 8 else (np.uint16, 257)
    gray = (colours.array[:, :, :1].astype(np.int64) * times).astype(kind)
    fading = np.broadcast_to(np.linspace(0, 255 * times, 160).astype(kind), (64, 160)).copy()
    coded = encode_pixels(Pixels(gray, depth, fading), TARGET, QUICK)
    decoded = decode_pixels(coded.data)
    assert (decoded.array.shape, decoded.array.dtype, len(coded.data) <= CAP) == (gray.shape, gray.dtype, True)
    assert decoded.alpha is not None
    flat = np.full_like(gray, round(float(gray.mean())))
    assert coded.report.psnr > psnr(gray, flat) + 3


def test_a_tile_that_diverges_is_tried_again_more_gently(whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, rates, step = tile_config(GridConfig()).latent_lr, list[float](), TileDescent.step

    def wild(self: TileDescent) -> None:
        if not self.done:
            rates.append(self.config.latent_lr)
        if self.config.latent_lr == usual and len(rates) == 3:
            raise Diverged("boom")
        step(self)

    monkeypatch.setattr(TileDescent, "step", wild)
    coded = encode_pixels(picture(), TARGET, QUICK)
    assert rates.count(usual / 2) == 1
    assert set(rates) == {usual, usual / 2}
    assert coded.data != whole
    assert len(coded.data) <= CAP
