"""Limits on the command line: raised, lowered, and where they do not matter."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from inrcodec.decoder import decoding_work, probe
from inrcodec.format.container import Header
from inrcodec.format.stream import Stream, pack
from inrcodec.net.grid import GridArch

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def coded(tmp_path: Path, make_grid_stream: Callable[..., Stream]) -> Path:
    path = tmp_path / "coded.inr"
    path.write_bytes(pack(make_grid_stream(GridArch(0, 2, 3, 2, (3,), (4,)), width=24, height=16)))
    return path


@pytest.mark.parametrize("command", ["decode", "verify"])
@pytest.mark.parametrize("option", ["--max-pixels", "--max-work", "--max-params", "--max-latents"])
def test_each_limit_can_be_set(command: str, option: str, run: Run, coded: Path, capsys: Capture) -> None:
    data = coded.read_bytes()
    latents = GridArch(0, 2).latents(24, 16)
    enough = {
        "--max-pixels": 24 * 16, "--max-work": decoding_work(data), "--max-params": probe(data).params,
        "--max-latents": latents,
    }[option]  # fmt: skip
    assert run(command, coded, option, enough - 1) == 4
    captured = capsys.readouterr()
    assert option[2:].replace("-", "_") in captured.err
    assert len(captured.err.splitlines()) == 1
    assert run(command, coded, option, enough) == 0


def test_more_work_can_be_allowed(
    run: Run, tmp_path: Path, make_stream: Callable[..., Stream], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """What is asked for holds for short files too."""
    from inrcodec import limits

    path = tmp_path / "large.inr"
    path.write_bytes(pack(make_stream()))
    work = decoding_work(path.read_bytes())
    fields = dict(zip(limits.Limits.__dataclass_fields__, limits.Limits.__init__.__defaults__ or (), strict=True))
    defaults = tuple({**fields, "base_work": work - 1}.values())
    monkeypatch.setattr(limits.Limits.__init__, "__defaults__", defaults)
    assert run("decode", path) == 4
    assert "max_work" in capsys.readouterr().err
    assert run("decode", path, "--max-work", work) == 0


def test_info_describes_what_no_decode_would_draw(run: Run, tmp_path: Path, tiny: bytes, capsys: Capture) -> None:
    from inrcodec.format.container import read, write

    path = tmp_path / "huge.inr"
    path.write_bytes(write(Header(10**6, 10**6), read(tiny).sections))
    assert run("info", "--json", path) == 0
    assert json.loads(capsys.readouterr().out)["width"] == 10**6
    assert run("decode", path) == 4
    assert "limit" in capsys.readouterr().err


def test_only_the_long_help_shows_them(run: Run, capsys: Capture) -> None:
    assert run("decode", "-h") == 0
    assert "--max-work" not in capsys.readouterr().out
    assert run("decode", "--help-all") == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--max-pixels", "--max-work", "--max-params", "--max-latents"))
