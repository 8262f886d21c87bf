"""The encoder as a whole, on pictures small enough for a test: caps, qualities, resuming, stopping."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inrcodec.decoder import decode_pixels, probe
from inrcodec.encoder import EncodeOptions, Progress, Target, encode_pixels, plan
from inrcodec.errors import InrError, TargetError
from inrcodec.fit import siren, teller
from inrcodec.fit.descent import Diverged
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.train import Trainer, train
from inrcodec.metrics import psnr
from inrcodec.pixels import Pixels
from tests.fit.conftest import waves

QUICK = EncodeOptions(
    arch="siren", effort=1, threads=1, overrides=(("steps", "150"), ("landing", "3"), ("batch", "512"), ("lr", "1e-3"))
)
TINY = replace(QUICK, overrides=(*QUICK.overrides, ("steps", "12")))


@pytest.mark.parametrize("method", ["l0", "coin"])
@pytest.mark.parametrize("size", [200, 420])
def test_files_fit_their_cap_and_use_it(picture: Pixels, method: str, size: int) -> None:
    coded = encode_pixels(picture, Target("bytes", size), replace(QUICK, method=method))
    least = 0.98 if method == "l0" else 0.95  # a neuron of 16-bit weights is a large lump of a few hundred bytes
    assert least * size <= len(coded.data) <= size
    assert coded.report.bytes == len(coded.data)
    assert coded.report.use == pytest.approx(len(coded.data) / size)


@settings(max_examples=12, deadline=None)
@given(
    width=st.integers(1, 20), height=st.integers(1, 20), channels=st.sampled_from([1, 3]),
    size=st.integers(60, 500), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_no_picture_and_no_cap_is_ever_exceeded(width: int, height: int, channels: int, size: int, seed: int) -> None:
    pixels = Pixels(np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8))
    coded = encode_pixels(pixels, Target("bytes", size), TINY)
    assert len(coded.data) <= size
    assert decode_pixels(coded.data).array.shape == pixels.array.shape


def test_layers_whose_halves_are_more_than_the_cap_are_refused_before_the_fit(picture: Pixels) -> None:
    options = replace(TINY, method="coin", layers="3x20")
    with pytest.raises(TargetError, match="more than 420") as caught:
        encode_pixels(picture, Target("bytes", 420), options, observer=lambda _: pytest.fail("it began"))
    size = caught.value.smallest_bytes
    assert size is not None
    with pytest.raises(TargetError, match="more than 420"):
        plan(picture.width, picture.height, 3, Target("bytes", 420), options)
    assert len(encode_pixels(picture, Target("bytes", size), options).data) == size
    assert len(encode_pixels(picture, Target("psnr", 8), options).data) == size  # a quality names no cap


def test_a_file_over_its_cap_is_no_result(picture: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siren, "check_dense", lambda *_: None)
    with pytest.raises(InrError, match="more than the cap of 420"):
        encode_pixels(picture, Target("bytes", 420), replace(TINY, method="coin", layers="3x20"))


def test_the_report_tells_what_the_file_decodes_to(picture: Pixels) -> None:
    coded = encode_pixels(picture, Target("bpp", 2.0), QUICK)
    assert psnr(picture.array, decode_pixels(coded.data).array) == pytest.approx(coded.report.psnr, abs=0.01)
    info = probe(coded.data)
    assert (info.arch, info.params) == (coded.report.arch, coded.report.params)
    assert coded.report.bpp <= 2.0


def test_sparse_beats_dense_at_equal_bytes(picture: Pixels) -> None:
    sparse, dense = (
        encode_pixels(picture, Target("bytes", 420), replace(QUICK, method=m)).report.psnr for m in ("l0", "coin")
    )
    assert sparse > dense + 1.0


@pytest.mark.parametrize("pixels", [waves(1, 1), waves(9, 1), waves(1, 9), waves(12, 8, 1)])
def test_odd_sizes_and_gray_work(pixels: Pixels) -> None:
    coded = encode_pixels(pixels, Target("bytes", 150), QUICK)
    decoded = decode_pixels(coded.data)
    assert decoded.array.shape == pixels.array.shape
    assert coded.report.psnr > 15


def test_sixteen_bits_in_sixteen_bits_out() -> None:
    deep = Pixels(waves(20, 12, 1).array.astype(np.uint16) * 257, 16)
    coded = encode_pixels(deep, Target("bytes", 300), QUICK)
    assert decode_pixels(coded.data).depth == 16
    assert psnr(deep.array, decode_pixels(coded.data).array) == pytest.approx(coded.report.psnr, abs=0.01)


def test_same_seed_same_bytes(picture: Pixels) -> None:
    one, two, other = (encode_pixels(picture, Target("bytes", 300), replace(TINY, seed=s)).data for s in (3, 3, 4))
    assert one == two != other


def test_a_hopeless_cap_names_the_smallest_file(picture: Pixels) -> None:
    with pytest.raises(TargetError) as caught:
        encode_pixels(picture, Target("bytes", 20), TINY)
    smallest = caught.value.smallest_bytes
    assert smallest is not None
    assert len(encode_pixels(picture, Target("bytes", smallest), TINY).data) <= smallest


@pytest.mark.parametrize("target", [Target("bytes", 400), Target("psnr", 21)])
def test_a_killed_encode_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Pixels, target: Target
) -> None:
    eager = replace(QUICK, overrides=(*QUICK.overrides, ("save_every", "0")))
    whole = encode_pixels(picture, target, eager).data
    options = replace(eager, checkpoint=tmp_path / "fit.ckpt", resume=True)
    seen = 0

    class Killed(BaseException):
        pass

    def observer(progress: Progress) -> None:
        nonlocal seen
        seen += 1
        if seen == 40:
            raise Killed

    monkeypatch.setattr(teller, "TELL_SECONDS", 0.0)
    with pytest.raises(Killed):
        encode_pixels(picture, target, options, observer=observer)
    assert (tmp_path / "fit.ckpt").exists()
    assert encode_pixels(picture, target, options).data == whole


def test_a_checkpoint_of_another_picture_is_refused(tmp_path: Path, picture: Pixels) -> None:
    options = replace(TINY, checkpoint=tmp_path / "fit.ckpt")
    encode_pixels(picture, Target("bytes", 300), options)
    with pytest.raises(InrError, match="another encode"):
        encode_pixels(waves(20, 20), Target("bytes", 300), replace(options, resume=True))


def _after(calls: int) -> Callable[[], bool]:
    count = iter(range(10**9))
    return lambda: next(count) >= calls


@pytest.mark.parametrize("calls", [0, 30, 120, 149])
def test_stopping_gives_a_file_under_the_cap(picture: Pixels, calls: int) -> None:
    coded = encode_pixels(picture, Target("bytes", 400), QUICK, stop=_after(calls))
    assert coded.report.interrupted
    assert len(coded.data) <= 400
    assert decode_pixels(coded.data).array.shape == picture.array.shape


def test_max_time_is_kept(picture: Pixels) -> None:
    options = replace(QUICK, max_time=1.0, overrides=(("steps", "1000000"),))
    start = time.monotonic()
    coded = encode_pixels(picture, Target("bytes", 400), options)
    assert time.monotonic() - start < 3.0
    assert len(coded.data) <= 400


def test_racing_seeds_costs_nothing_in_correctness(picture: Pixels) -> None:
    options = replace(TINY, overrides=(*TINY.overrides, ("candidates", "3"), ("race", "10")))
    assert len(encode_pixels(picture, Target("bytes", 300), options).data) <= 300


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (replace(TINY, method="magic"), "no method"),
        (replace(TINY, arch="cube"), "no architecture"),
        (replace(TINY, device="abacus"), "no device"),
        (replace(TINY, layers="many"), "layers look like"),
        (replace(TINY, effort=12), "effort"),
        (replace(TINY, overrides=(("stride", "2"),)), "no setting"),
    ],
)
def test_nonsense_is_named(picture: Pixels, options: EncodeOptions, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        encode_pixels(picture, Target("bytes", 300), options)


def test_plans_match_what_is_done(picture: Pixels) -> None:
    target = Target("bytes", 400)
    expected = plan(picture.width, picture.height, picture.channels, target, QUICK)
    report = encode_pixels(picture, target, QUICK).report
    assert (expected.arch, expected.params, expected.cap_bytes, expected.steps) == (
        report.arch, report.params, report.cap_bytes, report.steps,
    )  # fmt: skip
    assert (
        plan(768, 512, 3, Target("psnr", 30), EncodeOptions()).seconds
        > plan(768, 512, 3, Target("bpp", 0.1), EncodeOptions()).seconds
    )


def test_a_diverging_fit_is_tried_again_more_gently(picture: Pixels) -> None:
    wild = replace(QUICK, overrides=(*QUICK.overrides, ("lr", "0.1"), ("steps", "400")))
    coded = encode_pixels(picture, Target("bytes", 400), wild)
    assert coded.report.psnr > 10  # the first attempt, at the wild rate, ends at 5.4 dB


def test_a_hopelessly_wild_fit_is_one_clear_error(picture: Pixels) -> None:
    hopeless = replace(QUICK, overrides=(*QUICK.overrides, ("lr", "1e6"), ("steps", "400")))
    with pytest.raises(InrError, match="diverged"):
        encode_pixels(picture, Target("bytes", 400), hopeless)


@pytest.mark.parametrize("aim", ["0.9", "1.1"])
def test_a_second_finish_that_diverges_leaves_the_first_fit(
    picture: Pixels, monkeypatch: pytest.MonkeyPatch, aim: str
) -> None:
    attempts: list[float | None] = []

    def explosive(trainer: Trainer, **rest: Any) -> FittedNet:
        if trainer.done > 0:
            attempts.append(trainer.budget)
            raise Diverged("boom")
        return train(trainer, **rest)

    monkeypatch.setattr(siren, "train", explosive)
    coded = encode_pixels(picture, Target("bytes", 400), replace(QUICK, overrides=(*QUICK.overrides, ("aim", aim))))
    assert len(attempts) == 1
    assert len(coded.data) <= 400
    assert coded.report.steps == 150
    assert coded.report.psnr > 15
