from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from inrcodec.recipes import names

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


def test_lists_what_there_is(run: Run, capsys: Capture) -> None:
    assert run("recipes") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(names())
    assert all(len(line.split()) > 4 for line in lines)


def test_shows_one(run: Run, capsys: Capture) -> None:
    assert run("recipes", "coin") == 0
    out = capsys.readouterr().out
    assert "--method coin" in out
    assert "--set lr=0.0002" in out
    assert "at 0.31 bpp  --layers 10x28" in out


def test_json(run: Run, capsys: Capture) -> None:
    assert run("recipes", "--json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [recipe["name"] for recipe in found] == list(names())
    assert run("recipes", "l0onie", "--json") == 0
    assert json.loads(capsys.readouterr().out)["settings"]


def test_an_unknown_one_is_wrong_usage(run: Run, capsys: Capture) -> None:
    assert run("recipes", "magic") == 2
    assert "there are coin" in capsys.readouterr().err
