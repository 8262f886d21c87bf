from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inrcodec.decoder import View, decode_pixels

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


def _read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_writes_a_sibling_png(run: Run, coded: Path, capsys: Capture) -> None:
    assert run("decode", coded) == 0
    expected = decode_pixels(coded.read_bytes()).array
    np.testing.assert_array_equal(_read(coded.with_suffix(".png")), expected)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "24 x 16" in captured.err


@pytest.mark.parametrize(
    ("name", "words", "kind"),
    [
        ("a.ppm", (), "PPM"),
        ("a.tif", (), "TIFF"),
        ("a.webp", (), "WEBP"),
        ("a.png", (), "PNG"),
        ("odd", ("--format", "png"), "PNG"),
        ("a.png", ("--format", "ppm"), "PPM"),
    ],
)
def test_formats(run: Run, coded: Path, tmp_path: Path, name: str, words: tuple[str, ...], kind: str) -> None:
    assert run("decode", coded, "-o", tmp_path / name, *words) == 0
    with Image.open(tmp_path / name) as image:
        assert image.format == kind
    np.testing.assert_array_equal(_read(tmp_path / name), decode_pixels(coded.read_bytes()).array)


@pytest.mark.parametrize(
    ("words", "view"),
    [
        (("--scale", "2"), View(scale=2)),
        (("--scale", "0.5"), View(scale=0.5)),
        (("--width", "50"), View(width=50)),
        (("--height", "5"), View(height=5)),
        (("--crop", "3,4,5,6"), View(crop=(3, 4, 5, 6))),
        (("--scale", "3", "--crop", "60,30,12,18"), View(scale=3, crop=(60, 30, 12, 18))),
    ],
)
def test_views(run: Run, coded: Path, tmp_path: Path, words: tuple[str, ...], view: View) -> None:
    out = tmp_path / "view.png"
    assert run("decode", coded, "-o", out, *words) == 0
    np.testing.assert_array_equal(_read(out), decode_pixels(coded.read_bytes(), view).array)


def test_sixteen_bits(run: Run, coded: Path, tmp_path: Path) -> None:
    assert run("decode", coded, "-o", tmp_path / "wide.png", "--depth", "16") == 0
    assert (tmp_path / "wide.png").read_bytes()[24] == 16
    assert run("decode", coded, "-o", tmp_path / "wide.webp", "--depth", "16") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--scale", "2", "--width", "9"), ("--width", "9", "--height", "9"), ("--scale", "0"), ("--scale", "-1"),
        ("--width", "0"), ("--crop", "1,2,3"), ("--depth", "12"), ("--format", "gif"), ("--max-pixels", "0"),
        ("-o", "-", "--json"), ("-o", "a", "-O", "b"), ("--crop", "20,0,10,10"),
    ],
)  # fmt: skip
def test_wrong_usage_is_2(run: Run, coded: Path, words: tuple[str, ...], capsys: Capture) -> None:
    assert run("decode", coded, *words) == 2
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in coded.parent.iterdir()) == ["coded.inr"]


def test_limits(run: Run, coded: Path) -> None:
    assert run("decode", coded, "--max-pixels", "383") == 4
    assert run("decode", coded, "--max-pixels", "384") == 0


@pytest.mark.parametrize("data", [b"", b"\x89INR", b"nothing of ours", b"#INRIMAGE-4#{\nXDIM=2\n"])
def test_what_is_not_ours_is_4(run: Run, tmp_path: Path, data: bytes, capsys: Capture) -> None:
    path = tmp_path / "bad.inr"
    path.write_bytes(data)
    assert run("decode", path) == 4
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 1
    assert ("INRIMAGE-4" in captured.err) == data.startswith(b"#INRIMAGE")
    assert not path.with_suffix(".png").exists()


def test_damage_is_4(run: Run, coded: Path, coded_bytes: bytes) -> None:
    coded.write_bytes(coded_bytes[:-1] + bytes([coded_bytes[-1] ^ 1]))
    assert run("decode", coded) == 4
    coded.write_bytes(coded_bytes[:-1])
    assert run("decode", coded) == 4
    assert run("decode", coded.parent / "missing.inr") == 1


def test_unknown_ending_and_overwriting_are_refused(run: Run, coded: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run("decode", coded, "-o", tmp_path / "a.jpg") == 1
    assert "ending" in capsys.readouterr().err
    (tmp_path / "a.png").write_bytes(b"precious")
    assert run("decode", coded, "-o", tmp_path / "a.png") == 1
    assert (tmp_path / "a.png").read_bytes() == b"precious"
    assert run("decode", coded, "-o", tmp_path / "a.png", "-f") == 0


def test_batch_into_a_folder(run: Run, coded: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "bad.inr").write_bytes(b"bad")
    (tmp_path / "two.inr").write_bytes(coded.read_bytes())
    folder = tmp_path / "out"
    words = ("-O", folder, "--format", "tiff", "--json")
    assert run("decode", coded, tmp_path / "bad.inr", tmp_path / "two.inr", *words) == 4
    assert sorted(path.name for path in folder.iterdir()) == ["coded.tif", "two.tif"]
    captured = capsys.readouterr()
    records = [json.loads(line) for line in captured.out.splitlines()]
    assert [record.get("code") for record in records] == [None, 4, None]
    assert records[0]["width"] == 24
    assert captured.err.splitlines()[-1] == "2 of 3 fine, 1 failed"


def test_stdin_and_stdout(
    run: Run, coded: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(coded.read_bytes())))
    assert run("decode", "-", "-q") == 0
    captured = capsysbinary.readouterr()
    assert captured.out.startswith(b"\x89PNG")
    assert captured.err == b""
