"""The search for a quality, on pictures small enough for a test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inrcodec.decoder import decode_pixels
from inrcodec.encoder import EncodeOptions, Target, encode_pixels
from inrcodec.errors import TargetError
from inrcodec.fit import siren
from inrcodec.fit.descent import Diverged
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.train import Trainer, train
from inrcodec.metrics import psnr
from inrcodec.pixels import Pixels

QUICK = EncodeOptions(
    arch="siren",
    effort=1,
    threads=1,
    # So short a fit needs a larger share of its steps for rounding than a real one.
    overrides=(
        ("steps", "150"),
        ("landing", "3"),
        ("batch", "512"),
        ("press", "0.85"),
        ("finish", "0.1"),
    ),
)


def test_a_quality_target_is_reached_with_a_small_file(picture: Pixels) -> None:
    goal = 32.0
    coded = encode_pixels(picture, Target("psnr", goal), QUICK)
    assert psnr(picture.array, decode_pixels(coded.data).array) >= goal
    assert coded.report.psnr < goal + 1.0
    assert coded.report.cap_bytes is None


def test_an_unreachable_quality_says_how_far_it_got() -> None:
    noise = Pixels(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8))
    with pytest.raises(TargetError, match="the best was") as caught:
        encode_pixels(noise, Target("psnr", 70), replace(QUICK, overrides=(*QUICK.overrides, ("steps", "12"))))
    assert caught.value.best_psnr is not None


def test_the_search_goes_on_although_finishes_diverge(picture: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    finishes: list[tuple[bytes, float | None]] = []

    def explosive(trainer: Trainer, **rest: Any) -> FittedNet:
        if trainer.done > 0:
            finishes.append((trainer.model.weights.detach().numpy().tobytes(), trainer.budget))
            raise Diverged("boom")
        return train(trainer, **rest)

    monkeypatch.setattr(siren, "train", explosive)
    coded = encode_pixels(picture, Target("psnr", 30.0), QUICK)
    assert coded.report.psnr >= 30.0
    assert len(finishes) == len(set(finishes)) > 1  # none is tried twice


def test_a_cap_too_small_for_the_net_ends_the_search_not_the_encode(
    picture: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise TargetError("54 bytes cannot hold this network", smallest_bytes=60)

    monkeypatch.setattr(siren.SirenSession, "refit", refuse)
    coded = encode_pixels(picture, Target("psnr", 26.0), QUICK)
    assert psnr(picture.array, decode_pixels(coded.data).array) >= 26.0
