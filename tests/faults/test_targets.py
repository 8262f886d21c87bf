"""Places that take no file: found out before the work, in the name that was asked for, and nothing is left there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inrcodec import encoder
from inrcodec.cli.main import run as run_words

Names = Callable[[Path], list[str]]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command line in this process, with an encoder that must not be reached."""

    def encode_pixels(*_: Any, **__: Any) -> Any:
        pytest.fail("the fit began")

    monkeypatch.setattr(encoder, "encode_pixels", encode_pixels)
    return lambda *words: run_words([str(word) for word in words])


@pytest.fixture
def sources(photo: Path, coded: Path) -> dict[str, tuple[str, Path]]:
    """For each command that writes a file: its input."""
    return {"encode": ("encode", photo), "decode": ("decode", coded), "truncate": ("truncate", coded)}


def _tail(command: str) -> tuple[str, ...]:
    return ("-s", "100") if command == "truncate" else ()


@pytest.mark.parametrize("command", ["encode", "decode", "truncate"])
def test_below_a_file_in_no_folder_and_a_folder(
    run: Any, sources: Any, command: str, folder: Path, names: Names, capsys: Captured
) -> None:
    (folder / "file").write_bytes(b"mine")
    (folder / "sub.png").mkdir()
    for target, code, words in (
        (folder / "file" / "a.png", 1, "Not a directory"),
        (folder / "missing" / "a.png", 1, "there is no such folder to write it to"),
        (folder / "sub.png", 2, "is a folder"),
    ):
        assert run(*sources[command], "-o", target, *_tail(command)) == code
        said = capsys.readouterr().err
        assert f"{target}" in said
        assert words in said
        assert ".tmp" not in said
    assert names(folder) == ["file", "sub.png"]
    assert (folder / "file").read_bytes() == b"mine"
    assert names(folder / "sub.png") == []


@pytest.mark.parametrize("command", ["encode", "decode", "truncate"])
def test_a_folder_of_results_that_is_a_file(
    run: Any, sources: Any, command: str, coded: Path, capsys: Captured
) -> None:
    before = coded.read_bytes()
    assert run(*sources[command], "-O", coded, *_tail(command)) == 2
    assert f"{coded} is a file; -O takes a folder" in capsys.readouterr().err
    assert coded.read_bytes() == before


def test_the_place_beside_the_input_is_a_folder(run: Any, photo: Path, capsys: Captured) -> None:
    photo.with_suffix(".inr").mkdir()
    assert run("encode", photo) == 1
    assert run("encode", photo, "-f") == 1
    assert capsys.readouterr().err.count(f"{photo.with_suffix('.inr')}: is a folder") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has a folder that takes no files, not even root's")
@pytest.mark.parametrize("command", ["encode", "decode", "truncate"])
def test_a_folder_that_takes_no_files(run: Any, sources: Any, command: str, capsys: Captured) -> None:
    assert run(*sources[command], "-o", "/proc/a.png", *_tail(command)) == 1
    assert "/proc/a.png: " in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not stop root")
def test_a_folder_without_permission(run: Any, sources: Any, folder: Path, names: Names, capsys: Captured) -> None:
    folder.chmod(0o555)
    try:
        assert run(*sources["encode"], "-o", folder / "a.inr") == 1
    finally:
        folder.chmod(0o755)
    assert f"{folder / 'a.inr'}: Permission denied" in capsys.readouterr().err
    assert names(folder) == []


def test_the_checkpoint_is_tried_before_the_fit_too(
    run: Any, photo: Path, folder: Path, names: Names, capsys: Captured
) -> None:
    (folder / "mine").write_bytes(b"mine")
    out = ("-o", folder / "a.inr", "--checkpoint")
    for place, words in (
        (folder / "mine" / "c", "Not a directory"),
        (folder / "missing" / "c", "there is no such folder"),
        (folder / "mine", "exists already (--resume goes on from it; delete it, or -f, to begin anew)"),
    ):
        assert run("encode", photo, *out, place) == 1
        assert f"{place}: {words}" in capsys.readouterr().err
    for place in (photo, folder / ".." / photo.name, folder / "a.inr"):
        assert run("encode", photo, *out, place, "-f") == 2
        assert "is the picture or the result; name another file" in capsys.readouterr().err
    assert names(folder) == ["mine"]
    assert (folder / "mine").read_bytes() == b"mine"


def test_bench_tries_its_files_before_it_measures(
    run: Any, photo: Path, folder: Path, names: Names, capsys: Captured
) -> None:
    (folder / "file").write_bytes(b"mine")
    for option in ("-o", "--html", "--json"):
        target = folder / "file" / f"r{option.strip('-')}"
        assert run("bench", photo, "-c", "webp", "--bpp", "8", option, target) == 1
        assert f"{target}: Not a directory" in capsys.readouterr().err
    assert names(folder) == ["file"]
