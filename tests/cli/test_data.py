from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from inrcodec.bench import datasets, registry
from inrcodec.bench.datasets import VARIABLE
from inrcodec.bench.registry import Dataset, Item

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]
FILES = {f"p{number:02d}.png": bytes([number]) for number in range(1, 21)}


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of twenty files; its mirror is the folder ``mirror``, and it is nowhere yet."""
    items = tuple(Item(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items())
    mirror = tmp_path.as_uri() + "/mirror/{name}"
    made = Dataset("toy", "the toys", "https://example.org/toys", "free", (mirror,), items)
    for module in (registry, datasets):
        monkeypatch.setattr(module, "registry", lambda: {"toy": made})
    monkeypatch.setenv(VARIABLE, str(tmp_path / "here"))


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    return folder


def test_fetching_tells_how_far_it_is(run: Run, mirror: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run("data", "fetch", "toy") == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines[:2] == ["2/20 p02.png", "4/20 p04.png"]
    assert lines[-1] == f"toy: complete, in {tmp_path / 'here' / 'toy'}"
    assert len(lines) == 11
    assert run("data", "fetch", "toy", "-q") == 0
    assert capsys.readouterr().err == ""


def test_a_copy_is_adopted(run: Run, mirror: Path, tmp_path: Path, capsys: Capture) -> None:
    copy = mirror.rename(tmp_path / "copy")
    assert run("data", "fetch", "toy", "--from", copy) == 0
    assert (tmp_path / "here" / "toy" / "p20.png").read_bytes() == FILES["p20.png"]
    assert run("data", "fetch", "toy", "--from", tmp_path / "missing") == 2
    assert "does not exist" in capsys.readouterr().err


def test_what_cannot_be_had_is_one_line(run: Run, capsys: Capture) -> None:
    assert run("data", "fetch", "toy") == 1
    assert capsys.readouterr().err.startswith("error: cannot get p01.png: file://")


def test_path_is_for_programs(run: Run, mirror: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run("data", "path", "toy") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "`inrcodec data fetch toy`" in captured.err
    run("data", "fetch", "toy", "-q")
    assert run("data", "path", "toy") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'here' / 'toy'}\n"


def test_list_names_what_there_is(run: Run, mirror: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run("data", "list") == 0
    assert capsys.readouterr().out == "toy  20 pictures  https://example.org/toys  not here\n"
    run("data", "fetch", "toy", "-q")
    run("data", "list")
    assert capsys.readouterr().out.endswith(f"{tmp_path / 'here' / 'toy'}\n")


@pytest.mark.parametrize(
    "words", [("fetch",), ("fetch", "other"), ("path", "other"), ("list", "toy"), ("nonsense",), ("fetch", "a", "b")]
)
def test_wrong_usage_is_2(run: Run, capsys: Capture, words: tuple[str, ...]) -> None:
    assert run("data", *words) == 2
    assert "Usage: inrcodec data" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["fetch", "path", "list"])
def test_every_command_has_its_help(run: Run, capsys: Capture, name: str) -> None:
    assert run("data", "-h") == 0
    assert f"\n  {name} " in capsys.readouterr().out
    assert run("data", name, "-h") == 0
    assert capsys.readouterr().out.startswith(f"Usage: inrcodec data {name}")
