"""Alpha and metadata as a person meets them. Each encode is tiny, but real."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inrcodec.decoder import View, decode_pixels, probe
from inrcodec.image import load_image

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]

TINY = ("-s", "500", "-e", "1", "-j", "1", "--layers", "2x8", "--set", "steps=20", "--set", "candidates=1")


@pytest.fixture
def see_through(tmp_path: Path) -> Path:
    """A ramp with a hole in it, and what a camera would say."""
    y, x = np.mgrid[:16, :24]
    samples = np.stack([10 * x, 15 * y, 255 - 10 * x, 255 * (abs(x - 12) > 4)], 2).astype(np.uint8)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A maker", 3
    Image.fromarray(samples).save(tmp_path / "a.png", exif=exif)
    return tmp_path / "a.png"


def test_there_and_back(run: Run, see_through: Path, tmp_path: Path, capsys: Capture) -> None:
    coded, back = tmp_path / "a.inr", tmp_path / "back.png"
    assert run("encode", see_through, *TINY, "--metadata", "exif", "--json") == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert coded.stat().st_size == report["bytes"] <= 500
    assert (report["alpha"], report["alpha_psnr"]) == ("lossless", None)
    assert f"alpha lossless {report['alpha_bytes']} bytes" in captured.err
    assert "metadata kept: exif" in captured.err
    assert run("decode", coded, "-o", back, "-q") == 0
    capsys.readouterr()

    with Image.open(back) as image:
        assert image.mode == "RGBA"
        assert image.getexif()[0x010F] == "A maker"
        assert image.getexif()[0x0112] == 1
        alpha = np.asarray(image)[:, :, 3]
    np.testing.assert_array_equal(alpha, load_image(see_through).pixels.alpha)

    assert run("compare", see_through, coded, "--json") == 0
    assert json.loads(capsys.readouterr().out)["psnr"] == pytest.approx(report["psnr"], abs=0.01)
    assert run("compare", see_through, back) == 0
    assert "alpha    inf (equal)" in capsys.readouterr().out
    assert run("verify", coded, "--against", see_through) == 0
    assert f"{report['psnr']:.2f} dB, alpha inf dB" in capsys.readouterr().out


def test_a_dry_run_counts_both(run: Run, see_through: Path, capsys: Capture) -> None:
    assert run("encode", see_through, *TINY, "--metadata", "exif", "--json", "-q", "-f") == 0
    report = json.loads(capsys.readouterr().out)
    assert run("encode", see_through, *TINY, "--metadata", "exif", "--json", "-q", "--dry-run") == 0
    expected = json.loads(capsys.readouterr().out)
    for name in ("cap_bytes", "alpha", "alpha_bytes", "metadata_bytes"):
        assert expected[name] == report[name], name
    assert run("encode", see_through, *TINY, "--metadata", "exif", "-q", "--dry-run") == 0
    words = f"at most 500 bytes (alpha lossless, {report['alpha_bytes']}; metadata {report['metadata_bytes']})"
    assert words in capsys.readouterr().out
    assert run("encode", see_through, "-p", "25", "-q", "--dry-run") == 0
    assert f"allows (alpha at most {report['alpha_bytes']})" in capsys.readouterr().out
    assert run("encode", see_through, "-s", "60", "-q", "--dry-run") == 3


def test_a_dry_run_counts_an_alpha_that_would_be_fitted(run: Run, tmp_path: Path, capsys: Capture) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 4)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    assert run("encode", tmp_path / "a.png", "-s", "600", "-q", "--dry-run", "--json") == 0
    both = json.loads(capsys.readouterr().out)
    assert run("encode", tmp_path / "a.png", "-s", "600", "-q", "--dry-run", "--json", "--alpha", "drop") == 0
    alone = json.loads(capsys.readouterr().out)
    assert (both["alpha"], alone["alpha"]) == ("lossy", None)
    assert 0 < both["alpha_bytes"] < 0.25 * 600
    assert both["seconds"] > alone["seconds"]
    assert run("encode", tmp_path / "a.png", "-s", "600", "-q", "--dry-run") == 0
    assert f"(alpha lossy, at most {both['alpha_bytes']})" in capsys.readouterr().out


def test_info(run: Run, see_through: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run("encode", see_through, *TINY, "--metadata", "all", "-q") == 0
    assert run("info", tmp_path / "a.inr") == 0
    text = capsys.readouterr().out
    assert "RGB and alpha (lossless)" in text
    assert "metadata exif" in text
    assert run("info", "-v", "--json", tmp_path / "a.inr") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["alpha"] == "lossless"
    assert list(record["metadata"]) == ["exif"]
    assert sum(section["bytes"] for section in record["sections"]) == record["bytes"]


def test_formats_views_and_what_is_lost(run: Run, see_through: Path, tmp_path: Path, capsys: Capture) -> None:
    coded = tmp_path / "a.inr"
    assert run("encode", see_through, *TINY, "--metadata", "exif", "-q") == 0
    assert run("decode", coded, "-o", tmp_path / "a.ppm") == 0
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "dropped" in line] == [
        f"{coded}: {name} dropped (ppm has no room for it: use png)" for name in ("alpha", "metadata")
    ]
    for name, view in (("b.png", View(scale=2)), ("b.webp", View(crop=(3, 2, 9, 8))), ("b.tif", View())):
        words = {"b.png": ("--scale", "2"), "b.webp": ("--crop", "3,2,9,8"), "b.tif": ()}[name]
        assert run("decode", coded, "-o", tmp_path / name, *words, "--json") == 0
        captured = capsys.readouterr()
        assert "dropped" not in captured.err
        assert json.loads(captured.out)["channels"] == 4
        expected = decode_pixels(coded.read_bytes(), view).samples
        np.testing.assert_array_equal(load_image(tmp_path / name).pixels.samples, expected)


@pytest.mark.parametrize("choice", ["drop", "#203040"])
def test_alpha_that_is_not_wanted(run: Run, see_through: Path, tmp_path: Path, choice: str, capsys: Capture) -> None:
    assert run("encode", see_through, *TINY, "--alpha", choice, "--json") == 0
    captured = capsys.readouterr()
    assert ("alpha channel dropped" in captured.err) == (choice == "drop")
    report = json.loads(captured.out)
    assert report["alpha"] is None
    assert probe((tmp_path / "a.inr").read_bytes()).alpha is None
    if choice == "drop":
        assert run("verify", tmp_path / "a.inr", "--against", see_through) == 0
        assert capsys.readouterr().out.rstrip().endswith(f" {report['psnr']:.2f} dB")


def test_a_profile_stays_with_its_colours(run: Run, tmp_path: Path, capsys: Capture) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for tag, other in ((b"rXYZ", b"tmp1"), (b"gXYZ", b"rXYZ"), (b"tmp1", b"gXYZ")):
        profile = profile.replace(tag, other)
    for text in (b"sRGB", "sRGB".encode("utf-16-be")):
        profile = profile.replace(text, text.replace(b"s", b"z", 1))
    y, x = np.mgrid[:16, :24]
    samples = np.stack([10 * x, 15 * y, 255 - 10 * x], 2).astype(np.uint8)
    Image.fromarray(samples).save(tmp_path / "a.png", icc_profile=profile)
    assert run("encode", tmp_path / "a.png", *TINY, "-s", "1200", "--metadata", "icc", "--json", "-q") == 0
    report = json.loads(capsys.readouterr().out)
    assert run("decode", tmp_path / "a.inr", "-o", tmp_path / "b.png", "-q") == 0
    with Image.open(tmp_path / "b.png") as image:
        assert image.info["icc_profile"] == profile
    # The original's own colours are compared, whichever side it is on.
    assert run("verify", tmp_path / "a.inr", "--against", tmp_path / "a.png") == 0
    assert capsys.readouterr().out.rstrip().endswith(f" {report['psnr']:.2f} dB")
    assert run("compare", tmp_path / "a.png", tmp_path / "a.inr", "--json") == 0
    assert json.loads(capsys.readouterr().out)["psnr"] == pytest.approx(report["psnr"], abs=0.01)
