from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


def test_text_shows_the_picture_and_the_sections(run: Run, coded: Path, capsys: Capture) -> None:
    assert run("info", coded) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith(str(coded))
    assert "24 x 16, RGB, 8 bits a sample" in captured.out
    size = coded.stat().st_size
    assert f"{size} bytes" in captured.out
    sections = captured.out[captured.out.index("section") :]
    counts = [int(number) for number in re.findall(r"^  \w+ +\d+ +(\d+) ", sections, re.MULTILINE)]
    assert sum(counts) == size
    assert re.search(rf"total +{size}$", sections, re.MULTILINE)


def test_json_adds_up(run: Run, coded: Path, capsys: Capture) -> None:
    assert run("info", coded, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["width"], record["height"], record["channels"], record["depth"]) == (24, 16, 3, 8)
    assert sum(section["bytes"] for section in record["sections"]) == record["bytes"] == coded.stat().st_size
    assert record["bpp"] == pytest.approx(8 * record["bytes"] / 384)
    assert "tensors" not in record


def test_verbose_shows_the_tensors(run: Run, coded: Path, capsys: Capture) -> None:
    assert run("info", coded, "-v", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert sum(tensor["total"] for tensor in record["tensors"]) == record["params"]
    assert all(0 <= tensor["kept"] <= tensor["total"] for tensor in record["tensors"])
    assert run("info", coded, "-v") == 0
    text = capsys.readouterr().out
    assert all(tensor["name"] in text for tensor in record["tensors"])


def test_verbose_counts_as_the_papers_do(run: Run, photo: Path, capsys: Capture) -> None:
    words = ("--method", "magnitude", "--set", "steps=30", "--set", "keep=0.5", "-s", "500", "-e", "1", "-j", "1", "-q")
    assert run("encode", photo, *words, "--layers", "2x8") == 0
    capsys.readouterr()
    assert run("info", photo.with_suffix(".inr"), "-v", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    counts = {account["paper"]: account["bits"] for account in record["accounts"]}
    kept = sum(tensor["kept"] for tensor in record["tensors"])
    assert counts["COIN"] == 16 * record["params"]
    assert counts["L0onie"] == 16 * kept < counts["COIN"]
    coded = {section["name"]: section["bytes"] for section in record["sections"]}
    assert counts["Struempler et al."] == 8 * (coded["laws"] + coded["symbols"]) < 8 * record["bytes"]
    assert run("info", photo.with_suffix(".inr"), "-v") == 0
    out = capsys.readouterr().out
    assert "16 bits for every weight that is not zero" in out
    assert "every byte" in out


def test_grids_are_counted_by_no_paper(run: Run, coded: Path, tmp_path: Path, capsys: Capture) -> None:
    grid = Path(__file__).parents[1] / "golden" / "grid.inr"
    assert run("info", grid, "-v", "--json") == 0
    assert json.loads(capsys.readouterr().out)["accounts"] == []


def test_a_network_for_the_alpha_is_shown_too(run: Run, capsys: Capture) -> None:
    lossy, lossless = (Path(__file__).parents[1] / "golden" / f"alpha_{kind}.inr" for kind in ("lossy", "lossless"))
    assert run("info", lossy, "-v", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert sum(tensor["total"] for tensor in record["tensors"]) == record["params"]
    (size,) = [section["bytes"] for section in record["sections"] if section["name"] == "alpha"]
    assert 0.5 * size < sum(tensor["bits"] for tensor in record["alpha_tensors"]) / 8 < size
    assert run("info", lossy, "-v") == 0
    text = capsys.readouterr().out
    assert all(f"\n  alpha {tensor['name']} " in text for tensor in record["alpha_tensors"])
    assert run("info", lossless, "-v", "--json") == 0
    assert "alpha_tensors" not in json.loads(capsys.readouterr().out)


def test_pixels_are_never_decoded(run: Run, coded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from inrcodec import decoder

    monkeypatch.delattr(decoder, "decode_pixels")
    monkeypatch.delattr(decoder, "render")
    assert run("info", coded) == 0
    assert run("info", coded, "-v") == 0


def test_several_files_and_a_bad_one(run: Run, coded: Path, photo: Path, capsys: Capture) -> None:
    assert run("info", coded, photo) == 4
    captured = capsys.readouterr()
    assert str(coded) in captured.out
    assert "not an inrcodec file" in captured.err
