from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inrcodec.bench.codecs.pillow import PillowCodec, to_picture
from inrcodec.bench.measure import measure
from inrcodec.encoder import Progress
from inrcodec.metrics import psnr

TINY = "tiny=inr:effort=1,layers=2x8,set.steps=20,set.candidates=1"


def _draw(path: Path, width: int, height: int, mode: str = "RGB") -> Path:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    samples = np.stack([x, y, 128 + 100 * np.sin(x / 9)], axis=2).astype(np.uint8)
    Image.fromarray(samples).convert(mode).save(path)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return _draw(tmp_path / "waves.png", 176, 168)


def test_a_target_gives_one_row(picture: Path, tmp_path: Path) -> None:
    (row,) = measure("jpeg-opt", picture, 0.5, effort=1, threads=1, keep=tmp_path / "coded")
    assert (row.picture, row.width, row.height, row.codec, row.kind) == ("waves", 176, 168, "jpeg-opt", "target")
    assert (row.error, row.seed, row.target_bpp) == ("", -1, 0.5)
    cap = math.floor(0.5 * 176 * 168 / 8)
    assert row.use == row.bytes / cap <= 1
    assert row.bpp == 8 * row.bytes / (176 * 168)
    assert row.setting.startswith("quality ")
    assert row.versions.startswith("Pillow ")
    assert row.encode_seconds > 0 < row.decode_seconds
    assert row.peak_mb > 10
    assert 0.5 < row.ms_ssim < 1
    coded = (tmp_path / "coded").read_bytes()
    assert len(coded) == row.bytes
    assert row.psnr == psnr(to_picture(coded), np.asarray(Image.open(picture)))


def test_a_file_that_cannot_be_small_enough_uses_more_than_its_cap(picture: Path) -> None:
    (row,) = measure("jpeg", picture, 0.01)
    assert row.use > 1
    assert row.error == ""


def test_a_sweep_gives_a_row_for_every_setting(picture: Path, tmp_path: Path) -> None:
    rows = measure("jpeg", picture, None, keep=tmp_path / "coded")
    assert len(rows) >= 10
    assert {row.kind for row in rows} == {"sweep"}
    assert all(math.isnan(row.target_bpp) and math.isnan(row.use) for row in rows)
    assert rows[0].bytes < rows[-1].bytes
    assert not (tmp_path / "coded").exists()


def test_ours_is_measured_like_the_others(picture: Path) -> None:
    heard: list[Progress] = []
    (row,) = measure(TINY, picture, 0.15, effort=5, threads=1, observer=heard.append)
    assert (row.codec, row.setting, row.seed, row.error) == ("tiny", "2x8 effort 1", 0, "")
    assert 0 < row.use <= 1
    assert heard
    assert measure(TINY, picture, None) == []


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16"])
def test_any_picture_is_measured_in_rgb_of_eight_bits(tmp_path: Path, mode: str) -> None:
    (row,) = measure("jpeg", _draw(tmp_path / "odd.png", 40, 30, mode), 16.0)
    assert row.error == ""
    assert row.psnr > 25
    assert math.isnan(row.ms_ssim)


def test_what_goes_wrong_is_a_row_with_the_reason(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = measure("jpeg", tmp_path / "missing.png", 0.5)
    assert row.error.endswith("missing.png: No such file or directory")
    (row,) = measure(TINY, picture, 0.0005)
    assert "smallest" in row.error
    assert (row.codec, row.target_bpp, row.width, row.bytes) == ("tiny", 0.0005, 176, 0)
    assert math.isnan(row.psnr)

    def fail(*_: Any) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(PillowCodec, "within", fail)
    (row,) = measure("jpeg", picture, 0.5)
    assert row.error == "two lines"
    monkeypatch.setattr(PillowCodec, "available", lambda self: "jpeg: not built in")
    (row,) = measure("jpeg", picture, None)
    assert (row.error, row.kind) == ("jpeg: not built in", "sweep")


@pytest.mark.parametrize(("spec", "bpp"), [("jpg", 0.3), ("inr:effort=11", 0.3), ("jpeg", 0.0), ("jpeg", math.nan)])
def test_jobs_that_make_no_sense_are_refused(picture: Path, spec: str, bpp: float) -> None:
    with pytest.raises(ValueError, match=r".+"):
        measure(spec, picture, bpp)
