from __future__ import annotations

import pytest

from inrcodec.encoder import EncodeOptions, Progress, Target, encode_pixels
from inrcodec.fit import teller
from inrcodec.fit.teller import Teller
from inrcodec.pixels import Pixels

QUICK = EncodeOptions(
    effort=1, threads=1, overrides=(("steps", "150"), ("landing", "3"), ("batch", "512"), ("lr", "1e-3"))
)


def test_progress_tells_a_story(monkeypatch: pytest.MonkeyPatch, picture: Pixels) -> None:
    monkeypatch.setattr(teller, "TELL_SECONDS", 0.0)
    told: list[Progress] = []
    encode_pixels(picture, Target("bytes", 400), QUICK, observer=told.append)
    phases = list(dict.fromkeys(p.phase for p in told))
    assert phases == ["fit", "quantise", "round", "land", "check"]
    fits = [p for p in told if p.phase in ("fit", "quantise", "round")]
    assert fits[-1].step == fits[-1].steps == 150
    assert fits[-1].psnr > fits[0].psnr
    assert fits[-1].bpp * picture.count / 8 < 420


def test_the_first_and_the_last_step_are_told_and_few_between() -> None:
    told: list[Progress] = []
    speaker = Teller(told.append, 100)
    for step in range(6):
        speaker.tell("fit", step, 5, mse=0.01, bits=50.0)
    assert [one.step for one in told] == [0, 5]
    assert told[0].psnr == pytest.approx(20.0)
    assert told[0].bpp == 0.5


def test_nobody_need_listen() -> None:
    Teller(None, 100).tell("fit", 0, 5)
