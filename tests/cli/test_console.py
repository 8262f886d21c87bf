from __future__ import annotations

import json
import math
import sys

import pytest

from inrcodec.cli.console import Console, clock, table, to_json


def test_words_go_to_stderr_and_data_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.say("word")
    console.detail("unheard")
    console.error("bad")
    console.data("datum")
    console.json({"a": 1})
    captured = capsys.readouterr()
    assert captured.out == 'datum\n{"a": 1}\n'
    assert captured.err == "word\nerror: bad\n"


def test_quiet_and_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    quiet, verbose = Console(quiet=True), Console(verbose=True)
    quiet.say("unheard")
    quiet.error("bad")
    verbose.detail("heard")
    assert capsys.readouterr().err == "error: bad\nheard\n"


@pytest.mark.parametrize(("setting", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_only_where_it_is_wanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, setting: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Console().error("bad")
    assert ("\x1b[" in capsys.readouterr().err) == coloured


def test_json_has_no_numbers_json_does_not_know() -> None:
    text = to_json({"psnr": math.inf, "list": [math.nan, 1.5], "nested": {"x": -math.inf}, "name": "häuschen"})
    assert json.loads(text) == {"psnr": None, "list": [None, 1.5], "nested": {"x": None}, "name": "häuschen"}


def test_tables_align() -> None:
    assert table([("name", "n"), ("a", "1,000")]) == "name      n\na     1,000"
    assert table([("a", "b", "n"), ("aa", "bb", "12")], left=2) == "a   b    n\naa  bb  12"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (42.4, "0:42"),
        (59.6, "1:00"),
        (725, "12:05"),
        (3723, "1:02:03"),
        (math.inf, "?"),
        (math.nan, "?"),
        (-1, "?"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
