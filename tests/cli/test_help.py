from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from inrcodec.cli.main import inrcodec

Run = Callable[..., int]


def _options(text: str) -> set[str]:
    return set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.MULTILINE))


def test_short_help_of_encode_shows_the_ten_daily_options(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("encode", "-h")
    general = {"--verbose", "--quiet", "--help", "--help-all"}
    daily = _options(capsys.readouterr().out) - general
    assert daily == {
        "--output", "--out-dir", "--bpp", "--size", "--psnr", "--effort", "--max-time", "--force", "--dry-run",
        "--json",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(inrcodec.commands))
def test_long_help_shows_every_option_once(run: Run, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(name, "--help-all") == 0
    text = capsys.readouterr().out
    expected = {opt for p in inrcodec.commands[name].params for opt in p.opts if opt.startswith("--")}
    assert _options(text) == expected | {"--help"}


def test_every_option_has_a_help_text() -> None:
    for command in inrcodec.commands.values():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), f"{command.name} {parameter.name}"
